"""At which prices and sizes the house quotes: pure functions of what a market is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from actors.sandbox.categories import FINE
from agents.money import ONE, Micro, ceil_to, fee, floor_to

#: A level of a ladder: whether it is a bid, and its price on the first token.
Level = tuple[bool, Micro]


@dataclass(slots=True)
class Quote:
    """Best bid and ask for the first token; None where there is no room for one on the grid."""

    bid: Micro | None
    ask: Micro | None


@dataclass(frozen=True, slots=True)
class Style:
    """How one market is quoted: half the spread in ticks, ticks between levels, shares at each level."""

    half: float
    gap: int
    sizes: tuple[Micro, ...]


def style(random: Random, tick: Micro) -> Style:
    """Return a market's style; finer grids have wider spreads in ticks."""
    base = random.randrange(150, 600)
    fine = tick <= FINE
    return Style(
        half=random.uniform(1.5, 3.0) if fine else random.uniform(0.5, 0.9),
        gap=2 if fine else 1,
        sizes=tuple(int(base * factor) * ONE for factor in (1.0, 1.6, 2.4, 3.2)),
    )


def quote(worth: Micro, tick: Micro, half: float) -> Quote:
    """Return bid and ask around a worth; near 0 and 1 the spread narrows."""
    room = max(tick // 2, min(worth, ONE - worth) // 3)
    spread = min(int(half * tick), room)
    bid = floor_to(worth - spread, tick)
    ask = max(ceil_to(worth + spread, tick), bid + tick)
    return Quote(bid if bid >= tick else None, ask if ask <= ONE - tick else None)


def tilt(quotes: Sequence[Quote], ticks: Sequence[Micro], rates: Sequence[Decimal], margin: Micro, *, cheap: bool) -> None:
    """Shift the quotes of an event whose outcomes exclude each other until a set of them is mispriced.

    Cheap: one share of each outcome costs, fees included, at most 1 less the margin. Else: selling one of each (buying all
    the opposite tokens) brings, fees deducted, at least 1 plus the margin. It may give up where the grid leaves no room.
    """
    for round in range(40 * len(quotes)):
        if cheap:
            cost = sum((ONE if q.ask is None else q.ask + _fee(q.ask, rate)) for q, rate in zip(quotes, rates, strict=True))
            if cost <= ONE - margin:
                return
        else:
            gain = sum((0 if q.bid is None else q.bid - _fee(q.bid, rate)) for q, rate in zip(quotes, rates, strict=True))
            if gain >= ONE + margin:
                return
        index = round % len(quotes)
        _shift(quotes[index], ticks[index], cheap=cheap)


def ladder(quote: Quote, tick: Micro, style: Style) -> dict[Level, Micro]:
    """Return the shares at each level that a quote's ladder has."""
    levels: dict[Level, Micro] = {}
    for depth, size in enumerate(style.sizes):
        away = depth * style.gap * tick
        if quote.bid is not None and quote.bid - away >= tick:
            levels[True, quote.bid - away] = size
        if quote.ask is not None and quote.ask + away <= ONE - tick:
            levels[False, quote.ask + away] = size
    return levels


def _shift(quote: Quote, tick: Micro, *, cheap: bool) -> None:
    """Move a quote by one tick, down if cheap; the other side gives way."""
    if cheap:
        if quote.ask is None:
            quote.ask = ONE - tick
        elif quote.ask > 2 * tick:
            quote.ask -= tick
        if quote.bid is not None and quote.bid >= quote.ask:
            quote.bid = quote.ask - tick
    else:
        if quote.bid is None:
            quote.bid = tick
        elif quote.bid < ONE - 2 * tick:
            quote.bid += tick
        if quote.ask is not None and quote.ask <= quote.bid:
            quote.ask = quote.bid + tick


def _fee(price: Micro, rate: Decimal) -> Micro:
    return fee(ONE, price, rate)

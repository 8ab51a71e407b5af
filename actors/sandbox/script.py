"""What will happen to a market, known to the simulation alone: its price path and its outcome."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from actors.sandbox.records import MarketRecord
from agents.money import ONE, Micro

#: A price that holds from a time on: venue milliseconds and price.
Bar = tuple[int, Micro]


@dataclass(frozen=True)
class Script:
    """One market from opening to resolution; `draw` makes its bars when they are first needed.

    Prices are a step function: each holds until the next, so nothing of a later bar shows before its time.
    """

    record: MarketRecord
    opens: int
    resolves: int
    payouts: tuple[Micro, Micro]
    draw: Callable[[], tuple[Sequence[Bar], Sequence[Bar]]] = field(compare=False, repr=False)
    #: Makes the exact chances of the first token, in a world that knows better than its prices.
    reveal: Callable[[], Sequence[Bar]] | None = field(default=None, compare=False, repr=False)

    @cached_property
    def bars(self) -> tuple[Sequence[Bar], Sequence[Bar]]:
        """The prices of each token, oldest first, all before `resolves`."""
        return self.draw()

    def price(self, now: int) -> Micro:
        """Return what the first token is worth at a time: its latest bar, or the complement of the other's before it."""
        first = _latest(self.bars[0], now)
        if first is not None:
            return first
        second = _latest(self.bars[1], now)
        return ONE // 2 if second is None else ONE - second

    def chance(self, now: int) -> Micro:
        """Return what the first token is truly worth at a time, by all that can be known then; else its price."""
        exact = _latest(self._exact, now)
        return self.price(now) if exact is None else exact

    @cached_property
    def _exact(self) -> Sequence[Bar]:
        return () if self.reveal is None else self.reveal()

    def history(self, leg: int, start: int, end: int) -> list[Bar]:
        """Return a token's bars within [start, end], and its payout if that lies within."""
        bars = self.bars[leg]
        first = bisect_right(bars, start - 1, key=_time)
        points = list(bars[first : bisect_right(bars, end, key=_time)])
        if start <= self.resolves <= end:
            points.append((self.resolves, self.payouts[leg]))
        return points


class World(Protocol):
    """Where scripts come from."""

    @property
    def start(self) -> int:
        """The venue time at which a new venue begins."""

    @property
    def last(self) -> int | None:
        """The venue time of the last resolution, or None where markets open for ever."""

    def opening(self, after: int, until: int) -> list[Script]:
        """Return the scripts of markets that open within (after, until], by opening time."""

    def script(self, record: MarketRecord) -> Script:
        """Return the script of a market that this world opened."""


def complement(bars: Sequence[Bar]) -> tuple[Bar, ...]:
    """Return the prices of the opposite token."""
    return tuple((at, ONE - price) for at, price in bars)


def _latest(bars: Sequence[Bar], now: int) -> Micro | None:
    index = bisect_right(bars, now, key=_time)
    return bars[index - 1][1] if index else None


def _time(bar: Bar) -> int:
    return bar[0]

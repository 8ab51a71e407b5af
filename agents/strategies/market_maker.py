"""Quotes both sides of many books and earns the spread, leaning against what it holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from zlib import crc32

from pydantic import Field

from agents.model import SIZE_STEP, Decision, Holding, Level, MarketView, OpenOrder, Side, View
from agents.money import ONE, Micro, ceil_to, floor_to, number, text
from agents.odds import normal_cdf
from agents.strategies.strategy import Params, Strategy

#: The standard deviation of a normal variable for each unit of its mean absolute value.
_DEVIATION = 1.2533

#: Price changes that it takes to say how much a price moves.
_ENOUGH = 4


class MarketMakerParams(Params):
    """Sizes are shares, prices 0 to 1, times seconds of the venue's clock."""

    size: float = Field(20, ge=1, le=100_000, description="Shares of each quote.")
    max_inventory: float = Field(100, ge=1, le=1_000_000, description="It buys no outcome beyond this many shares.")
    max_markets: int = Field(8, ge=1, le=500, description="How many markets it quotes at once.")
    min_spread: float = Field(0.02, gt=0, lt=0.5, description="The least distance of its quotes from 0.1 to 0.9, less beyond.")
    noise: float = Field(1.0, ge=0, le=10, description="Half-spread in typical moves of the price.")
    compete: float = Field(
        0.5, ge=0, le=10, description="Where others' spread is less than this part of its own it only reduces what it holds."
    )
    window: int = Field(20, ge=_ENOUGH, le=1000, description="Latest prices that the typical move is measured on.")
    skew: float = Field(1.5, ge=0, le=5, description="How many half-spreads a full inventory moves both quotes.")
    requote: float = Field(
        0.5, ge=0, le=1, description="A quote stays while it is off by less than this part of half a spread."
    )
    margin: float = Field(0.1, gt=0, lt=0.5, description="Nearer than this to 0 or 1 it only reduces what it holds.")
    quiet: float = Field(3600, ge=0, description="This long before a market's end it only reduces what it holds.")
    lane: int = Field(0, ge=0, description="With `lanes`: which part of the markets is its own.")
    lanes: int = Field(1, ge=1, le=100, description="Parts that the markets are split into, for several makers in one wallet.")


@dataclass(frozen=True, slots=True)
class _Price:
    """What a share of the first outcome is worth, half a spread, a typical move; best bid and ask of all others."""

    fair: float
    half: float
    move: float
    bid: Micro
    ask: Micro


class MarketMaker(Strategy[MarketMakerParams]):
    """Bids below and offers above a fair price, the mid of the book without its own orders.

    A typical move is the standard deviation of the price from one look to the next. Half a spread is at least `noise` of
    them, so that the quotes hit by chance pay for those hit by a price that moves on. An inventory shifts both quotes
    against itself. To sell an outcome is a SELL of what it holds, else a BUY of the other one. It improves on the best
    price of others by one tick at most, and opens nothing where others quote much tighter than it dares: there only those
    who know more would trade with it.

    Confidence is the chance that the price does not move past a quote: P(move < half a spread) for a normal move. With
    `noise` at 1 it is 0.84; `noise` at 0.6 or more keeps it above a `minConfidence` of 0.7.
    """

    name = "market_maker"
    description = "Quotes both sides of many books around a fair price, leaning against its inventory."
    params_type = MarketMakerParams

    def __init__(self, params: MarketMakerParams) -> None:
        super().__init__(params)
        #: When it last looked, and how long after the look before. A new process learns both in two rounds.
        self._looked = 0
        self._pause = 0

    def decide(self, view: View) -> list[Decision]:
        """Return the quotes that it wants to stand now."""
        self._pause = view.now - self._looked if self._looked else 0
        self._looked = view.now
        orders: dict[str, list[OpenOrder]] = {}
        for order in view.account.orders:
            orders.setdefault(order.condition_id, []).append(order)
        decisions: list[Decision] = []
        room = self.params.max_markets
        for seen in self._ranked(view, orders):
            own = orders.get(seen.market.condition_id, [])
            price = self._price(seen, own)
            if price is not None:
                opening = room > 0 and self._may_open(seen, price, view.now)
                room -= opening
                decisions.extend(self._quotes(seen, price, own, view.account.holdings, opening=opening))
        return decisions

    def _ranked(self, view: View, orders: Mapping[str, list[OpenOrder]]) -> list[MarketView]:
        """Return the markets to look at: those that it is active in, then those of its lane in an order that stays."""
        ranked: list[tuple[bool, int, int]] = []
        for n, seen in enumerate(view.markets):
            market = seen.market
            active = market.condition_id in orders or any(token in view.account.holdings for token in market.tokens)
            if active or self._in_lane(market.condition_id):
                ranked.append((not active, crc32(market.condition_id.encode()), n))
        return [view.markets[n] for _, _, n in sorted(ranked)]

    def _in_lane(self, condition_id: str) -> bool:
        return crc32(condition_id.encode()) % self.params.lanes == self.params.lane % self.params.lanes

    def _may_open(self, seen: MarketView, price: _Price, now: int) -> bool:
        early = seen.market.end is None or seen.market.end - now > self.params.quiet * 1000
        central = self.params.margin <= price.fair <= 1 - self.params.margin
        # Far behind the best prices only those trade with it who know that the price moves on.
        near = number(price.ask - price.bid) >= self.params.compete * 2 * price.half
        return early and central and near and self._in_lane(seen.market.condition_id)

    def _price(self, seen: MarketView, own: list[OpenOrder]) -> _Price | None:
        bid = _best(seen.books[0].bids, _own(seen, own, bids=True))
        ask = _best(seen.books[0].asks, _own(seen, own, bids=False))
        if bid is None or ask is None or bid >= ask:
            return None
        fair = number(bid + ask) / 2
        # Near 0 and 1 prices move less, and so does everybody quote.
        least = self.params.min_spread / 2 * min(1.0, 10 * fair, 10 * (1 - fair))
        move = self._move(seen) or least
        return _Price(fair, max(least, self.params.noise * move), move, bid, ask)

    def _move(self, seen: MarketView) -> float:
        """Return the standard deviation of the price from one look to the next; 0 while it is not known.

        It is the largest of what single steps say and what whole ways say, in the window and in its newest quarter: steps
        that go one way are a trend, which takes a quote along.
        """
        prices = seen.prices[-self.params.window - 1 :]
        steps = [new[1] - old[1] for old, new in pairwise(prices)]
        if len(steps) < _ENOUGH:
            return 0.0
        deviation = 0.0
        for part in (steps, steps[-max(_ENOUGH, len(steps) // 4) :]):
            single = _DEVIATION * sum(map(abs, part)) / len(part)
            deviation = max(deviation, single, abs(sum(part)) / sqrt(len(part)))
        spacing = (prices[-1][0] - prices[0][0]) / len(steps)
        # Recorded prices jump at once: between two of them a short look is no safer than a long one.
        looks = max(1.0, self._pause / spacing) if spacing > 0 else 1.0
        return max(deviation / ONE * sqrt(looks), number(seen.market.tick) / 2)

    def _quotes(
        self, seen: MarketView, price: _Price, own: list[OpenOrder], holdings: Mapping[str, Holding], *, opening: bool
    ) -> Iterator[Decision]:
        market, (first, second) = seen.market, seen.market.tokens
        held = [holdings[token].size if token in holdings else 0 for token in (first, second)]
        inventory, most = held[0] - held[1], round(self.params.max_inventory * ONE)
        lean = max(-1.0, min(1.0, inventory / most))
        centre = price.fair - self.params.skew * price.half * lean
        tick = market.tick
        bid = floor_to(min(round((centre - price.half) * ONE), price.bid + tick, price.ask - tick), tick)
        ask = ceil_to(max(round((centre + price.half) * ONE), price.ask - tick, price.bid + tick), tick)
        for buys, level in ((True, bid), (False, ONE - ask)):
            # A bid buys the first outcome, an offer the second; each can be a sale of the other one, if that is held.
            token, other = (first, second) if buys else (second, first)
            toward = inventory if buys else -inventory
            room = most - toward if opening else -toward
            size = floor_to(min(round(self.params.size * ONE), room), SIZE_STEP)
            spare = held[market.index(other)]
            side = Side.SELL if min(spare, size) >= market.min_size else Side.BUY
            token, level = (other, ONE - level) if side is Side.SELL else (token, level)
            size = min(size, floor_to(spare, SIZE_STEP)) if side is Side.SELL else size
            if size < market.min_size or not tick <= level <= ONE - tick:
                continue
            on_grid = [order for order in own if order.price % tick == 0]
            level = self._standing(on_grid, token, side, level, price.half)
            yield Decision(
                market=market,
                token_id=token,
                action=side.lower(),
                price=level,
                size=size,
                confidence=min(normal_cdf(price.half / price.move), 0.99),
                reasoning=f"{side.capitalize()}s {market.outcome(token)} at {text(level)}: fair is {price.fair:.3f} for "
                f"{market.outcomes[0]}, half a spread {price.half:.3f}, a typical move {price.move:.3f}, "
                f"inventory {number(inventory):+.0f} of {number(most):.0f} shares.",
                quote=True,
            )

    def _standing(self, own: list[OpenOrder], token: str, side: Side, level: Micro, half: float) -> Micro:
        """Return the price of an own order that is near enough to what is wanted, else the wanted one."""
        near = self.params.requote * half * ONE
        nearest = level
        for order in own:
            if order.token_id == token and order.side is side:
                bolder = order.price - level if side is Side.BUY else level - order.price
                # One that stands too far away earns less often; one that stands too near loses.
                if -2 * near <= bolder <= near:
                    nearest = order.price
        return nearest


def _own(seen: MarketView, own: list[OpenOrder], *, bids: bool) -> dict[Micro, Micro]:
    """Return its own shares by price on one side of the first outcome's book."""
    levels: dict[Micro, Micro] = {}
    for order in own:
        first = order.token_id == seen.market.tokens[0]
        if ((order.side is Side.BUY) == first) is bids:
            level = order.price if first else ONE - order.price
            levels[level] = levels.get(level, 0) + order.size - order.filled
    return levels


def _best(levels: tuple[Level, ...], own: Mapping[Micro, Micro]) -> Micro | None:
    """Return the best price at which somebody else stands."""
    return next((level.price for level in levels if level.size > own.get(level.price, 0)), None)

"""Follows prices that have moved more than chance would move them."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import sqrt

from pydantic import Field

from agents.model import SIZE_STEP, Book, Decision, Holding, MarketView, View
from agents.money import ONE, Micro, ceil_to, fee, floor_to, micro, notional, number, text
from agents.odds import expit, logit, normal_cdf
from agents.risk import LEAST_TAKE, take_step
from agents.strategies.strategy import Cash, Params, Strategy

#: New positions in one round, so that a jump of many prices is not followed at once.
_ENTRIES = 2

#: Markets left that are remembered.
_REMEMBERED = 1000


class MomentumParams(Params):
    """Prices are 0 to 1, amounts pUSD."""

    window: int = Field(12, ge=4, le=1000, description="Latest prices that a trend is measured on.")
    entry: float = Field(2.0, gt=0, le=10, description="It follows a trend of this many standard deviations of chance.")
    turn: float = Field(0.5, ge=0, le=10, description="It leaves when the trend is this strong against it.")
    persistence: float = Field(0.25, gt=0, le=1, description="Part of the window's move that it expects to come again.")
    min_edge: float = Field(0.003, ge=0, lt=0.5, description="What must be left of that after two fees and the spread.")
    stake: Cash = Field(Decimal(25), description="Cash for one position.")
    max_positions: int = Field(10, ge=1, le=500, description="Positions at a time.")
    profit: float = Field(0.4, gt=0, le=100, description="It sells at this gain, as a part of what the shares cost.")
    stop: float = Field(0.25, gt=0, le=1, description="It sells at this loss, as a part of what the shares cost.")
    margin: float = Field(0.05, gt=0, lt=0.5, description="It enters at no price nearer than this to 0 or 1.")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A trend to follow: which outcome, what it may be worth, at what price to buy it, what that leaves."""

    seen: MarketView
    book: Book
    ask: Micro
    strength: float
    fair: float
    edge: float


class Momentum(Strategy[MomentumParams]):
    """Buys the outcome whose price rises, if what it expects to come is worth more than the way in and out costs.

    A trend is the move of the latest prices in log-odds, in standard deviations of a random walk with the same steps: z.
    `persistence` of the move is expected to come again. One position a market; it is closed when the trend turns, at a
    profit or at a stop, and the market is entered again only on prices that are all newer than that.

    Confidence is the chance that a random walk moves less than this one did: P(Z < z). To close a position is a rule and not
    a forecast: confidence 1.
    """

    name = "momentum"
    description = "Buys outcomes whose price trends beyond noise; sells when the trend turns, at a profit or at a stop."
    params_type = MomentumParams

    def __init__(self, params: MomentumParams) -> None:
        super().__init__(params)
        #: When a market was left, by condition id. Lost with the process, which at worst enters a market again early.
        self._left: dict[str, int] = {}

    def decide(self, view: View) -> list[Decision]:
        """Return exits first, then the best entries."""
        exits: list[Decision] = []
        entries: list[_Entry] = []
        positions = 0
        busy = {order.condition_id for order in view.account.orders}
        for seen in view.markets:
            mid = seen.books[0].mid
            trend = self._trend(seen, mid) if mid is not None else (0.0, 0.0)
            held = [book for book in seen.books if _sellable(view.account.holdings.get(book.token_id))]
            positions += bool(held)
            for book in held:
                exits.extend(self._exit(seen, book, view.account.holdings[book.token_id], trend[0], view.now))
            if not held and seen.market.condition_id not in busy and mid is not None and trend[0]:
                entries.extend(self._entry(seen, mid, *trend))
        room = min(_ENTRIES, self.params.max_positions - positions)
        best = sorted(entries, key=lambda entry: entry.edge, reverse=True)[: max(room, 0)]
        return exits + [decision for entry in best for decision in self._buy(entry)]

    def _trend(self, seen: MarketView, mid: Micro) -> tuple[float, float]:
        """Return z and the move in log-odds of the first outcome; zeros while there are too few prices."""
        prices = seen.prices[-self.params.window :]
        if len(prices) < self.params.window or prices[0][0] <= self._left.get(seen.market.condition_id, -1):
            return 0.0, 0.0
        path = [logit(min(max(number(price), 0.002), 0.998)) for price in (*(price for _, price in prices), mid)]
        squares = sum((new - old) ** 2 for old, new in pairwise(path))
        move = path[-1] - path[0]
        return (move / sqrt(squares), move) if squares else (0.0, 0.0)

    def _entry(self, seen: MarketView, mid: Micro, z: float, move: float) -> Iterator[_Entry]:
        if abs(z) < self.params.entry:
            return
        index = 0 if z > 0 else 1
        book, market = seen.books[index], seen.market
        worth = number(mid) if index == 0 else 1 - number(mid)
        if book.ask is None or not self.params.margin <= worth <= 1 - self.params.margin:
            return
        fair = expit(logit(worth) + self.params.persistence * abs(move))
        # An order from before the grid became coarser may stand between two prices.
        ask = ceil_to(book.ask, market.tick)
        cost = ask + fee(ONE, ask, market.fee.rate, market.fee.exponent)
        # The way out costs about as much as the way in: half the spread and a fee.
        edge = fair - worth - 2 * (number(cost) - worth)
        if edge >= self.params.min_edge:
            yield _Entry(seen, book, ask, abs(z), fair, edge)

    def _buy(self, entry: _Entry) -> Iterator[Decision]:
        size = floor_to(min(micro(self.params.stake) * ONE // entry.ask, entry.book.asks[0].size), take_step(entry.ask))
        if notional(size, entry.ask) < LEAST_TAKE:
            return
        market = entry.seen.market
        yield Decision(
            market=market,
            token_id=entry.book.token_id,
            action="buy",
            price=entry.ask,
            size=size,
            confidence=normal_cdf(entry.strength),
            reasoning=f"{market.outcome(entry.book.token_id)} rose {entry.strength:.1f} standard deviations over "
            f"{self.params.window} prices; it may be worth {entry.fair:.3f} and is offered at {text(entry.ask)}, "
            f"which leaves {entry.edge:.3f} a share after spread and fees.",
        )

    def _exit(self, seen: MarketView, book: Book, holding: Holding, z: float, now: int) -> Iterator[Decision]:
        bid = floor_to(book.bid or 0, seen.market.tick)
        if not bid:
            return
        gain = notional(holding.size, bid) / max(holding.cost, 1) - 1
        against = -z if book.token_id == seen.market.tokens[0] else z
        if against >= self.params.turn:
            why = f"the trend has turned, {against:.1f} standard deviations against it"
        elif gain >= self.params.profit:
            why = f"the profit of {gain:.0%} is taken"
        elif gain <= -self.params.stop:
            why = f"the loss of {-gain:.0%} is stopped"
        else:
            return
        self._left[seen.market.condition_id] = now
        if len(self._left) > _REMEMBERED:
            del self._left[next(iter(self._left))]
        yield Decision(
            market=seen.market,
            token_id=book.token_id,
            action="sell",
            price=bid,
            size=floor_to(holding.size, SIZE_STEP),
            confidence=1.0,
            reasoning=f"Sells {text(holding.size)} {seen.market.outcome(book.token_id)} at {text(bid)}: {why}.",
        )


def _sellable(holding: Holding | None) -> bool:
    return holding is not None and holding.size >= SIZE_STEP

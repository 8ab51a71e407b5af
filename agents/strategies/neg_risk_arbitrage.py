"""Buys every outcome of an event where exactly one can win, when all together cost less than they must pay."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import lcm

from pydantic import Field

from agents.model import Book, Decision, Holding, MarketView, View
from agents.money import ONE, Micro, fee, floor_to, micro, notional, number, text
from agents.risk import LEAST_TAKE, take_step
from agents.strategies.strategy import Cash, Params, Strategy

#: Legs of which at least this part of the largest is held are even.
_EVEN = 0.9


class NegRiskArbitrageParams(Params):
    """Amounts are pUSD; returns are parts of what a set costs."""

    min_return: float = Field(0.004, gt=0, lt=1, description="The least profit, fees paid, on what a set costs.")
    max_return: float = Field(0.15, gt=0, lt=10, description="More than this is an event that is over or misread, not a gift.")
    stake: Cash = Field(Decimal(200), description="The most that one purchase may cost.")
    max_cost: Cash = Field(Decimal(1000), description="The most to hold in one event.")
    depth: float = Field(0.8, gt=0, le=1, description="Part of the thinnest offer that it takes.")
    miss: float = Field(
        0.04, ge=0, lt=1, description="Chance that an offer is gone, if all of it were taken; for the confidence."
    )
    repair: float = Field(0.02, ge=0, lt=1, description="Loss in pUSD on a set at which it still buys a leg that it missed.")


@dataclass(frozen=True, slots=True)
class _Leg:
    """One outcome's share on offer: best ask, its size, what a share costs with its fee, and what is held."""

    seen: MarketView
    book: Book
    ask: Micro
    offered: Micro
    cost: Micro
    held: Micro
    paid: Micro


class NegRiskArbitrage(Strategy[NegRiskArbitrageParams]):
    """Sets over the outcomes of one neg-risk event: all YES pay 1 together, all NO pay one less than there are outcomes.

    It buys a set, equal sizes of every leg, where asks and fees come to less than that, as far as the thinnest best offer
    goes, and holds it to the end. Only complete events count: every market that is not closed must be seen with an offer.
    The two sides of one market are one mirrored book and no arbitrage. A leg that was missed is bought later, if the set
    then does not lose more than `repair`; no further set of the event is bought before that.

    Confidence is the chance that no offer is gone: the product over the legs of 1 - miss x (part of the offer taken).
    """

    name = "neg_risk_arbitrage"
    description = "Buys all YES or all NO of a neg-risk event when together they cost less than they must pay."
    params_type = NegRiskArbitrageParams

    def decide(self, view: View) -> list[Decision]:
        """Return the purchases of all events; the legs of a set share a group."""
        busy = {order.condition_id for order in view.account.orders}
        decisions: list[Decision] = []
        for markets in _events(view.markets):
            if any(seen.market.condition_id in busy for seen in markets):
                continue
            invested = sum(holding.cost for holding in _held(markets, view.account.holdings))
            for index, value in ((0, ONE), (1, (len(markets) - 1) * ONE)):
                legs = [_leg(seen, index, view.account.holdings) for seen in markets]
                complete = [leg for leg in legs if leg is not None]
                if len(complete) == len(legs):
                    decisions.extend(self._set(complete, value, invested))
        return decisions

    def _set(self, legs: list[_Leg], value: Micro, invested: Micro) -> Iterator[Decision]:
        most = max(leg.held for leg in legs)
        # A buy that fills below its limit brings a few shares more than asked: to even that out would never end.
        missed = [leg for leg in legs if leg.held < most * _EVEN and notional(most - leg.held, leg.ask) >= LEAST_TAKE]
        if missed:
            yield from self._repair(legs, missed, most, value)
            return
        cost = sum(leg.cost for leg in legs)
        gain = (value - cost) / cost
        if not self.params.min_return <= gain <= self.params.max_return:
            return
        cash = min(micro(self.params.stake), micro(self.params.max_cost) - invested)
        thinnest = round(min(leg.offered for leg in legs) * self.params.depth)
        size = floor_to(min(cash * ONE // cost, thinnest), lcm(*(take_step(leg.ask) for leg in legs)))
        if size <= 0 or any(notional(size, leg.ask) < LEAST_TAKE for leg in legs):
            return
        side = legs[0].seen.market.outcome(legs[0].book.token_id)
        reasoning = (
            f"All {len(legs)} {side} of {legs[0].seen.market.event_title or 'the event'} cost {text(cost)} with fees and pay "
            f"{text(value)}, a profit of {gain:.2%}; buys {text(size)} of each."
        )
        confidence = 1.0
        for leg in legs:
            confidence *= 1 - self.params.miss * size / leg.offered
        group = f"{legs[0].seen.market.event_id}/{side}"
        # The thinnest first: if it is gone, nothing else is bought.
        for leg in sorted(legs, key=lambda leg: leg.offered):
            yield _buy(leg, size, confidence, reasoning, group)

    def _repair(self, legs: list[_Leg], missed: list[_Leg], most: Micro, value: Micro) -> Iterator[Decision]:
        paid = sum(leg.paid * ONE // leg.held if leg.held else leg.cost for leg in legs if leg not in missed)
        cost = paid + sum(leg.cost for leg in missed)
        if cost > value + round(self.params.repair * ONE):
            return
        for leg in missed:
            size = floor_to(min(most - leg.held, leg.offered), take_step(leg.ask))
            if notional(size, leg.ask) >= LEAST_TAKE:
                reasoning = (
                    f"Completes {text(most)} sets that cost {number(cost):.3f} and pay {text(value)}: this leg was missed."
                )
                yield _buy(leg, size, 1 - self.params.miss * size / leg.offered, reasoning, "")


def _events(markets: Iterable[MarketView]) -> list[list[MarketView]]:
    """Return the neg-risk events of which every open market is seen."""
    events: dict[str, list[MarketView]] = {}
    for seen in markets:
        if seen.market.neg_risk and seen.market.event_id:
            events.setdefault(seen.market.event_id, []).append(seen)
    return [seen for seen in events.values() if len(seen) > 1 and all(len(seen) == view.market.event_size for view in seen)]


def _held(markets: list[MarketView], holdings: Mapping[str, Holding]) -> Iterator[Holding]:
    return (holdings[token] for seen in markets for token in seen.market.tokens if token in holdings)


def _leg(seen: MarketView, index: int, holdings: Mapping[str, Holding]) -> _Leg | None:
    book, market = seen.books[index], seen.market
    if not book.asks or not market.accepting_orders or book.asks[0].price % market.tick:
        return None
    ask = book.asks[0].price
    holding = holdings.get(book.token_id) or Holding(book.token_id, 0, 0)
    cost = ask + fee(ONE, ask, market.fee.rate, market.fee.exponent)
    return _Leg(seen, book, ask, book.asks[0].size, cost, holding.size, holding.cost)


def _buy(leg: _Leg, size: Micro, confidence: float, reasoning: str, group: str) -> Decision:
    return Decision(leg.seen.market, leg.book.token_id, "buy", leg.ask, size, confidence, reasoning, group=group)

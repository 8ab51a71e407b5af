"""One agent's decision round: what its strategy wants, held to its spec, its cash and the state of the markets.

Pure: the process around it fetches the view, numbers the events and calls the broker.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from agents.errors import InvalidInput
from agents.model import STALE_AFTER, Account, Decision, MarketView, OpenOrder, Side, View
from agents.money import Micro, notional
from agents.order_terms import check_terms, on_grid
from agents.orders import OrderStatus
from agents.ports import Placed
from agents.risk import fit, spend
from agents.spec import AgentSpec
from agents.strategies.registry import create
from agents.strategies.strategy import Strategy

#: Rounds in which a decision that the broker refused is not sent again at the same price.
REFUSED_ROUNDS = 10

#: Holds that are remembered at most.
_REMEMBERED = 10_000


class Hold(StrEnum):
    """Why a decision is held."""

    STRATEGY = "strategy"
    MARKET = "market"
    STALE = "stale"
    CONFIDENCE = "confidence"
    LIMIT = "limit"
    REFUSED = "refused"
    GROUP = "group"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class Plan:
    """What comes of a round.

    Every one of `decisions` is logged. Those to buy or sell (`orders`) then go to the broker in this order, after the
    `cancels`: ids of the agent's open orders that it no longer wants. A decision that a rule stopped is a hold here, with
    size 0 and the reason first in its `reasoning`.
    """

    decisions: tuple[Decision, ...] = ()
    cancels: tuple[str, ...] = ()

    @property
    def orders(self) -> tuple[Decision, ...]:
        """The decisions that passed."""
        return tuple(decision for decision in self.decisions if decision.action != "hold")


@dataclass(frozen=True, slots=True)
class _Held:
    """A reason to hold one decision."""

    kind: Hold
    reason: str


_Judged = tuple[Decision, _Held | None]


class Agent:
    """Decides for one spec. All that it remembers it can do without: a successor only logs a hold again, or asks again.

    Raises:
        InvalidInput: if the spec names no strategy that exists, or a param that it does not take.
    """

    def __init__(self, spec: AgentSpec) -> None:
        self.spec = spec
        self._strategy = create(spec.strategy, spec.params)
        self._rounds = 0
        #: Why the last logged decision of this kind (token, action) was held.
        self._held: dict[tuple[str, str], Hold] = {}
        #: What the broker refused (token, action, price): the round in which it may be tried again, and its reason.
        self._refused: dict[tuple[str, str, Micro], tuple[int, str]] = {}

    @property
    def strategy(self) -> Strategy[Any]:
        """What it decides with."""
        return self._strategy

    def configure(self, spec: AgentSpec) -> None:
        """Go on with a changed spec; the strategy keeps its memory unless it or its params changed.

        Raises:
            InvalidInput: as the constructor does; the old spec then stays.
        """
        if (spec.strategy, spec.params) != (self.spec.strategy, self.spec.params):
            self._strategy = create(spec.strategy, spec.params)
        self.spec = spec

    def report(self, decision: Decision, placed: Placed) -> None:
        """Take what came of one of a plan's orders: what was refused is not asked for again in every round."""
        if placed.order_id is None or placed.status == OrderStatus.REJECTED:
            self._refused[_key(decision)] = self._rounds + REFUSED_ROUNDS, placed.reason

    def step(self, view: View) -> Plan:
        """Decide once."""
        self._rounds += 1
        self._refused = {key: refusal for key, refusal in self._refused.items() if refusal[0] >= self._rounds}
        if len(self._held) > _REMEMBERED:
            self._held.clear()
        seen = {item.market.condition_id: item for item in view.markets}
        standing = _Standing(view.account)
        groups = [
            [(leg, held) for leg, held in self._judge(legs, seen, standing, view.now) if held or not standing.keep(leg)]
            for legs in _grouped(self._strategy.decide(view))
        ]
        decisions: list[Decision] = []
        cash, shares = standing.free()
        for group in groups:
            for leg, held in self._fit(group, cash, shares):
                if held is None:
                    # Cut to what is free it may be an order that stands.
                    kept = standing.keep(leg)
                    cash -= max(spend(leg), _held_cash(kept)) if kept else spend(leg)
                    if leg.action == "sell":
                        shares[leg.token_id] -= leg.size
                    if kept:
                        continue
                decisions.extend(self._logged(leg, held))
        return Plan(tuple(decisions), standing.unwanted)

    def _judge(
        self, legs: Sequence[Decision], seen: Mapping[str, MarketView], standing: "_Standing", now: int
    ) -> list[_Judged]:
        judged = [self._judged(leg, seen.get(leg.market.condition_id), now) for leg in legs]
        judged = [(leg, reason or standing.waits(leg)) for leg, reason in judged]
        first = next((reason for _, reason in judged if reason), None)
        if first and len(legs) > 1:
            other = _Held(Hold.GROUP, f"another leg of the trade is held, {first.reason}")
            judged = [(leg, reason or other) for leg, reason in judged]
        return judged

    def _judged(self, leg: Decision, seen: MarketView | None, now: int) -> _Judged:
        """Return a decision with its price on the market's present grid, and why it is held."""
        if leg.action != "hold" and seen is not None:
            try:
                check_terms(leg, now)
                leg = on_grid(leg, seen.market.tick)
            except InvalidInput as error:
                return leg, _Held(Hold.LIMIT, str(error))
        return leg, self._reason(leg, seen)

    def _reason(self, leg: Decision, seen: MarketView | None) -> _Held | None:
        if leg.action == "hold":
            return _Held(Hold.STRATEGY, "")
        if seen is None or not seen.market.takes_orders:
            return _Held(Hold.MARKET, "the market takes no orders now")
        if seen.age > STALE_AFTER:
            return _Held(Hold.STALE, f"nothing was heard of the market for {seen.age:.0f} s")
        # Written so that a confidence that is no number is held too.
        if not leg.confidence >= self.spec.min_confidence:
            return _Held(Hold.CONFIDENCE, f"confidence {leg.confidence:.2f} is below {self.spec.min_confidence:.2f}")
        if _key(leg) in self._refused:
            return _Held(Hold.REFUSED, f"the broker refused it at this price a moment ago: {self._refused[_key(leg)][1]}")
        return None

    def _fit(self, group: Sequence[_Judged], cash: Micro, shares: Mapping[str, Micro]) -> list[_Judged]:
        if not group or group[0][1]:
            return list(group)
        legs = [leg for leg, _ in group]
        try:
            return [(leg, None) for leg in fit(legs, each=self.spec.max_trade_micro, cash=cash, shares=shares)]
        except InvalidInput as error:
            return [(leg, _Held(Hold.LIMIT, str(error))) for leg in legs]

    def _logged(self, leg: Decision, held: _Held | None) -> list[Decision]:
        kind = (leg.token_id, leg.action)
        if held is None:
            self._held.pop(kind, None)
            return [leg]
        if self._held.get(kind) == held.kind:
            return []
        self._held[kind] = held.kind
        reasoning = f"Held, {held.reason}. {leg.reasoning}" if held.reason else leg.reasoning
        return [replace(leg, action="hold", size=0, reasoning=reasoning)]


class _Standing:
    """The agent's open orders, sorted into those that are still wanted and the rest."""

    def __init__(self, account: Account) -> None:
        self._account = account
        #: What waits for a person is left alone: he decides on it, or it expires.
        self._waiting = [order for order in account.orders if order.status == OrderStatus.INTENDED]
        self._rest = [order for order in account.orders if order.status != OrderStatus.INTENDED]
        self._kept: list[OpenOrder] = []

    def waits(self, wanted: Decision) -> _Held | None:
        """Return why a decision is held whose like waits for a person: there is never more than one for him to decide on."""
        side = wanted.action.upper()
        if any((order.token_id, order.side) == (wanted.token_id, side) for order in self._waiting):
            return _Held(Hold.APPROVAL, "an order of this kind waits to be approved")
        return None

    def keep(self, wanted: Decision) -> OpenOrder | None:
        """Return the open order that is what is wanted, if there is one; it then stays."""
        if not wanted.rests or wanted.group:
            return None
        for order in self._rest:
            if _equal(order, wanted):
                self._rest.remove(order)
                self._kept.append(order)
                return order
        return None

    @property
    def unwanted(self) -> tuple[str, ...]:
        """The ids of the orders that nothing wanted so far."""
        return tuple(order.order_id for order in self._rest)

    def free(self) -> tuple[Micro, dict[str, Micro]]:
        """Return cash and shares by token that are free once the unwanted orders are cancelled."""
        cash = self._account.cash + sum(_held_cash(order) for order in self._rest)
        shares = {token_id: holding.size for token_id, holding in self._account.holdings.items()}
        for order in (*self._kept, *self._waiting):
            if order.side is Side.SELL:
                shares[order.token_id] = shares.get(order.token_id, 0) - (order.size - order.filled)
        return cash, shares


def _held_cash(order: OpenOrder) -> Micro:
    """Return the cash that an order holds back."""
    return notional(order.size - order.filled, order.price) if order.side is Side.BUY else 0


def _equal(order: OpenOrder, wanted: Decision) -> bool:
    """Whether an order would do: token, side and price are the same, and at least half and at most twice the size is left.

    It may end sooner than wanted, not later.
    """
    left = order.size - order.filled
    in_time = wanted.expires is None or (order.expires is not None and order.expires <= wanted.expires)
    return in_time and (
        order.token_id == wanted.token_id
        and order.side == wanted.action.upper()
        and order.price == wanted.price
        and wanted.size <= 2 * left
        and left <= 2 * wanted.size
    )


def _grouped(decisions: Iterable[Decision]) -> list[list[Decision]]:
    """Return the decisions as trades of one or several legs, in order of their first leg."""
    groups: dict[str | int, list[Decision]] = {}
    for n, decision in enumerate(decisions):
        groups.setdefault(decision.group or n, []).append(decision)
    return list(groups.values())


def _key(decision: Decision) -> tuple[str, str, Micro]:
    return decision.token_id, decision.action, decision.price

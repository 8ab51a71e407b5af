"""What a person must approve before it is sent: which decisions wait, how they are told, and what is looked at again. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.events import Event
from agents.model import STALE_AFTER, Decision, MarketView, Side
from agents.money import Micro, micro, notional, text
from agents.orders import OrderStatus
from agents.spec import ApprovalRule

#: By how much the price that an order would meet may have moved since it was asked for, in millionths.
DRIFT: Micro = 50_000

#: Characters of a decision's reasons that are shown to who decides.
_REASONS = 600


@dataclass(frozen=True, slots=True)
class Approval:
    """What an order needs a person for; `legs` of one trade share an id. Times are wall milliseconds.

    `met`: the price that it would have met when asked for, None if there was none. `by`, `approved` and `at` once decided.
    """

    id: str
    expires: int
    met: Micro | None
    reasoning: str
    confidence: float
    by: str = ""
    approved: bool = False
    at: int = 0

    def data(self) -> dict[str, Any]:
        """Return it as the order's events carry it."""
        return {
            "id": self.id,
            "expiresAt": self.expires,
            "metPrice": None if self.met is None else text(self.met),
            "reasoning": self.reasoning,
            "confidence": self.confidence,
            "by": self.by or None,
            "approved": self.approved,
            "decidedAt": self.at or None,
        }


def read_approval(data: Mapping[str, Any]) -> Approval:
    """Read what `Approval.data` wrote."""
    met = data["metPrice"]
    return Approval(
        data["id"],
        data["expiresAt"],
        None if met is None else micro(met),
        data["reasoning"],
        data["confidence"],
        data["by"] or "",
        data["approved"],
        data["decidedAt"] or 0,
    )


@dataclass(frozen=True, slots=True)
class WaitingOrder:
    """An order that waits for a person, as the log tells it; `asked` is wall milliseconds."""

    order_id: str
    agent_id: str
    wallet: str
    market_id: str
    question: str
    outcome: str
    side: str
    price: Micro
    size: Micro
    quote: bool
    asked: int
    approval: Approval

    @property
    def amount(self) -> Micro:
        """What it costs or brings at its limit, fees not included."""
        return notional(self.size, self.price)


def waiting_order(event: Event) -> WaitingOrder | None:
    """Return the order that waits from an `order` event on, None if it does not wait, or no longer."""
    data = event.data
    if data["status"] != OrderStatus.INTENDED or event.agent_id is None:
        return None
    return WaitingOrder(
        order_id=data["orderId"],
        agent_id=event.agent_id,
        wallet=data["wallet"],
        market_id=data["marketId"],
        question=data["marketQuestion"],
        outcome=data["outcome"],
        side=data["side"],
        price=micro(data["price"]),
        size=micro(data["size"]),
        quote=data["postOnly"],
        asked=event.timestamp,
        approval=read_approval(data["approval"]),
    )


def id_of(intent_id: str) -> str:
    """Return the id of the approval that an intent (the first of its trade) needs: short, and the same on every retry."""
    return hashlib.sha256(intent_id.encode()).hexdigest()[:12]


def must_wait(rule: ApprovalRule | None, legs: Sequence[Decision]) -> bool:
    """Whether a trade of one or several legs waits for a person: all of its legs, then, or none.

    A sale only ever reduces what an agent holds, so it waits only if the rule says so: nobody's absence keeps an agent in.
    """
    if rule is None:
        return False
    asked = [leg for leg in legs if leg.action == "buy" or rule.sells]
    amount = sum(notional(leg.size, leg.price, up=True) for leg in asked)
    return bool(asked) and amount > rule.above_micro


def ask(intent_id: str, decision: Decision, rule: ApprovalRule, view: MarketView | None, now: int) -> Approval:
    """Return what a decision waits for, from wall millisecond `now` on."""
    met = met_price(view, decision.token_id, Side(decision.action.upper())) if view else None
    expires = now + int(rule.expires * 1000)
    return Approval(id_of(intent_id), expires, met, decision.reasoning[:_REASONS], decision.confidence)


def met_price(view: MarketView, token_id: str, side: Side) -> Micro | None:
    """Return the price of what an order would trade with now, None if there is nothing."""
    book = view.books[view.market.index(token_id)]
    return book.ask if side is Side.BUY else book.bid


def unfit(view: MarketView | None, token_id: str, side: Side, met: Micro | None) -> str | None:
    """Return why an order that was asked for when it would have met `met` is not sent any more, or None."""
    if view is None or not view.market.takes_orders:
        return "the market takes no orders any more"
    if view.age > STALE_AFTER:
        return f"nothing was heard of the market for {view.age:.0f} s, so its price is not known"
    now = met_price(view, token_id, side)
    if (now is None) is (met is None) and abs((now or 0) - (met or 0)) <= DRIFT:
        return None
    return f"the price has moved from {_shown(met)} to {_shown(now)} since it was asked for"


def _shown(price: Micro | None) -> str:
    return "none" if price is None else text(price)

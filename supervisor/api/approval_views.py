"""What waits for a person, as clients see it, made from the folded log. Times are epoch milliseconds, amounts decimal text."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from agents.approvals import WaitingOrder
from agents.fleet import FleetState
from agents.money import text
from supervisor.api.market_views import Exact


class AskedOrder(TypedDict):
    """One order that waits."""

    orderId: str
    marketId: str
    marketQuestion: str
    outcome: str
    side: str
    price: Annotated[Exact, Field(description="Its limit: it buys no dearer and sells no cheaper.")]
    size: Exact
    amount: Annotated[Exact, Field(description="What it costs or brings at its limit, in pUSD, fees not included.")]
    quote: Annotated[bool, Field(description="Whether it rests; if not, it takes what is there at once.")]
    reasoning: str
    confidence: float


class Approval(TypedDict):
    """One trade that waits for a person: all of its orders are sent, in this order, or none."""

    id: str
    agentId: str
    wallet: str
    askedAt: int
    expiresAt: Annotated[int, Field(description="When it is dropped if nobody has decided.")]
    orders: list[AskedOrder]


def approvals(state: FleetState) -> list[Approval]:
    """Return what waits, the oldest first."""
    trades: dict[str, Approval] = {}
    for order in state.waiting.values():
        asked = order.approval
        trade = trades.setdefault(
            asked.id,
            {
                "id": asked.id,
                "agentId": order.agent_id,
                "wallet": order.wallet,
                "askedAt": order.asked,
                "expiresAt": asked.expires,
                "orders": [],
            },
        )
        trade["orders"].append(_order(order))
    return list(trades.values())


def _order(order: WaitingOrder) -> AskedOrder:
    return {
        "orderId": order.order_id,
        "marketId": order.market_id,
        "marketQuestion": order.question,
        "outcome": order.outcome,
        "side": order.side,
        "price": text(order.price),
        "size": text(order.size),
        "amount": text(order.amount),
        "quote": order.quote,
        "reasoning": order.approval.reasoning,
        "confidence": order.approval.confidence,
    }

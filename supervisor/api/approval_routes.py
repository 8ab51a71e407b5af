"""The routes by which a person decides on what waits for him."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import Field
from typing_extensions import TypedDict

from agents.fleet import FleetState
from supervisor.api.access import ANYONE, Caller
from supervisor.api.approval_views import Approval, approvals
from supervisor.api.context import FleetContext
from supervisor.api.strict_json import StrictRoute

ApprovalId = Annotated[str, Path(max_length=64, description="The approval's id, as the list has it.")]


class Approvals(TypedDict):
    """All that waits for a person, the oldest first."""

    approvals: list[Approval]
    total: int


class DecidedOrder(TypedDict):
    """What has become of an order that was decided on."""

    orderId: str
    status: str
    reason: str


class Decided(TypedDict):
    """A decision was carried out."""

    success: bool
    id: str
    approved: bool
    orders: Annotated[list[DecidedOrder], Field(description="Approved, the venue may still refuse one: see its status.")]


def approval_routes(context: FleetContext) -> APIRouter:
    """Return the routes."""
    router = APIRouter(route_class=StrictRoute, tags=["approvals"])

    @router.get("/api/approvals")
    async def waiting() -> Approvals:
        """Return the trades that wait to be approved or rejected."""
        found = approvals(context.state)
        return {"approvals": found, "total": len(found)}

    @router.post("/api/approvals/{approval_id}/approve")
    async def approve(request: Request, approval_id: ApprovalId) -> Decided:
        """Send a trade that waits. It is looked at again before: price, cash, market, agent; 409 if it does not pass.

        The first decision counts: whoever decides after it, or after the trade has expired, gets 409.
        """
        return await _decide(context, approval_id, approve=True, by=_who(request))

    @router.post("/api/approvals/{approval_id}/reject")
    async def reject(request: Request, approval_id: ApprovalId) -> Decided:
        """Drop a trade that waits; 409 if it was decided before or has expired."""
        return await _decide(context, approval_id, approve=False, by=_who(request))

    return router


async def _decide(context: FleetContext, approval_id: str, *, approve: bool, by: str) -> Decided:
    asked = _orders(context.state, approval_id)
    await context.settle(await context.supervisor.decide(approval_id, approve, by))
    found = [await context.ledger.order(order_id) for order_id in asked]
    orders: list[DecidedOrder] = [
        {"orderId": each["orderId"], "status": each["status"], "reason": each["reason"]} for each in found if each is not None
    ]
    return {"success": True, "id": approval_id, "approved": approve, "orders": orders}


def _orders(state: FleetState, approval_id: str) -> list[str]:
    return [order.order_id for order in state.waiting.values() if order.approval.id == approval_id]


def _who(request: Request) -> str:
    caller: Caller | None = getattr(request.state, "caller", None)
    return (caller or ANYONE).name

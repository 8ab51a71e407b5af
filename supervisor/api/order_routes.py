"""The routes that cancel orders: one, an agent's, those on a market, all. Agents that run may place others at once."""

import asyncio
from collections.abc import Awaitable
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from agents.errors import Conflict, NotFound
from supervisor.api.agent_routes import AgentId
from supervisor.api.context import FleetContext
from supervisor.api.strict_json import StrictRoute

OrderId = Annotated[str, Path(max_length=100, description="The order's id, its hash at the venue.")]


class Which(BaseModel):
    """Which orders to cancel; nothing named: all of the wallets, also those that were placed outside the fleet."""

    model_config = ConfigDict(extra="forbid")

    agent: str | None = Field(None, min_length=1, max_length=100, description="Only those of this agent.")
    market: str | None = Field(
        None,
        min_length=1,
        max_length=300,
        description="Only those on this market: condition id, Gamma id, slug or token.",
    )


class Cancelled(TypedDict):
    """How many resting orders there were; each is cancelled, or was filled just before."""

    success: bool
    cancelled: int


def order_routes(context: FleetContext) -> APIRouter:
    """Return the routes."""
    router = APIRouter(route_class=StrictRoute, tags=["orders"])

    @router.post("/api/orders/cancel")
    async def cancel_orders(which: Which) -> Cancelled:
        """Cancel resting orders: of an agent, on a market, both, or all."""
        return await _cancelled(context, which)

    @router.post("/api/agents/{agent_id}/cancel")
    async def cancel_agent(agent_id: AgentId) -> Cancelled:
        """Cancel an agent's resting orders; what it has asked for before is not placed any more."""
        return await _cancelled(context, Which(agent=agent_id))

    @router.post("/api/orders/{order_id}/cancel")
    async def cancel_order(order_id: OrderId) -> Cancelled:
        """Cancel one resting order. 404 if the fleet has no such order, 409 if it does not rest."""
        order = await context.ledger.order(order_id)
        if order is None:
            raise NotFound(f"There is no order {order_id!r}; GET /api/agents/{{id}}/orders lists an agent's")
        if not await context.broker_of(order["wallet"]).cancel(order_id=order_id):
            raise Conflict(f"Order {order_id} is {order['status']}; only an order that rests can be cancelled")
        return await _shown(context, 1)

    return router


async def _cancelled(context: FleetContext, which: Which) -> Cancelled:
    wallets = {record.spec.wallet for record in context.state.agents.values()} | set(context.state.addresses)
    if which.agent is not None:
        wallets = {context.agent(which.agent).spec.wallet}
    condition_id = None
    if which.market is not None:
        view = await context.feed.market(which.market)
        if view is None:
            raise NotFound(f"There is no market {which.market!r}; GET /api/markets lists them")
        condition_id = view.market.condition_id
    counts = await asyncio.gather(*(_of_wallet(context, wallet, which.agent, condition_id) for wallet in sorted(wallets)))
    return await _shown(context, sum(counts))


def _of_wallet(context: FleetContext, wallet: str, agent_id: str | None, condition_id: str | None) -> Awaitable[int]:
    broker = context.broker_of(wallet)
    if condition_id is not None:
        return broker.cancel(agent_id=agent_id, condition_id=condition_id)
    return broker.cancel_all() if agent_id is None else broker.cancel_agent(agent_id)


async def _shown(context: FleetContext, count: int) -> Cancelled:
    """Answer once every later read shows it."""
    await context.settle(await context.ledger.head())
    return {"success": True, "cancelled": count}

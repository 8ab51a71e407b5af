"""The routes of a wallet: what an operator does about books that differ from the venue."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from agents.errors import NotFound
from agents.money import micro
from supervisor.api.context import FleetContext
from supervisor.api.market_views import Exact
from supervisor.api.strict_json import StrictRoute

Amount = Annotated[
    str, Field(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$", description="A decimal number with at most six decimals.")
]


class Adjustment(BaseModel):
    """The difference that is booked: what the venue holds less what the books hold, as `GET /api/ledger/check` shows both."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description="How it came about; it goes into the log.")
    cash: Amount = "0"
    shares: dict[Annotated[str, Field(max_length=100)], Amount] = Field(
        default_factory=dict, max_length=1000, description="By token."
    )
    agent_id: str | None = Field(None, alias="agentId", max_length=63, description="Whose book it goes to; null: nobody's.")


class Adjusted(TypedDict):
    """What was booked."""

    success: bool
    wallet: str
    cash: Exact
    shares: dict[str, Exact]


def wallet_routes(context: FleetContext) -> APIRouter:
    """Return the routes."""
    router = APIRouter(route_class=StrictRoute, tags=["fleet"])

    @router.post("/api/wallets/{wallet}/adjust", response_model=Adjusted)
    async def adjust(wallet: Annotated[str, Path(max_length=63)], adjustment: Adjustment) -> dict[str, Any]:
        """Book a difference between a wallet's books and the venue, once it is explained; then the wallet trades again.

        It must be the difference that there is, or 409 says which one there is. Amounts at the venue do not change.
        """
        state = context.state
        if wallet not in {*state.addresses, *(record.spec.wallet for record in state.agents.values())}:
            raise NotFound(f"There is no wallet {wallet!r}; GET /api/portfolio lists them")
        shares = {token: micro(size) for token, size in adjustment.shares.items()}
        broker = context.broker_of(wallet)
        await broker.adjust(micro(adjustment.cash), shares, adjustment.reason, adjustment.agent_id)
        await context.settle(await context.ledger.head())
        return {"success": True, "wallet": wallet, "cash": adjustment.cash, "shares": adjustment.shares}

    return router

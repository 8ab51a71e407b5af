"""The routes of risk: limits with what is used up of them, and the end of a stop for losses."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from supervisor.api.context import FleetContext
from supervisor.api.risk_views import Risk, ScopeRisk
from supervisor.api.strict_json import StrictRoute


class Resumption(BaseModel):
    """Which scope may buy again."""

    model_config = ConfigDict(extra="forbid")

    scope: str = Field(min_length=1, max_length=100, description="agent:ID, wallet:NAME or fleet.")


def risk_routes(context: FleetContext) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/risk", route_class=StrictRoute, tags=["fleet"])

    @router.get("")
    async def get_risk() -> Risk:
        """Return the limits, what is used up of them, and what is stopped: the fleet, its wallets, its agents."""
        return await context.risk()

    @router.post("/resume")
    async def resume(resumption: Resumption) -> ScopeRisk:
        """Lift a scope's stops for losses, which are measured from then on; 409 if none is on."""
        await context.settle(await context.supervisor.resume_trading(resumption.scope))
        found = await context.risk()
        return next(each for each in found["scopes"] if each["scope"] == resumption.scope)

    return router

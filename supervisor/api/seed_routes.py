"""The seed's REST routes, acting on the agent named `default`, with the seed's shapes, sentences and status codes."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from typing_extensions import TypedDict

from agents.errors import Conflict, InvalidInput, Unavailable
from agents.fleet import AgentRecord, FleetState
from agents.spec import AgentSpec, AgentState
from agents.validation import explain
from supervisor.api.agent_routes import STOP_TIMEOUT, stopped
from supervisor.api.agent_views import RUNNING, SeedConfig, SeedStatus, seed_config, seed_status
from supervisor.api.context import FleetContext
from supervisor.api.log_routes import Limit
from supervisor.api.scopes import Scope
from supervisor.api.strict_json import StrictRoute

#: The agent that the seed's routes mean.
DEFAULT = "default"

#: What `start` makes the agent of when there is none.
_STRATEGY = "momentum"

#: The states in which the agent runs or waits for its turn to; seconds that `start` waits for that turn.
_ACTIVE = RUNNING | {AgentState.PENDING}
_START_TIMEOUT = 9.0

_SETTINGS: dict[str, Any] = {
    "theme": "dark",
    "defaultRiskLevel": "MEDIUM",
    "autoTrading": False,
    "notifications": {"desktop": True, "sound": True},
    "trading": {"defaultSlippage": 0.5, "maxTradeAmount": 1.0, "stopLoss": 10, "takeProfit": 20},
    "display": {"currency": "USD", "decimals": 4, "chartType": "candlestick"},
}


class StartBody(BaseModel):
    """The seed's two settings; what is left out stays as it is."""

    model_config = ConfigDict(alias_generator=to_camel)

    max_trade_amount: float | None = Field(None, strict=True, ge=0, le=1_000_000_000, allow_inf_nan=False)
    min_confidence: float | None = Field(None, strict=True, ge=0, le=1, allow_inf_nan=False)


class Health(TypedDict):
    """The seed's health."""

    status: str
    timestamp: int
    botRunning: bool
    polymarketAgentRunning: bool


class Done(TypedDict):
    """The seed's answer to what was done."""

    success: bool
    message: str


class Started(Done):
    """The seed's answer to start."""

    config: SeedConfig


class Saved(Done):
    """The seed's answer to stored settings."""

    settings: dict[str, Any]


class Decisions(TypedDict):
    """Decisions, newest first, and how many there are in all."""

    decisions: list[dict[str, Any]]
    total: int


class Trades(TypedDict):
    """Trades, newest first, how many there are in all, and what they made."""

    trades: list[dict[str, Any]]
    total: int
    totalProfit: float


def status(context: FleetContext) -> SeedStatus:
    """Return the seed's status, from memory."""
    state = context.state
    return seed_status(state, state.agents.get(DEFAULT), now=context.clock(), defaults=context.defaults)


def health(context: FleetContext) -> Health:
    """Return the seed's health, from memory; it answers even while the log cannot be read."""
    state = context.follower.state
    running = {name for name, record in state.agents.items() if record.state in RUNNING} if state else set()
    return {
        "status": "ok",
        "timestamp": context.clock(),
        "botRunning": bool(running),
        "polymarketAgentRunning": DEFAULT in running,
    }


def defaults_from(environment: Mapping[str, str]) -> SeedConfig:
    """Read MAX_TRADE_AMOUNT and MIN_CONFIDENCE: the settings of a default agent that `start` creates.

    Raises:
        InvalidInput: if one of them is not possible.
    """
    names = {"MAX_TRADE_AMOUNT": "maxTradeAmount", "MIN_CONFIDENCE": "minConfidence"}
    given = {names[name]: environment[name] for name in names if environment.get(name)}
    try:
        spec = AgentSpec.model_validate({"id": DEFAULT, "strategy": _STRATEGY} | given)
    except ValidationError as error:
        wrong = next(name for name, field in names.items() if field == error.errors()[0]["loc"][0])
        raise InvalidInput(f"{wrong} is {environment[wrong]!r}: {explain(error).partition(': ')[2]}") from None
    return SeedConfig(maxTradeAmount=float(spec.max_trade_amount), minConfidence=spec.min_confidence)


def seed_routes(context: FleetContext) -> APIRouter:
    """Return the routes."""
    router = APIRouter(route_class=StrictRoute, tags=["seed"])
    _agent_routes(router, context)
    _settings_routes(router, context)

    @router.get("/health")
    async def get_health() -> Health:
        """Return whether the API answers and agents run."""
        return health(context)

    return router


def _agent_routes(router: APIRouter, context: FleetContext) -> None:
    @router.get("/api/polymarket-agent/status")
    async def get_status() -> SeedStatus:
        """Return what the default agent does, its counts and its settings."""
        return status(context)

    @router.post("/api/polymarket-agent/start")
    async def start(request: Request, body: Annotated[StartBody | None, Body()] = None) -> Started:
        """Start the default agent; to create it where there is none, or to change its settings, needs the scope admin."""
        record = context.state.agents.get(DEFAULT)
        if record and record.state in _ACTIVE:
            raise InvalidInput("Polymarket agent is already running")
        given = body.model_dump(by_alias=True, exclude_none=True) if body else {}
        if (given or record is None) and request.state.caller.scope < Scope.ADMIN:
            raise HTTPException(403, "To create the default agent or change its settings a token needs the scope admin")
        try:
            await context.settle(await _start(context, record, given))
        except Conflict as error:
            raise InvalidInput(str(error)) from None
        await context.until(_had_its_turn, _START_TIMEOUT)
        config = seed_config(context.agent(DEFAULT))
        return {"success": True, "message": "Polymarket trading agent started successfully", "config": config}

    @router.post("/api/polymarket-agent/stop")
    async def stop() -> Done:
        """Stop the default agent and cancel its orders; answers when it has stopped."""
        record = context.state.agents.get(DEFAULT)
        if record is None or record.state not in _ACTIVE:
            raise InvalidInput("Polymarket agent is not running")
        try:
            await context.settle(await context.supervisor.control(DEFAULT, "stop"))
        except Conflict as error:
            raise InvalidInput(str(error)) from None
        if not await context.until(lambda state: stopped(state.agents.get(DEFAULT)), STOP_TIMEOUT):
            raise Unavailable("The agent is still stopping; ask for its status in a moment")
        return {"success": True, "message": "Polymarket trading agent stopped successfully"}

    @router.get("/api/polymarket-agent/decisions")
    async def decisions(limit: Limit = 20) -> Decisions:
        """Return the default agent's latest decisions, newest first."""
        page = await context.ledger.history("decisions", DEFAULT, limit=limit)
        return {"decisions": page.items, "total": page.total}

    @router.get("/api/polymarket-agent/trades")
    async def trades(limit: Limit = 20) -> Trades:
        """Return the default agent's latest trades, newest first."""
        page = await context.ledger.history("trades", DEFAULT, limit=limit)
        return {"trades": page.items, "total": page.total, "totalProfit": status(context)["totalProfit"]}


def _settings_routes(router: APIRouter, context: FleetContext) -> None:
    @router.get("/api/settings")
    async def get_settings() -> dict[str, Any]:
        """Return the user interface's settings."""
        return await context.ledger.document("settings") or _SETTINGS

    @router.post("/api/settings")
    async def post_settings(settings: Annotated[dict[str, Any], Body()]) -> Saved:
        """Store the user interface's settings: any JSON object."""
        stored = settings | {"updatedAt": context.clock()}
        await context.ledger.put_document("settings", stored)
        return {"success": True, "message": "Settings saved successfully", "settings": stored}


async def _start(context: FleetContext, record: AgentRecord | None, given: dict[str, float]) -> int:
    if record is None:
        return await context.supervisor.create({"id": DEFAULT, "strategy": _STRATEGY, **context.defaults, **given})
    if given:
        await context.supervisor.update(DEFAULT, given)
    return await context.supervisor.control(DEFAULT, "start")


def _had_its_turn(state: FleetState) -> bool:
    record = state.agents.get(DEFAULT)
    return record is None or record.state is not AgentState.PENDING

"""The routes of `/api/agents`: list, create, change, control, and each agent's history."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from actors import naming
from agents.errors import InvalidInput
from agents.fleet import AgentRecord, FleetState
from agents.ports import Beat
from agents.spec import AgentSpec, AgentState
from supervisor.api.agent_views import AgentStatus, agent_status
from supervisor.api.book_views import Position, positions
from supervisor.api.context import FleetContext
from supervisor.api.log_routes import Limit, LoggedEvent, Logs
from supervisor.api.strict_json import StrictRoute

AgentId = Annotated[str, Path(max_length=100, description="The agent's id.")]
Before = Annotated[int | None, Query(ge=0, le=2**53, description="Only what is older than this seq.")]
Next = Annotated[int | None, Field(description="The seq to ask `before` for the next page; null at the end.")]

#: Seconds within which a stop answers.
STOP_TIMEOUT = 9.0


class AgentList(TypedDict):
    """Every agent."""

    agents: list[AgentStatus]
    total: int


class Deleted(TypedDict):
    """An agent is gone; what its book held went to the wallet's unallocated one."""

    success: bool
    id: str


class _Page(TypedDict):
    total: int
    next: Next


class Decisions(_Page):
    """Decisions, newest first."""

    decisions: list[dict[str, Any]]


class Trades(_Page):
    """Trades, newest first."""

    trades: list[dict[str, Any]]


class Orders(_Page):
    """Orders in their latest state, newest first."""

    orders: list[dict[str, Any]]


class Forecasts(_Page):
    """Forecasts, newest first; `payout` is what a share of its outcome has paid, null until its market has resolved."""

    forecasts: list[dict[str, Any]]


class AgentEvents(_Page):
    """All that was logged of an agent, newest first."""

    events: list[LoggedEvent]


class Positions(_Page):
    """What an agent holds, newest first."""

    positions: list[Position]


_HISTORIES = {"decisions": Decisions, "trades": Trades, "orders": Orders, "forecasts": Forecasts, "events": AgentEvents}

#: The body of a change, whose schema is made of the spec's.
_CHANGES = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AgentChanges"}}}}

_ACTIONS = {
    "start": "Start an agent",
    "stop": "Stop an agent and cancel its resting orders; the answer comes when it has stopped, or after 9 s",
    "pause": "Pause an agent and cancel its quotes",
    "resume": "Let a paused or quarantined agent go on",
    "restart": "Stop an agent and start it again",
    "kill": "Kill an agent's process, which then fails as in any crash, to see it come back",
}


def stopped(record: AgentRecord | None) -> bool:
    """Whether an agent is at rest or gone."""
    return record is None or record.state in (AgentState.STOPPED, AgentState.QUARANTINED)


def agent_routes(context: FleetContext) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/agents", route_class=StrictRoute, tags=["agents"])
    _registry_routes(router, context)
    for action, summary in _ACTIONS.items():
        _control_route(router, context, action, summary)
    for name, answer in _HISTORIES.items():
        _history_route(router, context, name, answer)
    _log_route(router, context)

    @router.get("/{agent_id}/positions")
    async def get_positions(agent_id: AgentId, limit: Limit = 100, before: Before = None) -> Positions:
        """Return what an agent holds, newest first by when it first held the token; amounts are decimal text."""
        context.agent(agent_id)
        held = positions(context.state, await context.quotes(), agent_id)
        found = [position for position in held if before is None or position["seq"] < before]
        shown = found[:limit]
        return {"positions": shown, "total": len(held), "next": shown[-1]["seq"] if len(found) > limit else None}

    return router


async def _shown(context: FleetContext, agent_id: str) -> AgentStatus:
    beats = await context.beats.get_or({})
    return _status(context, context.agent(agent_id), beats)


def _status(context: FleetContext, record: AgentRecord, beats: Mapping[str, tuple[int, Beat]]) -> AgentStatus:
    last = beats.get(record.spec.id)
    return agent_status(context.state, record, now=context.clock(), heartbeat=last[0] if last else None)


def _registry_routes(router: APIRouter, context: FleetContext) -> None:
    @router.get("")
    async def list_agents() -> AgentList:
        """Return every agent and how it does."""
        beats = await context.beats.get_or({})
        found = [_status(context, record, beats) for record in context.state.agents.values()]
        return {"agents": found, "total": len(found)}

    @router.post("", status_code=201)
    async def create(spec: AgentSpec) -> AgentStatus:
        """Create an agent and, if it is enabled, start it; 409 if there is one of that id."""
        await context.settle(await context.supervisor.create(spec.wire()))
        return await _shown(context, spec.id)

    @router.get("/{agent_id}")
    async def get_agent(agent_id: AgentId) -> AgentStatus:
        """Return one agent and how it does."""
        return await _shown(context, agent_id)

    @router.patch("/{agent_id}", openapi_extra={"requestBody": _CHANGES})
    async def update(agent_id: AgentId, changes: Annotated[dict[str, Any], Body()]) -> AgentStatus:
        """Change fields of an agent's spec while it runs; `params` are replaced as a whole."""
        checked = _checked(context.agent(agent_id).spec, changes)
        await context.settle(await context.supervisor.update(agent_id, checked))
        return await _shown(context, agent_id)

    @router.delete("/{agent_id}")
    async def delete(agent_id: AgentId) -> Deleted:
        """Stop an agent, if need be, and remove it."""
        context.agent(agent_id)
        await context.settle(await context.supervisor.delete(agent_id))
        return {"success": True, "id": agent_id}


def _log_route(router: APIRouter, context: FleetContext) -> None:
    @router.get("/{agent_id}/logs")
    async def logs(agent_id: AgentId, limit: Limit = 100) -> Logs:
        """Return the newest lines that the agent has logged on the machine where it runs, oldest first.

        While it has no process that answers, they are those on the machine of the data directory.
        """
        record = context.agent(agent_id)
        found = await context.actor_log(naming.agent(agent_id), limit)
        newest = found[-1].get("life", 0) if found else 0
        note = None if newest >= record.incarnation or record.state is AgentState.STARTING else _elsewhere(record)
        return {"logs": found, "note": note}


def _elsewhere(record: AgentRecord) -> str:
    return (
        f"life {record.incarnation} of {record.spec.id} does not answer and has logged nothing on the machine of the data "
        "directory; if it ran on another machine, its log is there, in the same directory's actor_logs"
    )


def _control_route(router: APIRouter, context: FleetContext, action: str, summary: str) -> None:
    @router.post(f"/{{agent_id}}/{action}", name=action, description=f"{summary}. 409 in a state that does not allow it.")
    async def control(agent_id: AgentId) -> AgentStatus:
        context.agent(agent_id)
        supervisor = context.supervisor
        done = supervisor.kill(agent_id) if action == "kill" else supervisor.control(agent_id, action)
        await context.settle(await done)
        if action == "stop":
            await context.until(lambda state: stopped(state.agents.get(agent_id)), STOP_TIMEOUT)
        return await _shown(context, agent_id)


def _history_route(router: APIRouter, context: FleetContext, name: str, answer: type) -> None:
    @router.get(f"/{{agent_id}}/{name}", name=name, response_model=answer)
    async def history(agent_id: AgentId, limit: Limit = 100, before: Before = None) -> dict[str, Any]:
        """Return one kind of an agent's history, newest first; ask on with `before` = `next`."""
        context.agent(agent_id)
        page = await context.ledger.history(name, agent_id, limit=limit, before=before)
        items = [_with_payout(item, context.state) for item in page.items] if name == "forecasts" else page.items
        return {name: items, "total": page.total, "next": page.next}


def _with_payout(forecast: dict[str, Any], state: FleetState) -> dict[str, Any]:
    paid = state.resolutions.get(forecast.get("conditionId", ""), {})
    return forecast | {"payout": paid.get(forecast.get("tokenId", ""))}


def _checked(spec: AgentSpec, changes: dict[str, Any]) -> dict[str, Any]:
    """Return changes under the names of the wire; refuse those that make no valid spec, with the fields that are wrong."""
    if not changes:
        raise InvalidInput("The body names no field to change, such as params or maxTradeAmount")
    changes = {to_camel(name): value for name, value in changes.items()}
    try:
        AgentSpec.model_validate(spec.wire() | changes)
    except ValidationError as error:
        raise RequestValidationError([found | {"loc": ("body", *found["loc"])} for found in error.errors()]) from None
    return changes

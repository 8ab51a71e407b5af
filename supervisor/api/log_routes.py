"""The log over REST: read it from a cursor, publish into it; and what each service's process has logged."""

import functools
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query
from pydantic import Field
from typing_extensions import TypedDict

from actors import naming
from agents.errors import NotFound
from agents.events import Type
from supervisor.api.context import FleetContext
from supervisor.api.publications import Publication, event_of
from supervisor.api.strict_json import StrictRoute

Service = Annotated[str, Path(max_length=100, description="The service's name, as in /api/fleet.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]


class LoggedEvent(TypedDict):
    """One fact in the log."""

    seq: int
    id: Annotated[str, Field(description="source/incarnation/n, unique for ever.")]
    type: Type
    source: str
    agentId: str | None
    incarnation: int
    timestamp: int
    data: dict[str, Any]


class Events(TypedDict):
    """Events after a cursor, oldest first."""

    events: list[LoggedEvent]
    next: Annotated[int, Field(description="The cursor to ask `after` next; unchanged when there is nothing new.")]


class Logs(TypedDict):
    """Lines of a log, oldest first: each {timestamp, level, actor, pid, life, logger, message, exception?}."""

    logs: list[dict[str, Any]]
    note: Annotated[str | None, Field(description="What is missing, and where it may be.")]


class Published(TypedDict):
    """A publication is in the log."""

    success: bool
    id: str
    seq: int


def log_routes(context: FleetContext) -> APIRouter:
    """Return the routes."""
    router = APIRouter(route_class=StrictRoute, tags=["log"])

    @router.get("/api/events", response_model=Events)
    async def events(
        after: Annotated[int, Query(ge=0, le=2**53, description="Only what is newer than this seq.")] = 0,
        limit: Limit = 100,
        agent: Annotated[str | None, Query(max_length=100, description="Only this agent's.")] = None,
        type: Annotated[list[Type] | None, Query(description="Only these types; repeat it for several.")] = None,
    ) -> dict[str, Any]:
        """Return the log from a cursor, oldest first; ask on with `after` = `next`. It answers at once."""
        batch = await context.ledger.poll(after, limit=limit, agent=agent, types=type or None)
        return {"events": [event.json() for event in batch.events], "next": batch.next if batch.events else after}

    @router.post("/api/notifications", status_code=201)
    async def publish(publication: Annotated[Publication, Body()]) -> Published:
        """Publish one of the seed's notification types to all clients of the hub."""
        event_id, seq = await context.publish(functools.partial(event_of, publication))
        return {"success": True, "id": event_id, "seq": seq}

    @router.get("/api/services/{name}/logs")
    async def service_logs(name: Service, limit: Limit = 100) -> Logs:
        """Return the newest lines that a service has logged on the machine of the data directory, oldest first."""
        known = {naming.SUPERVISOR, *context.state.services}
        if name not in known:
            raise NotFound(f"There is no service {name!r}, but {', '.join(sorted(known))}")
        return {"logs": await context.actor_log(name, limit), "note": None}

    return router

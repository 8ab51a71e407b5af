"""What machines ask: is it ready, how does it do in figures; and where a browser goes first."""

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field
from starlette.responses import HTMLResponse, RedirectResponse, Response
from typing_extensions import TypedDict

from agents.errors import PolyfleetError
from supervisor.api.context import FleetContext
from supervisor.api.errors import JSON
from supervisor.api.metrics import exposition

#: The page that renders the OpenAPI document, and what a browser may load for it.
_DOCS = Path(__file__).with_name("docs.html")
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"
)

#: Seconds that `/ready` waits for the projections to reach the log's head.
_CATCH_UP = 1.0

#: Seconds that the figures wait for a service: it is when one hangs that they are looked at.
_PATIENCE = 1.0


class Readiness(TypedDict):
    """What is ready: wallets reconciled, the log followed to its head, enabled agents started."""

    ready: bool
    wallets: bool
    log: bool
    agents: bool
    seq: Annotated[int, Field(description="The newest event that this replica has folded.")]
    head: Annotated[int | None, Field(description="The newest event there is; null while the log cannot be asked.")]
    error: Annotated[str | None, Field(description="What could not be asked, or how books differ from the venue.")]


def probe_routes(context: FleetContext) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["probes"])

    @router.get("/", include_in_schema=False)
    async def root() -> Response:
        """Send a browser to the dashboard."""
        return RedirectResponse("/dashboard/")

    @router.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        """Show the OpenAPI document; the page asks nobody but this API."""
        return HTMLResponse(_DOCS.read_text(encoding="utf-8"), headers={"Content-Security-Policy": _POLICY})

    @router.get("/ready", response_model=Readiness, responses={503: {"model": Readiness, "description": "Not yet."}})
    async def ready() -> Response:
        """Answer 200 once wallets are reconciled, the log is followed to its head and every enabled agent was started."""
        found = await _readiness(context)
        return JSON(found, 200 if found["ready"] else 503)

    @router.get("/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE_LATEST: {}}}})
    async def metrics() -> Response:
        """Return the fleet's figures for Prometheus."""
        state, beats = context.state, await context.beats.get_or({})
        try:
            async with asyncio.timeout(_PATIENCE):
                head = await context.ledger.head()
        except (PolyfleetError, TimeoutError):
            head = None
        queues, scores = await context.queues.get(), await context.scores["agent"].get_or([])
        content = exposition(state, head, beats, queues, scores, context.requests, context.clock())
        return Response(content, media_type=CONTENT_TYPE_LATEST)

    return router


async def _readiness(context: FleetContext) -> Readiness:
    found = Readiness(ready=False, wallets=False, log=False, agents=False, seq=0, head=None, error=None)
    try:
        found["head"] = head = await context.ledger.head()
        found["log"] = await context.follower.reached(head, _CATCH_UP)
        found["seq"] = context.state.seq
        answer = await context.supervisor.ready()
    except PolyfleetError as error:
        found["error"] = str(error)
    else:
        found["wallets"], found["agents"] = answer["wallets"] and not context.state.differing, answer["agents"]
        found["error"] = "; ".join(context.state.differing.values()) or None
        found["ready"] = found["log"] and found["wallets"] and found["agents"]
    return found

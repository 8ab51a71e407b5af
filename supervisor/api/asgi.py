"""The two ASGI applications, REST and hub; they know nothing of Ray, so any ASGI server can run them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from agents.errors import PolyfleetError
from agents.ports import Ledger
from supervisor import __version__
from supervisor.api import errors, seed_routes
from supervisor.api.access import Access
from supervisor.api.agent_routes import agent_routes
from supervisor.api.context import FleetContext, wall_clock
from supervisor.api.errors import JSON, ErrorBody, refusal, refused
from supervisor.api.fleet_routes import fleet_routes
from supervisor.api.gate import Gate, Guard
from supervisor.api.hub import Hub
from supervisor.api.log_routes import log_routes
from supervisor.api.plain_socket import serve_plain
from supervisor.api.probe_routes import probe_routes
from supervisor.api.socket_io import SocketIo

_ABOUT = """Runs many Polymarket trading agents at once.

In sandbox mode the venue, its prices and its money are simulated. Trading can lose money.
"""


class Shortcuts:
    """Answer the hottest routes from memory, before the framework; everything else goes on to it."""

    def __init__(self, app: ASGIApp, answers: Mapping[str, Callable[[], Any]]) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or lifespan."""
        answer = self._answers.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if answer is None:
            await self._app(scope, receive, send)
            return
        try:
            response = JSON(answer())
        except PolyfleetError as error:
            response = refused(error)
        await response(scope, receive, send)


def rest_app(context: FleetContext, access: Access, *, address_header: str = "") -> ASGIApp:
    """Return the REST application; its lifespan follows the log. `address_header`: see `Gate`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await context.start()
        try:
            yield
        finally:
            await context.stop()

    refused_because: dict[str, Any] = {"model": ErrorBody, "description": "Refused; the body says why."}
    app = FastAPI(
        title="polyfleet",
        version=__version__,
        description=_ABOUT,
        lifespan=lifespan,
        redirect_slashes=False,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        responses={"4XX": refused_because, "5XX": refused_because, 422: refused_because},
    )
    errors.install(app)
    for routes in (seed_routes.seed_routes, agent_routes, fleet_routes, log_routes, probe_routes):
        app.include_router(routes(context))
    hot = {
        "/api/polymarket-agent/status": lambda: seed_routes.status(context),
        "/health": lambda: seed_routes.health(context),
    }
    return Guard(Gate(Shortcuts(app, hot), access, context.limits, address_header), access)


def hub_app(ledger: Ledger, access: Access, *, prefix: str = "/ws", clock: Callable[[], int] = wall_clock) -> "HubApp":
    """Return the hub's application, served at `prefix` with and without a slash; its lifespan follows the log."""
    return HubApp(Hub(ledger), access, prefix, clock)


class HubApp:
    """Tells Socket.IO clients (`EIO` in the query) from plain WebSocket clients, on one path."""

    def __init__(self, hub: Hub, access: Access, prefix: str, clock: Callable[[], int]) -> None:
        self.hub = hub
        self._access = access
        self._prefix = prefix
        self._socket_io = SocketIo(hub, access, clock)
        self._app = Guard(Router(default=self._route, lifespan=self._lifespan, redirect_slashes=False), access)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, connection or lifespan."""
        await self._app(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, app: Any) -> AsyncIterator[None]:
        self.hub.add(self._socket_io)
        self.hub.start()
        try:
            yield
        finally:
            await self.hub.stop()
            await self._socket_io.stop()

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if scope["path"].rstrip("/") != self._prefix:
            sentence = f"There is nothing at {scope['path']}; the hub is at {self._prefix}"
            if kind == "websocket":
                await errors.refuse_websocket(scope, receive, send, 404, sentence)
            else:
                await refusal(404, sentence)(scope, receive, send)
        elif b"EIO=" in scope["query_string"]:
            await self._socket_io(scope, receive, send)
        elif kind == "websocket":
            await serve_plain(self.hub, self._access, scope, receive, send)
        else:
            sentence = f"{self._prefix} speaks WebSocket and Socket.IO; connect with one of them"
            await refusal(426, sentence, headers={"Upgrade": "websocket"})(scope, receive, send)

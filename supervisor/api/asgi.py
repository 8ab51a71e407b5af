"""The two ASGI applications, REST and hub; they know nothing of Ray, so any ASGI server can run them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache, partial
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
from supervisor.api.approval_routes import approval_routes
from supervisor.api.audit import Audit
from supervisor.api.context import FleetContext, wall_clock
from supervisor.api.errors import JSON, ErrorBody, refusal, refused
from supervisor.api.fleet_routes import fleet_routes
from supervisor.api.gate import TIME_LIMIT, Gate, Guard, Heads, TimeLimit
from supervisor.api.hub import Hub
from supervisor.api.log_routes import log_routes
from supervisor.api.metrics import Measured
from supervisor.api.openapi import describe
from supervisor.api.order_routes import order_routes
from supervisor.api.places import Places
from supervisor.api.plain_socket import serve_plain
from supervisor.api.portfolio_routes import portfolio_routes
from supervisor.api.probe_routes import probe_routes
from supervisor.api.risk_routes import risk_routes
from supervisor.api.socket_io import SocketIo
from supervisor.api.telegram_routes import telegram_routes
from supervisor.api.wallet_routes import wallet_routes

_ABOUT = """Runs many Polymarket trading agents at once.

In sandbox mode the venue, its prices and its money are simulated; in paper mode orders, fills and money are.
Trading can lose money.
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
        scope["shortcut"] = scope["path"]
        try:
            response = JSON(answer())
        except PolyfleetError as error:
            response = refused(error)
        await response(scope, receive, send)


def rest_app(context: FleetContext, access: Access, *, address_header: str = "", time_limit: float = TIME_LIMIT) -> ASGIApp:
    """Return the REST application; its lifespan follows the log. `address_header`: see `Gate`; `time_limit`: seconds."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await context.start()
        try:
            yield
        finally:
            await context.stop()

    invalid: dict[str, Any] = {"model": ErrorBody, "description": "A field is wrong, or the Idempotency-Key was used before."}
    app = FastAPI(
        title="polyfleet",
        version=__version__,
        description=_ABOUT,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        responses={422: invalid},
    )
    errors.install(app)
    for routes in (
        seed_routes.seed_routes,
        telegram_routes,
        agent_routes,
        order_routes,
        approval_routes,
        fleet_routes,
        portfolio_routes,
        wallet_routes,
        risk_routes,
        log_routes,
        probe_routes,
    ):
        app.include_router(routes(context))
    document = cache(partial(describe, app, access))
    app.openapi = document  # type: ignore[method-assign]
    hot = {
        "/api/polymarket-agent/status": lambda: seed_routes.status(context),
        "/health": lambda: seed_routes.health(context),
    }
    routed = Audit(TimeLimit(Shortcuts(app, hot), time_limit), context)
    return Guard(Heads(Measured(Gate(routed, access, context.limits, address_header), context.requests)), access)


def hub_app(
    ledger: Ledger,
    access: Access,
    *,
    prefix: str = "/ws",
    clock: Callable[[], int] = wall_clock,
    places: Places = Places(),  # noqa: B008 - it is frozen
) -> "HubApp":
    """Return the hub's application, served at `prefix` with and without a slash; its lifespan follows the log."""
    return HubApp(Hub(ledger), access, prefix, clock, places)


class HubApp:
    """Tells Socket.IO clients (`EIO` in the query) from plain WebSocket clients, on one path.

    Both may say their token after the handshake, so a first poll is answered with a session that as yet hears nothing.
    """

    def __init__(self, hub: Hub, access: Access, prefix: str, clock: Callable[[], int], places: Places) -> None:
        self.hub = hub
        self._places = places
        #: The handshakes of the plain clients, by identity.
        self._plain: dict[int, Scope] = {}
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
            if b"sid=" in scope["query_string"] or await self._has_place(scope, receive, send):
                await self._socket_io(scope, receive, send)
        elif kind == "websocket":
            if await self._has_place(scope, receive, send):
                self._plain[id(scope)] = scope
                try:
                    await serve_plain(self.hub, self._access, scope, receive, send)
                finally:
                    del self._plain[id(scope)]
        else:
            sentence = f"{self._prefix} speaks WebSocket and Socket.IO; connect with one of them"
            await refusal(426, sentence, headers={"Upgrade": "websocket"})(scope, receive, send)

    async def _has_place(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether one more client may come; if not it is refused here."""
        sentence = self._places.refusal(scope, [*self._plain.values(), *self._socket_io.connected])
        if sentence is None or scope.get("method") == "OPTIONS":
            return True
        if scope["type"] == "websocket":
            await errors.refuse_websocket(scope, receive, send, 503, sentence)
        else:
            await refusal(503, sentence, headers={"Retry-After": "10"})(scope, receive, send)
        return False

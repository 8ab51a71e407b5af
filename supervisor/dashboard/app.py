"""The dashboard as an ASGI application under a prefix; it knows nothing of Ray, so any ASGI server can run it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module

from fastapi import FastAPI
from nicegui import ui
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisor.api.access import Access
from supervisor.api.context import FleetContext
from supervisor.api.gate import Guard
from supervisor.dashboard.login import Login
from supervisor.dashboard.rest import Rest
from supervisor.dashboard.watch import Watch

#: Where it is served.
PREFIX = "/dashboard"

#: Seconds that a page which has lost its connection is kept, and messages that wait for it meanwhile.
_RECONNECT = 8.0
_MESSAGES = 200

#: What a browser may load and where a page may be shown: all that a page needs comes from here. (Vue compiles its templates in
#: the browser, hence unsafe-eval.)
_POLICY = (
    b"default-src 'self' 'unsafe-inline' 'unsafe-eval'; img-src 'self' data:; font-src 'self' data:; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a page works with; it finds it in its request's scope. `guarded`: a token is set, so there is a logout."""

    watch: Watch
    context: FleetContext
    rest: Rest
    guarded: bool


def dashboard_app(watch: Watch, context: FleetContext, access: Access, *, address_header: str = "") -> ASGIApp:
    """Return the application; its lifespan follows the log. `context.follower` must hand its events to `watch.take`.

    `address_header`: see `Login`. One process has one NiceGUI, so its lifespan may run once at a time.
    """
    desk = Desk(watch, context, Rest(context), bool(access.token_digest))
    # No other web page is let in: unlike REST, a browser brings its session along by itself.
    access = replace(access, origins=frozenset())
    return Guard(Login(_Prefixed(desk), access, PREFIX, address_header), access)


class _Prefixed:
    """Hand requests below the prefix to NiceGUI, with the desk, and tell browsers what they may load."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lifespan = FastAPI(lifespan=self._living)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if scope["path"] == PREFIX and scope["type"] == "http":
            await RedirectResponse(f"{PREFIX}/", 307)(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name != b"x-forwarded-prefix"]
        inner = dict(scope) | {"root_path": PREFIX, "headers": headers, "polyfleet": self._desk}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await _nicegui()(inner, receive, sending)

    @asynccontextmanager
    async def _living(self, app: FastAPI) -> AsyncIterator[None]:
        async with _nicegui().router.lifespan_context(_nicegui()):
            await self._desk.watch.start(self._desk.context)
            try:
                yield
            finally:
                await self._desk.watch.stop()
                await self._desk.rest.close()


@cache
def _nicegui() -> FastAPI:
    """Return the application that NiceGUI is mounted into. It has one set of pages in a process, whatever they show."""
    import_module("supervisor.dashboard.pages")
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    ui.run_with(
        app,
        title="polyfleet",
        dark=None,
        language="en-US",
        tailwind=False,
        reconnect_timeout=_RECONNECT,
        message_history_length=_MESSAGES,
        binding_refresh_interval=None,
        show_welcome_message=False,
    )
    return app

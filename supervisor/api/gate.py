"""What every request passes before a route sees it: Host and Origin, CORS, token, rate limit, size."""

import asyncio
import re
import secrets
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisor.api.access import Access, Caller, bearer, header
from supervisor.api.errors import METHODS, refusal, refuse_websocket, too_many
from supervisor.api.rate_limits import RateLimits
from supervisor.api.scopes import OPEN_PATHS, SAFE, required

#: Bytes that the body of a request may have.
MAX_BODY = 1_000_000

#: Pairs of Host and Origin of which it is remembered whether they are refused.
_REMEMBERED = 256

_AGENT_PATH = re.compile(r"/api/agents/([a-z0-9][a-z0-9_-]{0,62})(?:/|$)")
_CORRELATION = re.compile(rb"[\x21-\x7e]{1,128}")

#: Seconds after which a request is given up: more than anything takes that ends well.
TIME_LIMIT = 40.0


class _Cors(CORSMiddleware):
    """CORS whose refusals are in our form."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser that asks whether it may send a request."""
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        refused = refusal(
            400, f"{bytes(response.body).decode()}; a web page may use {', '.join(METHODS)} and the usual headers"
        )
        names = (b"content-length", b"content-type")
        refused.raw_headers.extend(pair for pair in response.raw_headers if pair[0] not in names)
        return refused


class Guard:
    """Refuse foreign Hosts and Origins with 403, answer CORS for the frontend, and name each request by its X-Correlation-ID.

    The outermost layer of REST and hub: a web page elsewhere cannot drive the fleet, nor can a rebound DNS name.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._refusal = lru_cache(_REMEMBERED)(access.refusal)
        self._cors = _Cors(
            app,
            allow_origins=sorted(access.origins),
            allow_methods=METHODS,
            allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "X-Correlation-ID"),
            allow_credentials=True,
            expose_headers=(
                "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After",
                "X-Correlation-ID", "Idempotent-Replayed",
            ),
        )  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, handshake or lifespan."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        host = origin = correlation = None
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1")
            elif name == b"origin":
                origin = value.decode("latin-1")
            elif name == b"x-correlation-id" and _CORRELATION.fullmatch(value):
                correlation = value.decode("ascii")
        sentence = self._refusal(host, origin)
        if scope["type"] == "websocket":
            if sentence:
                await refuse_websocket(scope, receive, send, 403, sentence)
            else:
                await self._app(scope, receive, send)
            return
        if correlation is None:
            correlation = secrets.token_hex(16)
        scope["state"] = {**scope.get("state", {}), "correlation_id": correlation}
        send = _adding(send, [(b"x-correlation-id", correlation.encode())])
        if sentence:
            await refusal(403, sentence)(scope, receive, send)
        elif origin is None:
            await self._app(scope, receive, send)
        else:
            await self._cors(scope, receive, send)


class Heads:
    """Answer HEAD wherever GET is answered: with its status and headers, and no body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or lifespan."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def bodiless(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, bodiless)


class TimeLimit:
    """Give a request up after so many seconds, and say so with 504."""

    def __init__(self, app: ASGIApp, seconds: float = TIME_LIMIT) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._app(scope, receive, sending)
        except TimeoutError:
            if started or not limit.expired():
                raise
            sentence = f"{scope['method']} {scope['path']} was given up after {self._seconds:g} s"
            doubt = "" if scope["method"] in SAFE else "; see whether it was done before you ask again"
            await refusal(504, sentence + doubt)(scope, receive, send)


class Gate:
    """Ask for the token before anything is looked at, count against the rate limits, and bound the body.

    Who it is, is left in the scope's state as `caller`.

    `address_header` names the header in which a trusted proxy puts the client's address, "" if there is no proxy.
    """

    def __init__(self, app: ASGIApp, access: Access, limits: RateLimits, address_header: str = "") -> None:
        self._app = app
        self._access = access
        self._limits = limits
        self._address_header = address_header.strip().lower().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, path, headers = scope["method"], scope["path"], scope["headers"]
        caller = self._access.caller(bearer(header(headers, b"authorization")))
        needed = required(method, path)
        if needed is not None and caller is None:
            sentence = "This fleet needs a token; send it as Authorization: Bearer <token>"
            await refusal(401, sentence, headers={"WWW-Authenticate": "Bearer"})(scope, receive, send)
            return
        if needed is not None and caller is not None and caller.scope < needed:
            sentence = f"The token {caller.name!r} has the scope {caller.scope}; {method} {path} needs {needed}"
            challenge = f'Bearer error="insufficient_scope", scope="{needed}"'
            await refusal(403, sentence, headers={"WWW-Authenticate": challenge})(scope, receive, send)
            return
        scope["state"] = {**scope.get("state", {}), "caller": caller}
        counted = bucket(method, path)
        if counted:
            kind, key = counted
            verdict = await self._limits.take(kind, f"{self._client(headers, caller)}/{key}")
            if verdict:
                if not verdict.allowed:
                    await too_many(kind, verdict)(scope, receive, send)
                    return
                send = _adding(send, verdict.headers())
        await self._app(scope, receive if method in SAFE else _bounded(receive), send)

    def _client(self, headers: list[tuple[bytes, bytes]], caller: Caller | None) -> str:
        """Return whose limits a request counts against: the token's, an address's, or the one bucket of all."""
        if caller and self._access.guarded:
            return f"token:{caller.name}"
        address = header(headers, self._address_header) if self._address_header else None
        return address.rpartition(",")[2].strip()[:64] if address else "all"


def bucket(method: str, path: str) -> tuple[str, str] | None:
    """Return the kind of limit that a request counts against, and whose; None for what is never limited.

    An agent can be created once, so creating counts as a read; what is done to it then is counted for it alone.
    """
    if path in OPEN_PATHS:
        return ("health", "") if path == "/health" else None
    if method in SAFE:
        return "read", ""
    if path in ("/api/agents", "/api/notifications"):
        return "read", path
    if path.startswith("/api/polymarket-agent/"):
        return "control", "default"
    agent = _AGENT_PATH.match(path)
    return "control", agent.group(1) if agent else path[:64]


def _bounded(receive: Receive) -> Receive:
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise HTTPException(413, f"The body is larger than {MAX_BODY} bytes")
        return message

    return bounded


def _adding(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *headers]
        await send(message)

    return sending

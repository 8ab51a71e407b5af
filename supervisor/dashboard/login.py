"""Who may see the dashboard: with a token set, a login page and a signed cookie; both are nothing to a page elsewhere."""

import hashlib
import html
import secrets
import time
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

import limits
from itsdangerous import BadSignature, TimestampSigner
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Request

from supervisor.api.access import Access, header
from supervisor.api.errors import refusal, refuse_websocket
from supervisor.api.scopes import Scope

COOKIE = "polyfleet_session"

#: Seconds for which a login counts.
LIFETIME = 12 * 3600

#: Wrong tokens that one address, or everyone behind the proxy, may try.
ATTEMPTS = limits.parse("10/minute")

#: Bytes of a login form, and sessions that were logged out and are remembered.
_MAX_FORM = 4096
_REMEMBERED = 10_000


class Sessions:
    """Signed sessions. The key is made from the tokens' digests: other tokens end them all, and nothing is stored."""

    def __init__(self, *digests: str) -> None:
        self._signer = TimestampSigner(hashlib.sha256(f"dashboard session {' '.join(digests)}".encode()).digest())
        self._ended: OrderedDict[str, None] = OrderedDict()

    def begin(self) -> str:
        """Return a cookie's value for a new session."""
        return self._signer.sign(secrets.token_urlsafe(18)).decode()

    def lives(self, value: str | None) -> bool:
        """Whether this is a session that we began, not too long ago, and that was not ended."""
        if not value:
            return False
        try:
            session = self._signer.unsign(value, max_age=LIFETIME).decode()
        except BadSignature:
            return False
        return session not in self._ended

    def end(self, value: str | None) -> None:
        """Let a session count no more."""
        if value and self.lives(value):
            self._ended[self._signer.unsign(value).decode()] = None
            while len(self._ended) > _REMEMBERED:
                self._ended.popitem(last=False)


class Login:
    """Let through who has a session; the rest get the login page, or a refusal where no browser asks."""

    def __init__(self, app: ASGIApp, access: Access, prefix: str, address_header: str = "") -> None:
        """Guard an application at `prefix`. `address_header` is the one in which a trusted proxy puts the client's address."""
        self._app = app
        self._access = access
        self._prefix = prefix
        self._address_header = address_header.strip().lower().encode()
        self._sessions = Sessions(access.token_digest, *(known for _, known in access.tokens))
        self._attempts = FixedWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        """Handle one request, connection or lifespan."""
        if scope["type"] == "lifespan" or not self._access.guarded:
            await self._app(scope, receive, send)
            return
        session = _cookie(scope)
        path = scope["path"]
        if scope["type"] == "websocket":
            if not self._sessions.lives(session):
                await refuse_websocket(scope, receive, send, 401, "Log in to the dashboard first")
                return
            await self._app(scope, self._while_it_lives(receive, session), send)
        elif path == f"{self._prefix}/login":
            await (await self._login(scope, receive))(scope, receive, send)
        elif path == f"{self._prefix}/logout" and scope["method"] == "POST":
            self._sessions.end(session)
            response = RedirectResponse(f"{self._prefix}/login", 303)
            response.delete_cookie(COOKIE, path=self._prefix, httponly=True, samesite="strict")
            await response(scope, receive, send)
        elif self._sessions.lives(session):
            await self._app(scope, receive, send)
        elif scope["method"] == "GET" and "text/html" in (header(scope["headers"], b"accept") or ""):
            await RedirectResponse(f"{self._prefix}/login", 303)(scope, receive, send)
        else:
            await refusal(401, "Log in to the dashboard first")(scope, receive, send)

    async def _login(self, scope: Request, receive: Receive) -> Response:
        if scope["method"] != "POST":
            return _page(self._prefix)
        address = self._address(scope)
        if not self._attempts.test(ATTEMPTS, address):
            wait = max(1, round(self._attempts.get_window_stats(ATTEMPTS, address).reset_time - time.time()))
            return _page(self._prefix, f"Too many wrong tokens; try again in {wait} s.", 429, {"Retry-After": str(wait)})
        caller = self._access.caller(await _token(receive))
        if caller is None:
            self._attempts.hit(ATTEMPTS, address)
            return _page(self._prefix, "That is not the token. It is the value of POLYFLEET_API_TOKEN.", 401)
        if caller.scope < Scope.ADMIN:
            sentence = f"The token {caller.name!r} has the scope {caller.scope}; a page may do everything, so it needs admin."
            return _page(self._prefix, sentence, 403)
        response = RedirectResponse(f"{self._prefix}/", 303)
        # The browser knows whether there is TLS, also where a proxy ends it.
        secure = scope["scheme"] == "https" or (header(scope["headers"], b"origin") or "").startswith("https://")
        response.set_cookie(
            COOKIE, self._sessions.begin(), LIFETIME, path=self._prefix, httponly=True, samesite="strict", secure=secure
        )
        return response

    def _address(self, scope: Request) -> str:
        address = header(scope["headers"], self._address_header) if self._address_header else None
        return address.rpartition(",")[2].strip()[:64] if address else "all"

    def _while_it_lives(self, receive: Receive, session: str | None) -> Receive:
        """Close a connection that outlives its session."""

        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and not self._sessions.lives(session):
                return {"type": "websocket.disconnect", "code": 1008}
            return message

        return receiving


def _cookie(scope: Request) -> str | None:
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(header(scope["headers"], b"cookie") or "")
    except CookieError:
        return None
    return cookies[COOKIE].value if COOKIE in cookies else None


async def _token(receive: Receive) -> str:
    body = b""
    while len(body) <= _MAX_FORM:
        message: Any = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return parse_qs(body[:_MAX_FORM].decode("latin-1"), encoding="utf-8").get("token", [""])[0]


def _page(prefix: str, trouble: str = "", status: int = 200, headers: dict[str, str] | None = None) -> Response:
    said = f'<p id="trouble" role="alert">{html.escape(trouble)}</p>' if trouble else ""
    wrong = ' aria-invalid="true" aria-describedby="trouble"' if trouble else ""
    content = _LOGIN.replace("{prefix}", html.escape(prefix)).replace("{said}", said).replace("{wrong}", wrong)
    return HTMLResponse(content, status, {"Cache-Control": "no-store"} | (headers or {}))


_LOGIN = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in · polyfleet</title><link rel="icon" href="data:,"><style>
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; display: grid; place-items: center; min-height: 100vh; margin: 0;
  background: light-dark(#f5f6f8, #0d1117); color: light-dark(#16202c, #e3e9f0); }
form { background: light-dark(#fff, #151b23); border: 1px solid light-dark(#dfe3e9, #2a323d); border-radius: 10px;
  padding: 28px; width: min(340px, calc(100vw - 32px)); box-sizing: border-box; display: grid; gap: 12px; }
h1 { font-size: 20px; margin: 0; } p { margin: 0; } #trouble { color: light-dark(#b3261e, #ff7b72); }
input, button { font: inherit; padding: 8px 10px; border-radius: 6px; border: 1px solid light-dark(#c6cdd6, #3a4552); }
button { background: #0b62c4; color: #fff; border: 0; font-weight: 600; cursor: pointer; }
</style></head><body><main><form method="post" action="{prefix}/login">
<h1>polyfleet</h1><label for="token">API token of this fleet</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus{wrong}>
{said}<button>Log in</button></form></main></body></html>
"""

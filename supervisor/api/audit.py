"""Each request that changes something: it ends even if its client goes away, is told in the log, and is done once for a key.

A request is one `audit` event, written after it was answered and before its client hears of that. It is written here and
not where the change is made: so no route can forget it, and an answer that a client has seen is one that the log has.
"""

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.audit import Answer, audit_data, with_answer
from agents.errors import PolyfleetError, Unavailable
from agents.events import Type
from supervisor.api.access import ANYONE, Caller, header
from supervisor.api.context import FleetContext
from supervisor.api.errors import JSON, refusal, refused
from supervisor.api.scopes import SAFE

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Seconds that the log and the supervisor may take to answer, and after which a claim of a key ends by itself.
_PATIENCE = 5.0
_CLAIM = 60.0

#: Seconds that the log may take to be told of a failure.
_BRIEFLY = 1.0

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_AGENT = re.compile(r"/api/agents/([a-z0-9][a-z0-9_-]{0,62})(?:/|$)")

#: Characters of a path that are kept.
_PATH = 200


@dataclass(slots=True)
class _Answered:
    """What a route has answered, held back until the log has it."""

    status: int = 500
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message.get("headers", ())
        else:
            self.body += message.get("body", b"")

    async def send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": self.body})


class Audit:
    """Runs requests that change something, one at a time for each idempotency key, and logs who made them."""

    def __init__(self, app: ASGIApp, context: FleetContext) -> None:
        self._app = app
        self._context = context
        self._tasks: set[asyncio.Task[_Answered]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or lifespan."""
        if scope["type"] != "http" or scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return
        try:
            body = await Request(scope, receive).body()
        except HTTPException as error:
            await refusal(error.status_code, error.detail)(scope, receive, send)
            return
        except ClientDisconnect:
            return
        # On its own: a server may cancel the request of a client that has gone, and half a change would not be told.
        task = asyncio.create_task(self._handle(scope, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await (await asyncio.shield(task)).send(send)

    async def _handle(self, scope: Scope, body: bytes) -> _Answered:
        key = header(scope["headers"], b"idempotency-key") if scope["method"] == "POST" else None
        try:
            if key is None:
                return await self._told(scope, await self._answered(scope, body))
            if not _KEY.fullmatch(key):
                return _made(refusal(400, "Idempotency-Key: expected 1 to 255 printable ASCII characters without spaces"))
            return await self._once(scope, body, key)
        except PolyfleetError as error:
            return _made(refused(error))

    async def _once(self, scope: Scope, body: bytes, key: str) -> _Answered:
        """Do what was asked for, or give the answer that it had the first time."""
        name = _digest(_caller(scope).name, key)
        fingerprint = _fingerprint(scope, body, key)
        if known := self._context.state.answers.find(name, self._context.clock()):
            return _again(known, fingerprint)
        holder = secrets.token_hex(8)
        if not await _soon(self._context.supervisor.claim(name, holder, _CLAIM), "the supervisor"):
            sentence = "A request with this Idempotency-Key is under way; ask again in a moment"
            return _made(refusal(409, sentence, headers={"Retry-After": "1"}))
        try:
            # Whoever had the claim before has logged its answer; this replica may not have seen it yet.
            head = await _soon(self._context.ledger.head(), "the log")
            if not await self._context.follower.reached(head, _PATIENCE):
                raise Unavailable("This replica is behind the log; ask again in a moment")
            if known := self._context.state.answers.find(name, self._context.clock()):
                return _again(known, fingerprint)
            return await self._told(scope, await self._answered(scope, body), key=name, fingerprint=fingerprint)
        finally:
            await self._release(name, holder)

    async def _release(self, name: str, holder: str) -> None:
        try:
            await _soon(self._context.supervisor.release(name, holder), "the supervisor")
        except Unavailable as error:
            log.warning("a claim ends by itself after %g s: %s", _CLAIM, error)

    async def _answered(self, scope: Scope, body: bytes) -> _Answered:
        """Let the route do it, and hold its answer back."""
        answer = _Answered()
        try:
            await self._app(scope, _of(body), answer.take)
        except Exception:
            # The framework has answered 500 and raised what it was for the server to log, which here is us.
            log.exception("%s %s failed", scope["method"], scope["path"])
        return answer

    async def _told(self, scope: Scope, answer: _Answered, **idempotent: str) -> _Answered:
        """Log a request; one that was refused changed nothing, and is logged only for the sake of its key.

        A failure may have changed something. It is told if it can be: the log may be why it failed.
        """
        failed = answer.status >= 500
        if not failed and answer.status >= 400 and not idempotent:
            return answer
        data = audit_data(
            by=_caller(scope).name,
            method=scope["method"],
            path=scope["path"][:_PATH],
            status=answer.status,
            correlation_id=scope.get("state", {}).get("correlation_id"),
        )
        if idempotent and not failed:
            data = with_answer(data, body=answer.body.decode(), **idempotent)
        agent = _AGENT.match(scope["path"])
        try:
            told = self._context.log(Type.AUDIT, data, agent.group(1) if agent else None)
            await _soon(told, "the log", _BRIEFLY if failed else _PATIENCE)
        except Unavailable as error:
            log.error("the log does not take who asked for what: %s: %s", data, error)
            if not failed:
                sentence = f"It was answered with {answer.status}, but the log does not take that it was asked for: {error}"
                return _made(refused(Unavailable(sentence)))
        return answer


def _caller(scope: Scope) -> Caller:
    caller: Caller | None = scope.get("state", {}).get("caller")
    return caller or ANYONE


def _digest(name: str, key: str) -> str:
    """Return what stands for a caller's key in the log: the key itself is not for others to use."""
    return hashlib.sha256(f"{name}\0{key}".encode()).hexdigest()[:32]


def _fingerprint(scope: Scope, body: bytes, key: str) -> str:
    """Return what is equal for equal requests, and tells nothing of a body to who does not have the key."""
    head = f"{scope['method']}\0{scope['path']}\0".encode() + scope.get("query_string", b"") + b"\0"
    return hmac.new(key.encode(), head + body, hashlib.sha256).hexdigest()[:32]


def _again(known: Answer, fingerprint: str) -> _Answered:
    replayed = (b"idempotent-replayed", b"true")
    if known.fingerprint != fingerprint:
        return _made(refusal(422, "This Idempotency-Key was used with another request; take a new key for a new request"))
    if known.body is None:
        sentence = f"It was done before and answered with {known.status}; that answer was too long to be kept"
        return _made(refusal(409, sentence))
    return _Answered(known.status, [(b"content-type", JSON.media_type.encode()), replayed], known.body.encode())


def _made(response: JSON) -> _Answered:
    return _Answered(response.status_code, response.raw_headers, bytes(response.body))


def _of(body: bytes) -> Receive:
    """Return a stream that gives a body that was read before; its client stays, whatever the real one does."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    return receive


async def _soon(asked: Awaitable[T], whom: str, seconds: float = _PATIENCE) -> T:
    """Wait for an answer, but not as long as a service may take; raises Unavailable."""
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except TimeoutError:
        raise Unavailable(f"{whom} did not answer within {seconds:g} s") from None

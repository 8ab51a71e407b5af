"""The thin shell between the framework and the handlers: reads the request, counts it, commits, writes the answer."""

import asyncio
import contextlib
import inspect
from collections import Counter

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from actors.sandbox.api.durability import Commits
from actors.sandbox.api.messages import Answer, Call, Family, Operation, dumps
from actors.sandbox.exchange import Exchange
from actors.sandbox.records import Refused

#: Seconds for which a request hangs whose answer never comes.
_HANGS = 60.0


class Endpoint:
    """One operation as an ASGI application."""

    def __init__(
        self, family: Family, operation: Operation, commits: Commits, requests: Counter[str], exchange: Exchange
    ) -> None:
        self._exchange = exchange
        self._family = family
        self._operation = operation
        self._template = family.prefix + operation.path
        self._commits = commits
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        request = Request(scope, receive)
        self._requests[self._template] += 1
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        call = Call(
            method=request.method,
            path=scope["path"].removeprefix(self._family.prefix),
            query=request.query_params,
            headers=request.headers,
            body=body,
            params=request.path_params,
        )
        trouble = self._exchange.faults.trouble(call.method, call.path, body) if self._family.faulty else None
        answer = await self._answer(call) if trouble is None or trouble.handled else None
        await self._commits.done()
        if trouble is not None:
            if trouble.silent:
                await _hang(receive)
            answer = Answer(trouble.content, trouble.status, trouble.headers)
        assert answer is not None
        content = answer.content if isinstance(answer.content, bytes) else dumps(answer.content).encode()
        media_type = None if "Content-Type" in answer.headers else "application/json"
        response = Response(content, answer.status, dict(answer.headers), media_type=media_type)
        await response(scope, receive, send)

    async def _answer(self, call: Call) -> Answer:
        try:
            content = self._operation.handle(call)
            if inspect.isawaitable(content):
                content = await content
        except Refused as refused:
            return self._family.refuse(refused)
        return content if isinstance(content, Answer) else Answer(content)


async def _hang(receive: Receive) -> None:
    """Wait until the client goes away, or a minute."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_HANGS):
            while (await receive())["type"] != "http.disconnect":
                pass


def routes(family: Family, commits: Commits, requests: Counter[str], exchange: Exchange) -> list[BaseRoute]:
    """Return the routes of an API. An operation on its root answers without a slash too."""
    below, bare = [], []
    for operation in family.operations:
        endpoint = Endpoint(family, operation, commits, requests, exchange)
        below.append(Route(operation.path, endpoint, methods=[operation.method]))
        if operation.path == "/":
            bare.append(Route(family.prefix, endpoint, methods=[operation.method]))
    return [*bare, Mount(family.prefix, routes=below)]

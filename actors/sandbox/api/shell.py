"""The thin shell between the framework and the handlers: reads the request, counts it, commits, writes the answer."""

import inspect
from collections import Counter

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from actors.sandbox.api.durability import Commits
from actors.sandbox.api.messages import Answer, Call, Family, Operation, dumps
from actors.sandbox.records import Refused


class Endpoint:
    """One operation as an ASGI application."""

    def __init__(self, family: Family, operation: Operation, commits: Commits, requests: Counter[str]) -> None:
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
        answer = await self._answer(
            Call(
                method=request.method,
                path=scope["path"].removeprefix(self._family.prefix),
                query=request.query_params,
                headers=request.headers,
                body=body,
                params=request.path_params,
            )
        )
        await self._commits.done()
        content = answer.content if isinstance(answer.content, bytes) else dumps(answer.content).encode()
        response = Response(content, answer.status, dict(answer.headers), media_type="application/json")
        await response(scope, receive, send)

    async def _answer(self, call: Call) -> Answer:
        try:
            content = self._operation.handle(call)
            if inspect.isawaitable(content):
                content = await content
        except Refused as refused:
            return self._family.refuse(refused)
        return content if isinstance(content, Answer) else Answer(content)


def routes(family: Family, commits: Commits, requests: Counter[str]) -> list[BaseRoute]:
    """Return the routes of an API. An operation on its root answers without a slash too."""
    below, bare = [], []
    for operation in family.operations:
        endpoint = Endpoint(family, operation, commits, requests)
        below.append(Route(operation.path, endpoint, methods=[operation.method]))
        if operation.path == "/":
            bare.append(Route(family.prefix, endpoint, methods=[operation.method]))
    return [*bare, Mount(family.prefix, routes=below)]

"""Request bodies read strictly: what JSON cannot hold (NaN, half a surrogate pair) never gets into the log."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response


def parse(body: bytes) -> Any:
    """Read a JSON document.

    Raises:
        ValueError: if it is none, or holds NaN, an infinity or text that cannot be written as UTF-8.
    """
    try:
        content = json.loads(body, parse_constant=_refuse)
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return content


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


class _StrictRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_strict"):
            try:
                self._strict = parse(await self.body())
            except ValueError as error:
                raise HTTPException(400, f"The body is not valid JSON: {error}") from None
        return self._strict


class StrictRoute(APIRoute):
    """A route that reads its body with `parse`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, given a strict request."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict

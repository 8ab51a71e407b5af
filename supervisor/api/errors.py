"""How the API says no: `{"error": "<one sentence>"}` with its status, and "details" where a field was wrong."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from agents.errors import Conflict, InvalidInput, NotFound, PolyfleetError, StaleIncarnation, Unavailable
from supervisor.api.rate_limits import Verdict

_STATUS: dict[type[PolyfleetError], int] = {
    InvalidInput: 400,
    NotFound: 404,
    Conflict: 409,
    StaleIncarnation: 409,
    Unavailable: 503,
}

#: The seed's bodies of a 429.
_TOO_MANY: dict[str, dict[str, str]] = {
    "read": {"error": "Too many requests", "message": "Rate limit exceeded"},
    "control": {"error": "Too many bot control requests", "message": "Please wait before trying again"},
    "health": {"error": "Too many health check requests"},
}


#: The methods that the API's routes use.
METHODS = ("GET", "POST", "PATCH", "DELETE")

#: Made once: to make it costs more than to use it.
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Detail(BaseModel):
    """One wrong field."""

    field: str = Field(description="Where it is, such as params.size; empty: the body itself.")
    message: str
    type: str = Field(description="What kind of mistake, as pydantic names it.")


class ErrorBody(BaseModel):
    """What every refusal looks like."""

    error: str = Field(description="One sentence that says what is wrong and what to do.")
    details: list[Detail] | None = Field(None, description="The wrong fields, where a request was not valid.")


class JSON(Response):
    """A JSON response without escapes of letters and without spaces."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode; a NaN is an error of ours, never an answer."""
        return _encoder.encode(content).encode(errors="replace")


def refusal(
    status: int,
    sentence: str,
    details: Sequence[Mapping[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSON:
    """Return the response that says no."""
    body: dict[str, Any] = {"error": sentence}
    if details is not None:
        body["details"] = list(details)
    return JSON(body, status, headers)


def refused(error: PolyfleetError) -> JSON:
    """Return the response that one of our errors is told with."""
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    details = (error.details or None) if isinstance(error, InvalidInput) else None
    return refusal(status, str(error), details, {"Retry-After": "1"} if status == 503 else None)


def too_many(kind: str, verdict: Verdict) -> JSON:
    """Return the seed's 429 for a kind of limit."""
    response = JSON(_TOO_MANY[kind], 429)
    response.raw_headers.extend(verdict.headers())
    return response


def explain(errors: Sequence[Mapping[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Turn pydantic's findings into one sentence about the first, and the list of all."""
    details = [
        {"field": _field(error["loc"]), "message": error["msg"].removeprefix("Value error, "), "type": error["type"]}
        for error in errors
    ]
    first = details[0]
    if first["type"] == "json_invalid":
        return "The body is not valid JSON", details
    if first["type"].startswith("union_tag"):
        return f"type: {first['message']}", details
    if not first["field"]:
        return "The body must be a JSON object, sent with Content-Type: application/json", details
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{first['field']}: {first['message']}{more}", details


async def refuse_websocket(scope: Scope, receive: Receive, send: Send, status: int, sentence: str) -> None:
    """Answer a WebSocket handshake with a status and a sentence instead of accepting it."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": sentence[:120]})
        return
    response = refusal(status, sentence)
    await send({"type": "websocket.http.response.start", "status": status, "headers": response.raw_headers})
    await send({"type": "websocket.http.response.body", "body": response.body})


def install(app: FastAPI) -> None:
    """Make an application answer every error in our form."""
    app.add_exception_handler(PolyfleetError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, PolyfleetError)
    return refused(error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    sentence, details = explain(error.errors())
    return refusal(422, sentence, details)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence, headers = str(error.detail), error.headers
    if error.status_code == 404:
        sentence = f"There is nothing at {request.url.path}; /docs lists what there is"
    elif error.status_code == 405:
        taken = [method for method in METHODS if _takes(request, method)]
        allowed = ", ".join(["GET", "HEAD", *taken[1:]] if "GET" in taken else taken)
        sentence, headers = f"{request.url.path} does not take {request.method}; it takes {allowed}", {"Allow": allowed}
    return refusal(error.status_code, sentence, headers=headers)


def _takes(request: Request, method: str) -> bool:
    asked = {**request.scope, "method": method}
    return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)


async def _unexpected(request: Request, error: Exception) -> Response:
    return refusal(500, f"The request failed here ({type(error).__name__}); the fleet's log says more")


def _field(place: Sequence[Any]) -> str:
    """Return where an error is, as a client would write it: "params.size", "limit"."""
    parts = [str(part) for part in place]
    return ".".join(parts[1:] if parts and parts[0] in ("body", "query", "path", "header") else parts)

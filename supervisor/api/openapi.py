"""The OpenAPI document: what the framework knows of the routes, and what every request passes before it reaches one."""

from typing import Any

from fastapi import FastAPI

from agents.strategies import registry as strategies
from supervisor.api.access import Access
from supervisor.api.scopes import OPEN_PATHS, SAFE, required

_ANY = ("GET", "POST", "PATCH", "DELETE")
_UNSAFE = tuple(method for method in _ANY if method not in SAFE)

#: Why a request may be refused, with the methods that it concerns.
_REFUSALS: dict[int, tuple[str, tuple[str, ...]]] = {
    400: ("It is not possible as it was asked for, or the body is not JSON.", _ANY),
    401: ("A token is needed.", _ANY),
    403: ("The token's scope, the Host or the Origin does not allow it.", _ANY),
    404: ("What the path or the body names does not exist.", _ANY),
    409: ("The present state does not allow it, or a request with the same Idempotency-Key is under way.", _UNSAFE),
    413: ("The body is too large.", _UNSAFE),
    422: ("A field is wrong, or the Idempotency-Key was used with another request.", _ANY),
    429: ("Too many requests.", _ANY),
    500: ("The request failed here.", _ANY),
    503: ("A part of the fleet does not answer now; ask again in a moment.", _ANY),
    504: ("It was given up after the time limit.", _ANY),
}

#: Paths that no rate limit holds back.
_UNLIMITED = OPEN_PATHS - {"/health"}

_HEADERS = {
    "X-Correlation-ID": ("The request's own, or one that was made for it; it is in the audit event.", "string"),
    "RateLimit-Policy": ("The limit and its window in seconds, such as 600;w=60.", "string"),
    "RateLimit-Limit": ("Requests in the window.", "integer"),
    "RateLimit-Remaining": ("Requests left.", "integer"),
    "RateLimit-Reset": ("Seconds to the end of the window.", "integer"),
    "Retry-After": ("Seconds after which it is worth trying again.", "integer"),
    "WWW-Authenticate": ("How to authenticate.", "string"),
    "Idempotent-Replayed": ("true where the answer is that of an earlier request with the same key.", "string"),
}

_PARAMETERS = {
    "X-Correlation-ID": {
        "name": "X-Correlation-ID",
        "in": "header",
        "required": False,
        "description": "A name for this request, which comes back; one that is not printable ASCII is replaced.",
        "schema": {"type": "string"},
    },
    # No operation refers to it: a client made from this document would need a value of its own for each request.
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "The same key with the same POST gives the first answer again, for 24 hours, and does nothing else.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    },
}


def describe(app: FastAPI, access: Access) -> dict[str, Any]:
    """Return the OpenAPI document of an application whose routes are all there."""
    document = FastAPI.openapi(app)
    components = document["components"]
    components["headers"] = {name: {"description": about, "schema": {"type": type}} for name, (about, type) in _HEADERS.items()}
    components["parameters"] = _PARAMETERS
    components["schemas"]["AgentSpec-Input"]["properties"]["strategy"]["enum"] = list(strategies.names())
    components["schemas"]["AgentChanges"] = _changes(components["schemas"]["AgentSpec-Input"])
    if access.guarded:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, method.upper(), path, access)
    return document


def _complete(operation: dict[str, Any], method: str, path: str, access: Access) -> None:
    scope = required(method, path)
    responses = operation["responses"]
    for status, (about, methods) in _REFUSALS.items():
        if method in methods and not (status in (401, 429) and path in _UNLIMITED):
            shape = {"schema": {"$ref": "#/components/schemas/ErrorBody"}}
            responses.setdefault(str(status), {"description": about, "content": {"application/json": shape}})
    for status, response in responses.items():
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in _headers(status, method, path)}
    if scope is not None:
        operation["description"] += f"\n\nNeeds the scope `{scope}` where tokens are set."
        if access.guarded:
            operation["security"] = [{"token": []}]
    operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/X-Correlation-ID"})
    if method == "POST":
        operation["description"] += "\n\nTakes an `Idempotency-Key` header."


def _changes(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what may be changed of an agent: any of the spec's fields but those that are fixed."""
    fields = {name: field for name, field in spec["properties"].items() if name not in ("id", "wallet")}
    about = "Fields of an AgentSpec; `id` and `wallet` cannot be changed."
    shape = {"type": "object", "properties": fields, "minProperties": 1, "additionalProperties": False}
    return shape | {"title": "AgentChanges", "description": about}


def _headers(status: str, method: str, path: str) -> list[str]:
    names = ["X-Correlation-ID"]
    if path not in _UNLIMITED:
        names += [name for name in _HEADERS if name.startswith("RateLimit-")]
    if status in ("401", "403"):
        names.append("WWW-Authenticate")
    if status in ("409", "429", "503"):
        names.append("Retry-After")
    if method == "POST":
        names.append("Idempotent-Replayed")
    return names

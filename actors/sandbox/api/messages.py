"""A request and its answer as the handlers see them: plain values, no framework and no I/O."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams

from actors.sandbox.records import Refused


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` is what the client signed: the API's own path, without the prefix under which it is served."""

    method: str
    path: str
    query: QueryParams = field(default_factory=QueryParams)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    params: Mapping[str, str] = field(default_factory=dict)

    def one(self, name: str, default: str = "") -> str:
        """Return a query parameter, or the default if it is not given."""
        return self.query.get(name) or default

    def many(self, name: str) -> list[str]:
        """Return all values of a repeated query parameter."""
        return [value for value in self.query.getlist(name) if value]

    def listed(self, *names: str) -> list[str]:
        """Return the values of a comma-separated query parameter that goes by one of these names."""
        return [part for name in names for value in self.many(name) for part in value.split(",") if part]

    def json(self, refusal: str = "Invalid payload") -> Any:
        """Return the body's JSON. Raises Refused (400) with the API's own words if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Refused(refusal) from None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is more than 200 with a JSON body. `content` is JSON, or bytes that are sent as they are."""

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


#: Answers a request; any value that is not an `Answer` is the JSON body of a 200. It may raise Refused, and may be async.
Handler = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of an API: method, path template, handler."""

    method: str
    path: str
    handle: Handler


@dataclass(frozen=True, slots=True)
class Family:
    """One API of the venue: the prefix under which it is served, its operations, and how it words a refusal.

    `faulty`: injected faults may strike its requests.
    """

    prefix: str
    operations: tuple[Operation, ...]
    refuse: Callable[[Refused], Answer]
    faulty: bool = False


def dumps(content: Any) -> str:
    """Write compact JSON."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)

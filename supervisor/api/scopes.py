"""What a token may do: one table from method and path to the scope that a request needs."""

import re
from enum import IntEnum

#: Paths that answer without a token even when one is set.
OPEN_PATHS = frozenset({"/", "/health", "/ready", "/metrics", "/docs", "/openapi.json"})

#: Methods that change nothing.
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Scope(IntEnum):
    """What a token may do; each scope may do what those before it may."""

    READ = 1
    CONTROL = 2
    ADMIN = 3

    def __str__(self) -> str:
        return self.name.lower()


#: What may be done without being able to change what the fleet consists of; all other changes need `admin`.
_CONTROL = (
    ("POST", re.compile(r"/api/agents/[^/]+/(start|stop|pause|resume|restart|kill)")),
    ("POST", re.compile(r"/api/polymarket-agent/(start|stop)")),
    ("POST", re.compile(r"/api/fleet/kill-switch")),
    ("DELETE", re.compile(r"/api/fleet/kill-switch")),
    ("POST", re.compile(r"/api/notifications")),
    ("POST", re.compile(r"/api/telegram/send")),
)


def required(method: str, path: str) -> Scope | None:
    """Return the scope that a request needs; None for an open path. What the table does not know needs the most."""
    if path in OPEN_PATHS:
        return None
    if method in SAFE:
        return Scope.READ
    controls = any(method == verb and pattern.fullmatch(path) for verb, pattern in _CONTROL)
    return Scope.CONTROL if controls else Scope.ADMIN

"""A record of what the venue is sent, and the troubles that it answers with first."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from actors.sandbox.faults import Faults, Trouble
from tests.contract.sandbox.served import Served


class Wire(Faults):
    """Keeps every request that places orders; the first ones get these troubles, one each (None: none)."""

    def __init__(self, *troubles: Trouble | None) -> None:
        self._troubles = list(troubles)
        self.requests: list[tuple[str, bytes]] = []

    def trouble(self, method: str, path: str, body: bytes) -> Trouble | None:
        """Return the next trouble for a new order."""
        if method != "POST" or path not in ("/order", "/orders"):
            return None
        self.requests.append((path, body))
        return self._troubles.pop(0) if self._troubles else None

    @property
    def bodies(self) -> list[Any]:
        """What was sent, read."""
        return [json.loads(body) for _, body in self.requests]


@contextmanager
def wire(served: Served, *troubles: Trouble | None) -> Iterator[Wire]:
    """Let the venue keep what it is sent, and answer so."""
    kept = Wire(*troubles)
    usual = served.run(lambda exchange: exchange.faults)
    served.run(lambda exchange: setattr(exchange, "faults", kept))
    try:
        yield kept
    finally:
        served.run(lambda exchange: setattr(exchange, "faults", usual))


def refusals(*statuses: int, retry_after: int = 0) -> Sequence[Trouble]:
    """Return answers with these statuses, after which nothing has happened at the venue."""
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    return [Trouble(status, {"error": "not now"}, headers) for status in statuses]

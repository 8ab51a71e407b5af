"""Notices that the Serve applications are deleted: without them nobody can watch or stop the agents, so the agents stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from ray import serve
from ray.exceptions import RayError

log = logging.getLogger(__name__)

#: Seconds between two looks.
_LOOK = 2.0


class ApplicationWatch:
    """Calls `on_deleted` each time that an application which was there is gone or going."""

    def __init__(self, names: Sequence[str], on_deleted: Callable[[], Awaitable[None]]) -> None:
        self._names = frozenset(names)
        self._on_deleted = on_deleted

    async def run(self) -> None:
        """Go on for ever."""
        seen: frozenset[str] = frozenset()
        while True:
            await asyncio.sleep(_LOOK)
            try:
                present = self._names & await asyncio.to_thread(_applications)
            except RayError as error:
                log.info("Serve cannot be asked now: %s", error)
                continue
            if gone := seen - present:
                log.warning("application %s was deleted; the agents stop", ", ".join(sorted(gone)))
                await self._on_deleted()
            seen = present


def _applications() -> frozenset[str]:
    """Return the names of the applications that are not being deleted."""
    found = serve.status().applications
    return frozenset(name for name, application in found.items() if application.status != "DELETING")

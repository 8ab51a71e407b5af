"""One life of a source of events: gives them their ids, and stores them for as long as it takes."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents.errors import Unavailable
from agents.events import Event, Type
from agents.ports import Ledger

#: Seconds between attempts to reach the ledger.
RETRY = 0.2


class EventSource:
    """Makes the events of one life; there must be only one object for each incarnation, as it counts them.

    The count goes up with each event made and never back, so an id is never given to a second event. `wall` tells epoch
    seconds.
    """

    def __init__(self, name: str, incarnation: int, ledger: Ledger, wall: Callable[[], float] = time.time) -> None:
        self.name = name
        self.incarnation = incarnation
        self._ledger = ledger
        self._wall = wall
        self._count = itertools.count(1)

    def event(self, type: Type, data: dict[str, Any], agent_id: str | None = None) -> Event:
        """Make an event that happens now; it is nowhere until it is stored."""
        return Event(
            id=f"{self.name}/{self.incarnation}/{next(self._count)}",
            type=type,
            source=self.name,
            agent_id=agent_id,
            incarnation=self.incarnation,
            timestamp=int(self._wall() * 1000),
            data=data,
        )

    async def store(
        self,
        events: Sequence[Event],
        signed: Mapping[str, bytes] | None = None,
        *,
        patience: float | None = None,
        waiting: Callable[[Unavailable], None] | None = None,
    ) -> list[int]:
        """Store events, and signed orders by order id, in one commit; return each event's seq.

        Without `patience` (seconds) it tries for ever. Storing the same events again is safe: they keep their seqs.
        `waiting` is told of each attempt that failed and is made again.

        Raises:
            Unavailable: if the ledger did not acknowledge in time; it may have stored them all the same.
            StaleIncarnation: if another life of this source has begun.
        """
        deadline = None if patience is None else time.monotonic() + patience
        while True:
            try:
                return await self._ledger.append(events, signed or {})
            except Unavailable as error:
                if deadline is not None and time.monotonic() > deadline:
                    raise
                if waiting is not None:
                    waiting(error)
                await asyncio.sleep(RETRY)

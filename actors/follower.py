"""Follows the log in a process of its own: keeps the fleet's folded state, and hands on each event, in order, once."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from agents.errors import PolyfleetError
from agents.events import Event
from agents.fleet import FleetState
from agents.ports import Batch, Ledger

log = logging.getLogger(__name__)

#: Seconds that one poll waits for news, and between attempts while the ledger cannot be reached.
_WAIT = 20.0
_RETRY = 0.2


class Follower:
    """Starts from a snapshot, then applies what comes after it. `name` is what the ledger's `barrier` knows it by.

    `on_event` is called with each event after the first snapshot, when `state` has it already; it must not wait. It misses
    only what the log itself has dropped: then `state` comes from a new snapshot. One that is not `awaited` is no follower to
    the ledger's `barrier` but a reader.
    """

    def __init__(
        self, ledger: Ledger, name: str, on_event: Callable[[Event], None] | None = None, *, awaited: bool = True
    ) -> None:
        #: The folded log, or None until it was read for the first time.
        self.state: FleetState | None = None
        self._ledger = ledger
        self._name = name
        self._on_event = on_event
        self._named: dict[str, Any] = {"follower" if awaited else "reader": name}
        self._change = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow, unless it does; the ledger need not be there yet."""
        if self._task is not None and not self._task.done():
            return
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop following; the state stays as it is."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def changed(self) -> None:
        """Wait for the next change of the state."""
        await self._change.wait()

    async def reached(self, seq: int, timeout: float) -> bool:
        """Wait until the state has an event; False if it has not within so many seconds."""
        try:
            async with asyncio.timeout(timeout):
                while self.state is None or self.state.seq < seq:
                    await self._change.wait()
        except TimeoutError:
            return False
        return True

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except PolyfleetError as error:
                log.warning("%s cannot follow the log now: %s", self._name, error)
            except Exception:
                log.exception("%s failed to follow the log; trying again", self._name)
            await asyncio.sleep(_RETRY)

    async def _follow(self) -> None:
        state = self.state or await self._read_snapshot()
        while True:
            batch = await self._ledger.poll(state.seq, wait=_WAIT, **self._named)
            if batch.floor > state.seq + 1 or batch.head < state.seq:
                log.error(
                    "%s was at %d and the log has %d to %d; reading its snapshot",
                    self._name,
                    state.seq,
                    batch.floor,
                    batch.head,
                )
                state = await self._read_snapshot()
            elif batch.events:
                self._apply(state, batch)

    async def _read_snapshot(self) -> FleetState:
        state = self.state = await self._ledger.snapshot()
        self._announce()
        return state

    def _apply(self, state: FleetState, batch: Batch) -> None:
        for event in batch.events:
            try:
                state.apply(event)
            except Exception:
                log.exception("event %s (seq %d) could not be folded; it is left out", event.id, event.seq)
            if self._on_event:
                try:
                    self._on_event(event)
                except Exception:
                    log.exception("%s could not act on event %s (seq %d)", self._name, event.id, event.seq)
        self._announce()

    def _announce(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

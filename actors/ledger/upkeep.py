"""Keeps the log short: takes snapshots of the folded state, and drops what is older than the retention allows."""

import asyncio
import logging
import pickle
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from actors.ledger import snapshots
from actors.ledger.retention import Retention
from actors.storage.jobs import Stored
from actors.storage.reader import EVENT_OVERHEAD, LogReader
from actors.storage.retention import Step, drop_events, drop_fills, drop_orders, put_snapshot
from actors.storage.writer import LogWriter
from agents.errors import PolyfleetError

log = logging.getLogger(__name__)

#: Events between two snapshots, and the share of the size cap that may be written before the size is looked at again.
EVERY = 10_000
_SHARE = 0.02

#: Events, or orders, that one step drops, and how many times as long as it took commits then have the disk for themselves.
_STEP = 50
_REST = 3.0

#: Events that one step drops, without a rest, while the database is larger than it may be: then writers must wait.
_HASTE = 2000

#: Milliseconds for which an ended order is kept whatever else: late fills and repeated intents find it.
_GRACE = 3_600_000

#: Seconds before upkeep that failed is tried again.
_RETRY = 5.0


class Cut(NamedTuple):
    """The ledger's state at one moment: pickled, as it goes on changing; `pending` are orders with unsettled fills."""

    seq: int
    floor: int
    pickled: bytes
    counts: snapshots.Counts
    pending: frozenset[str]


class Upkeep:
    """Works beside the ledger, on the writer's thread between commits, in steps that are too short to delay them.

    `cut` gives the ledger's state, `raise_floor` tells it that events below a seq are about to go, `behind` is how many
    events came after the newest snapshot, and `wall` tells epoch seconds.
    """

    def __init__(
        self,
        writer: LogWriter,
        reader: LogReader,
        thread: ThreadPoolExecutor,
        read_threads: ThreadPoolExecutor,
        retention: Retention,
        cut: Callable[[], Cut],
        raise_floor: Callable[[int], None],
        *,
        behind: int = 0,
        every: int = EVERY,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._thread = thread
        self._read_threads = read_threads
        self._retention = retention
        self._cut = cut
        self._raise_floor = raise_floor
        self._every = every
        self._wall = wall
        self._events = behind
        self._volume = 0
        self._due = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def note(self, stored: Sequence[Stored]) -> None:
        """Take note of what was stored; every so often there is something to do."""
        self._events += len(stored)
        self._volume += sum(one.size + EVENT_OVERHEAD for one in stored)
        if self._events >= self._every or self._volume >= self._retention.bytes * _SHARE:
            self._due.set()

    async def close(self) -> None:
        """Stop, and take a last snapshot."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._events:
            self._events = 0
            try:
                await self._snapshot()
            except PolyfleetError as error:
                log.warning("no snapshot was taken at the end: %s", error)

    async def keep(self) -> None:
        """Take a snapshot, then drop what need not be kept."""
        self._events = self._volume = 0
        reach = await self._snapshot()
        await self._drop(reach)

    async def _run(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await self.keep()
            except Exception as error:
                log.warning("the log's upkeep failed and is tried again: %r", error)
                await asyncio.sleep(_RETRY)
                self._due.set()

    async def _snapshot(self) -> int:
        """Store a snapshot and return the seq up to which the kept ones reach back."""
        cut = self._cut()

        def write() -> int:
            state = pickle.loads(cut.pickled)  # noqa: S301 - our own, from this process
            return self._writer.transact(put_snapshot(snapshots.encode(cut.seq, state, cut.counts)))

        return await self._on_thread(write)

    async def _drop(self, reach: int) -> None:
        """Drop events that the snapshots cover, then the orders and fills that belong to none that are left."""
        loop = asyncio.get_running_loop()
        used = await loop.run_in_executor(self._read_threads, self._reader.size)
        pace, rest = (_HASTE, 0.0) if used > self._retention.bytes else (_STEP, _REST)
        cut, since = self._cut(), self._retention.since(self._wall())
        until, floor, before = self._retention.until(cut.floor, cut.seq, used), cut.floor, cut.floor
        reach = min(reach, cut.seq - 1)  # The head stays: the next seq is counted from it.
        while floor <= reach:
            end = min(floor + pace - 1, reach)
            if end > until:
                aged = 0
                if since is not None:
                    aged = await loop.run_in_executor(self._read_threads, self._reader.aged, floor, end, since)
                end = max(min(end, until), aged)
            if end < floor:
                break
            floor = end + 1
            self._raise_floor(floor)
            await self._step(drop_events(end), rest)
        if floor > before:
            log.info("events %d to %d have left the log", before, floor - 1)
            oldest = await loop.run_in_executor(self._read_threads, self._reader.timestamp, floor)
            ended = min(oldest, int(self._wall() * 1000) - _GRACE)
            while await self._step(drop_orders(ended, cut.pending, _STEP)):
                pass
            await self._step(drop_fills(self._cut().pending))

    async def _step(self, step: Step, rest: float = _REST) -> int:
        started = time.perf_counter()
        done = await self._on_thread(lambda: self._writer.transact(step))
        await asyncio.sleep((time.perf_counter() - started) * rest)
        return done

    async def _on_thread(self, work: Callable[[], int]) -> int:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

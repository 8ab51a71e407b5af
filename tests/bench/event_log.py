"""Events per second, stored in batches and read back by followers, against a bare actor's list and its long poll."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from statistics import median
from typing import Any

import ray

from actors import remote
from agents.events import Event
from tests.bench.figures import compare, ratio_of

ROUNDS = 6
WRITERS = 4
BATCH = 50
BATCHES = 50

#: The fleet's own followers (supervisor, broker, forecaster, hub, dashboard, two REST replicas) and ours: so many read the
#: bare log too.
READERS = 8


class BareLog:
    """A list in memory with a long poll: nothing on disk and nothing folded."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._news = asyncio.Event()

    async def append(self, events: Sequence[Event]) -> int:
        """Take events and return how many there are."""
        self._events.extend(events)
        self._news.set()
        self._news = asyncio.Event()
        return len(self._events)

    async def poll(self, after: int, limit: int = 1000) -> list[Event]:
        """Wait for events after a place, and return them."""
        while len(self._events) <= after:
            await self._news.wait()
        return self._events[after : after + limit]


class Writer:
    """An actor that stores batches one after the other, as soon as the one before is acknowledged."""

    async def start(self, name: str) -> None:
        """Begin a life as a source of events."""
        from actors.event_source import EventSource
        from actors.remote import ledger

        self._source = EventSource(name, await ledger().open_source(name), ledger())

    async def write(self, bare: Any = None) -> None:
        """Store all batches in the ledger or in a bare log."""
        from agents.events import Type

        data = {"kind": "log-bench", "message": "x" * 100}
        for _ in range(BATCHES):
            events = [self._source.event(Type.INFO, data) for _ in range(BATCH)]
            if bare is None:
                await self._source.store(events)
            else:
                await bare.append.remote(events)


class Reader:
    """An actor that follows a log in a process of its own."""

    async def start(self) -> None:
        """Begin to follow the ledger, as a replica does."""
        from actors.follower import Follower
        from actors.remote import ledger

        self._read = 0
        self._follower = Follower(ledger(), "bench", self._count)
        self._follower.start()
        await self._follower.reached(0, 60)

    def _count(self, event: Event) -> None:
        self._read += event.data.get("kind") == "log-bench"

    async def read(self, count: int) -> None:
        """Return when so many more events of the writers were read from the ledger."""
        goal = self._read + count
        while self._read < goal:
            await self._follower.changed()

    async def read_bare(self, bare: Any, count: int) -> None:
        """Return when so many events were read from a bare log."""
        place = 0
        while place < count:
            place += len(await bare.poll.remote(place))

    async def stop(self) -> None:
        """Follow no longer."""
        await self._follower.stop()


async def event_log() -> None:
    """Let the same processes write to both in turns, and as many read; the time ends when the last has read the last event."""
    writers = [ray.remote(Writer).options(num_cpus=0).remote() for _ in range(WRITERS)]
    readers = [ray.remote(Reader).options(num_cpus=0).remote() for _ in range(READERS)]
    await asyncio.gather(*(writer.start.remote(f"bench-log-{n}") for n, writer in enumerate(writers)))
    await readers[0].start.remote()
    count = WRITERS * BATCHES * BATCH

    async def stored_and_read() -> None:
        reading = readers[0].read.remote(count)
        await asyncio.gather(*(writer.write.remote() for writer in writers))
        await reading
        if not await remote.ledger().barrier(await remote.ledger().head(), timeout=60):
            raise RuntimeError("a follower of the log did not keep up")

    async def bare_stored_and_read(bare: Any) -> None:
        reading = [reader.read_bare.remote(bare, count) for reader in readers]
        await asyncio.gather(*(writer.write.remote(bare) for writer in writers), *reading)

    ours, base = [], []
    for _ in range(ROUNDS):
        bare = ray.remote(BareLog).options(num_cpus=0).remote()
        await bare.append.remote([])
        base.append(count / await _seconds(bare_stored_and_read(bare)))
        ours.append(count / await _seconds(stored_and_read()))
    await readers[0].stop.remote()
    compare(
        (f"events stored and followed, {WRITERS} writers, {READERS} readers", median(ours)),
        ("the same with a list in memory and a long poll", median(base)),
        *("/s", ratio_of(ours, base), f">= 0.5; batches of {BATCH}"),
    )


async def _seconds(work: Coroutine[Any, Any, None]) -> float:
    started = time.perf_counter()
    await work
    return time.perf_counter() - started

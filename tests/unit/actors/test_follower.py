import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from actors import follower as module
from actors.follower import Follower
from agents.errors import Unavailable
from agents.events import Event, Type
from agents.fleet import FleetState
from agents.ports import Batch, Ledger


def event(seq: int, type: Type = Type.INFO, **data: Any) -> Event:
    return Event(f"s/1/{seq}", type, "s", None, 1, 0, data, seq)


class Log:
    """A ledger in memory; `down` makes it unreachable, `floor` forgets what is older."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.floor = 1
        self.down = False
        self.snapshots = 0
        self.polls: list[tuple[int, str]] = []
        self.news = asyncio.Event()

    def add(self, *events: Event) -> None:
        self.events += events
        self.wake()

    def wake(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    async def snapshot(self) -> FleetState:
        if self.down:
            raise Unavailable("down")
        self.snapshots += 1
        return FleetState(seq=self.events[-1].seq if self.events else 0)

    async def poll(self, after: int, *, wait: float, follower: str) -> Batch:
        self.polls.append((after, follower))
        head = self.events[-1].seq if self.events else 0
        if after == head and not self.down:
            await self.news.wait()
        if self.down:
            raise Unavailable("down")
        head = self.events[-1].seq
        found = [event for event in self.events if event.seq > after and event.seq >= self.floor]
        return Batch(found, head, self.floor, head)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.setattr(module, "_RETRY", 0.0)
    return Log()


@pytest.fixture
def seen() -> list[int]:
    return []


@pytest.fixture
async def follower(log: Log, seen: list[int]) -> AsyncIterator[Follower]:
    follower = Follower(cast(Ledger, log), "replica", lambda event: seen.append(event.seq))
    yield follower
    await follower.stop()


async def test_it_starts_from_a_snapshot_and_hands_on_what_comes_after(log: Log, follower: Follower, seen: list[int]) -> None:
    log.add(event(1), event(2))
    assert follower.state is None
    follower.start()
    assert await follower.reached(2, 5)
    log.add(event(3), event(4))
    assert await follower.reached(4, 5)
    assert seen == [3, 4]
    assert log.polls[:2] == [(2, "replica"), (4, "replica")]
    assert log.snapshots == 1


async def test_reached_says_no_when_it_takes_too_long(log: Log, follower: Follower) -> None:
    assert not await follower.reached(0, 0.001)
    follower.start()
    assert await follower.reached(0, 5)
    assert not await follower.reached(1, 0.001)


async def test_changed_waits_for_the_next_change(log: Log, follower: Follower) -> None:
    follower.start()
    await follower.reached(0, 5)
    change = asyncio.create_task(follower.changed())
    await asyncio.sleep(0)
    assert not change.done()
    log.add(event(1))
    await asyncio.wait_for(change, 5)
    assert follower.state is not None
    assert follower.state.seq == 1


async def test_an_unreachable_ledger_costs_no_event_and_repeats_none(log: Log, follower: Follower, seen: list[int]) -> None:
    log.down = True
    follower.start()
    await asyncio.sleep(0)
    log.down = False
    assert await follower.reached(0, 5)
    for seq in range(1, 10):
        log.down = True
        log.add(event(seq))
        for _ in range(5):
            await asyncio.sleep(0)
        log.down = False
        assert await follower.reached(seq, 5)
    assert seen == list(range(1, 10))
    assert log.snapshots == 1


async def test_what_the_log_has_dropped_is_made_up_by_a_new_snapshot(log: Log, follower: Follower, seen: list[int]) -> None:
    log.add(event(1))
    follower.start()
    await follower.reached(1, 5)
    log.floor = 5
    log.add(*(event(seq) for seq in range(2, 8)))
    assert await follower.reached(7, 5)
    assert log.snapshots == 2
    log.add(event(8))
    assert await follower.reached(8, 5)
    assert seen == [8]


async def test_a_log_that_went_back_is_read_anew(log: Log, follower: Follower) -> None:
    log.add(event(1), event(2), event(3))
    follower.start()
    await follower.reached(3, 5)
    log.events = [event(1)]
    changed = asyncio.create_task(follower.changed())
    await asyncio.sleep(0)
    log.wake()
    await asyncio.wait_for(changed, 5)
    assert follower.state is not None
    assert follower.state.seq == 1


async def test_a_bad_event_and_a_failing_callback_stop_nothing(log: Log) -> None:
    seen = []

    def act(event: Event) -> None:
        seen.append(event.seq)
        raise RuntimeError("cannot act")

    follower = Follower(cast(Ledger, log), "replica", act)
    follower.start()
    await follower.reached(0, 5)
    log.add(event(1, Type.RISK, kind="kill_switch"), event(2, Type.RISK, kind="kill_switch", on=True, reason="stop"))
    assert await follower.reached(2, 5)
    assert seen == [1, 2]
    assert follower.state is not None
    assert follower.state.halted == "stop"
    await follower.stop()

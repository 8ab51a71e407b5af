import asyncio

import pytest

from agents.errors import Unavailable
from agents.events import Type
from supervisor.api.context import FleetContext, Kept
from tests.unit.supervisor.api.stand import Stand


class Source:
    """Something to ask that counts, and may be away or silent."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False
        self.silent = False

    async def ask(self) -> int:
        self.asked += 1
        if self.away:
            raise Unavailable("it is away")
        if self.silent:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return self.asked


async def test_callers_at_the_same_time_share_one_answer() -> None:
    source = Source()
    kept = Kept(source.ask, 60.0)
    assert await asyncio.gather(*(kept.get() for _ in range(5))) == [1] * 5
    assert await kept.get() == 1


async def test_an_old_answer_is_asked_for_again_and_stands_in_when_it_cannot_be() -> None:
    source = Source()
    kept = Kept(source.ask, 0.0)
    assert [await kept.get(), await kept.get()] == [1, 2]
    source.away = True
    assert await kept.get_or(0) == 2
    with pytest.raises(Unavailable, match="it is away"):
        await kept.get()


async def test_half_way_a_fresh_answer_is_fetched_while_nobody_waits() -> None:
    source, now = Source(), 0.0
    kept = Kept(source.ask, 10.0, lambda: now)
    assert await kept.get() == 1
    now = 4.9
    assert [await kept.get(), source.asked] == [1, 1]
    now = 5.0
    assert [await kept.get(), await kept.get()] == [1, 1]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [await kept.get(), source.asked] == [2, 2]


async def test_a_fetch_that_fails_is_told_to_who_asks_when_the_answer_is_too_old() -> None:
    source, now = Source(), 0.0
    kept = Kept(source.ask, 10.0, lambda: now)
    assert await kept.get() == 1
    source.away, now = True, 7.0
    assert await kept.get() == 1
    await asyncio.sleep(0)
    assert [await kept.get(), source.asked] == [1, 2]
    now = 10.0
    with pytest.raises(Unavailable, match="it is away"):
        await kept.get()


async def test_who_asks_for_an_answer_that_is_too_old_waits_for_the_fetch_under_way() -> None:
    source, now = Source(), 0.0
    kept = Kept(source.ask, 10.0, lambda: now)
    assert await kept.get() == 1
    now = 7.0
    assert await kept.get() == 1
    now = 11.0
    assert await asyncio.gather(kept.get(), kept.get()) == [2, 2]
    assert source.asked == 2


async def test_without_any_answer_there_is_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.api.context._PATIENCE", 0.001)
    source = Source()
    source.silent = True
    assert await Kept(source.ask).get_or(7) == 7


async def test_publications_of_one_replica_come_from_one_source(stand: Stand, context: FleetContext) -> None:
    published = await asyncio.gather(*(context.publish(lambda id, now: (Type.INFO, {"message": id})) for _ in range(3)))
    assert published == [("api:replica/1/1", 1), ("api:replica/1/2", 2), ("api:replica/1/3", 3)]


async def test_until_says_whether_it_came_true(stand: Stand, context: FleetContext) -> None:
    await context.start()
    await context.settle(await stand.supervisor.create({"id": "a", "strategy": "momentum"}))
    assert await context.until(lambda state: state.agents["a"].state == "running", 5.0)
    assert not await context.until(lambda state: state.agents["a"].state == "stopped", 0.0)
    await context.stop()


async def test_what_a_replica_does_not_see_in_time_is_said(context: FleetContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.api.context._SETTLE", 0.0)
    with pytest.raises(Unavailable, match="It was done, and this replica does not see it yet"):
        await context.settle(99)

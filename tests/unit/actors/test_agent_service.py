"""An agent's process against stand-ins for feed, broker, ledger and supervisor that write down what is asked of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from actors.agent import AgentService
from actors.config import SystemConfig
from agents.agent import Agent, Plan
from agents.errors import InvalidInput, StaleIncarnation, Unavailable
from agents.events import Event
from agents.model import Account, Book, Decision, FeeSchedule, Level, Market, MarketView, View
from agents.money import ONE
from agents.ports import Beat, Broker, Intent, Ledger, MarketFeed, Placed, Snapshot, Supervisor
from agents.spec import AgentSpec

MARKET = Market("1", "0x1", "Will it?", "will-it", ("11", "22"), ("Yes", "No"), 10_000, 5 * ONE, FeeSchedule())
BOOK = Book("11", bids=(Level(140_000, ONE),), asks=(Level(150_000, ONE),))
VIEW = MarketView(MARKET, (BOOK, BOOK.mirrored("22")))
BUY = Decision(MARKET, "11", "buy", 150_000, 10 * ONE, 0.9, "cheap")
HOLD = Decision(MARKET, "11", "hold", 150_000, 0, 0.1, "dear")


class World:
    """Feed, broker, ledger and supervisor in one; `done` is what was asked, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.intents: list[Intent] = []
        self.events: list[Event] = []
        self.views: list[View] = []
        self.plans: list[Plan | Exception] = []
        self.snapshots: list[Snapshot | Exception] = []
        self.beats: list[Beat] = []
        self.beat_fails: Exception | None = None
        self.log_is_away = False
        self.seconds = 0.0
        self.changed = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def clock(self) -> float:
        self.seconds += 0.001
        return self.seconds

    def tell(self, what: str) -> None:
        self.done.append(what)
        self.changed.set()
        self.changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await self.changed.wait()

    async def snapshot(self, selection: Sequence[str], since: int) -> Snapshot:
        self.tell(f"snapshot {since}")
        found = self.snapshots.pop(0) if self.snapshots else Snapshot(since or 7, 0, () if since else (VIEW,))
        if isinstance(found, Exception):
            raise found
        return replace(found, now=await self.now())

    async def now(self) -> int:
        """The venue's clock runs a million times as fast as the wall's."""
        return int(self.clock() * 10**9)

    async def account(self, agent_id: str) -> Account:
        await self.gate.wait()
        return Account(cash=100 * ONE)

    async def append(self, events: Sequence[Event], signed: Mapping[str, bytes]) -> list[int]:
        if self.log_is_away:
            self.seconds += 10
            self.tell("no log")
            raise Unavailable("the log is locked")
        self.events += events
        self.tell("append")
        return [0 for _ in events]

    async def execute(self, agent_id: str, life: int, intents: Sequence[Intent], cancels: Sequence[str]) -> list[Placed]:
        self.intents += intents
        self.tell(f"execute {len(intents)} {list(cancels)}")
        return [Placed(intent.id, "0xorder", "matched") for intent in intents]

    async def beat(self, agent_id: str, life: int, beat: Beat) -> float:
        self.beats.append(beat)
        self.tell("beat")
        if self.beat_fails:
            raise self.beat_fails
        return 30.0

    def decide(self, agent: Agent, view: View) -> Plan:
        self.views.append(view)
        plan = self.plans.pop(0) if self.plans else Plan()
        if isinstance(plan, Exception):
            raise plan
        return plan


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    for name in ("SHORTEST", "_RETRY"):
        monkeypatch.setattr(f"actors.agent.{name}", 0.0)
    monkeypatch.setattr("actors.event_source.RETRY", 0.0)
    monkeypatch.setattr("actors.pace.SHORTEST", 0.001)
    monkeypatch.setattr("actors.agent.BEAT_EVERY", 0.001)
    monkeypatch.setattr(Agent, "step", lambda agent, view: made.decide(agent, view))
    return made


def service(world: World, **fields: Any) -> AgentService:
    spec = AgentSpec.model_validate({"id": "a", "strategy": "momentum", "interval": 1} | fields)
    return AgentService(
        SystemConfig("nowhere"),
        spec.wire(),
        3,
        ledger=cast(Ledger, world),
        feed=cast(MarketFeed, world),
        broker=cast(Broker, world),
        supervisor=cast(Supervisor, world),
        clock=world.clock,
    )


async def stopped(agent: AgentService) -> None:
    await agent.stop()
    await agent.run()


async def test_what_is_decided_is_in_the_log_before_the_broker_hears_of_it(world: World) -> None:
    world.plans = [Plan((BUY, HOLD), ("0xold",))]
    agent = service(world)
    assert await agent.begin() > 0
    await world.until(lambda: bool(world.intents))
    await stopped(agent)
    assert world.done[:3] == ["snapshot 0", "append", "execute 1 ['0xold']"]
    assert [event.id for event in world.events] == ["agent:a/3/1", "agent:a/3/2"]
    assert [event.data["action"] for event in world.events] == ["buy", "hold"]
    assert world.events[0].data["id"] == world.intents[0].id == "agent:a/3/1"
    assert world.intents[0].decision == BUY


async def test_a_round_with_nothing_to_do_asks_the_broker_for_nothing(world: World) -> None:
    agent = service(world)
    await agent.begin()
    await world.until(lambda: len(world.views) >= 3)
    await stopped(agent)
    assert not any(what.startswith(("append", "execute")) for what in world.done)


async def test_markets_are_kept_from_round_to_round_and_dropped_when_they_are_gone(world: World) -> None:
    world.snapshots = [Snapshot(7, 0, (VIEW,)), Snapshot(8, 0, ()), Snapshot(9, 0, (), ("0x1",))]
    agent = service(world)
    await agent.begin()
    await world.until(lambda: len(world.views) >= 3)
    await stopped(agent)
    assert [len(view.markets) for view in world.views[:3]] == [1, 1, 0]
    assert [what for what in world.done if what.startswith("snapshot")][:3] == ["snapshot 0", "snapshot 7", "snapshot 8"]


async def test_a_service_that_is_away_is_waited_for_and_is_no_failure(world: World) -> None:
    world.snapshots = [Unavailable("the feed is not running now")] * 10
    agent = service(world)
    await agent.begin()
    await world.until(lambda: len(world.views) >= 1)
    await stopped(agent)


async def test_a_decision_waits_for_the_log_and_that_is_no_lack_of_progress(world: World) -> None:
    world.plans, world.log_is_away = [Plan((BUY,))], True
    agent = service(world)
    await agent.begin()
    await world.until(lambda: len(world.beats) > 5 and world.beats[-1].last_error == "the log is locked")
    assert world.seconds > 60
    assert max(beat.since_progress for beat in world.beats) < 11
    assert world.beats[-1].outbox == 1
    world.log_is_away = False
    await world.until(lambda: bool(world.intents))
    await world.until(lambda: world.beats[-1].outbox == 0)
    await stopped(agent)
    assert [event.id for event in world.events] == ["agent:a/3/1"]
    assert [intent.id for intent in world.intents] == ["agent:a/3/1"]


async def test_a_strategy_that_fails_three_rounds_in_a_row_ends_the_agent(world: World) -> None:
    world.plans = [ValueError("once"), Plan(), *[ZeroDivisionError("again")] * 3]
    agent = service(world)
    await agent.begin()
    with pytest.raises(ZeroDivisionError):
        await agent.run()
    assert len(world.views) == 5


async def test_a_spec_that_cannot_work_is_told_to_whoever_starts_it(world: World) -> None:
    with pytest.raises(InvalidInput, match="windw"):
        await service(world, params={"windw": 3}).begin()


async def test_a_paused_agent_decides_no_more_and_goes_on_when_told(world: World) -> None:
    agent = service(world)
    await agent.begin()
    await world.until(lambda: len(world.views) >= 1)
    world.gate.clear()
    pausing = asyncio.create_task(agent.pause(True))
    await asyncio.sleep(0)
    world.gate.set()
    await pausing
    seen = len(world.views)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(world.views) == seen
    await agent.pause(False)
    await world.until(lambda: len(world.views) > seen)
    await stopped(agent)


async def test_an_agent_whose_lease_has_run_out_places_nothing_until_it_is_renewed(world: World) -> None:
    world.beat_fails = Unavailable("the supervisor is not running now")
    agent = service(world)
    world.seconds = 31.0
    await agent.begin()
    await world.until(lambda: len(world.beats) >= 5)
    assert world.views == []
    world.beat_fails = None
    await world.until(lambda: len(world.views) >= 1)
    await stopped(agent)


async def test_an_agent_that_is_not_the_present_life_ends_its_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []

    def ended(code: int) -> None:
        codes.append(code)
        raise asyncio.CancelledError

    monkeypatch.setattr("os._exit", ended)
    world.beat_fails = StaleIncarnation("life 3 is over")
    agent = service(world)
    await agent.begin()
    await world.until(lambda: bool(world.beats))
    await asyncio.sleep(0)
    assert codes == [0]
    await stopped(agent)


async def test_begin_twice_is_begin_once(world: World) -> None:
    agent = service(world)
    assert await agent.begin() == await agent.begin()
    await stopped(agent)
    described = await agent.control_describe()
    assert (described["agentId"], described["incarnation"]) == ("a", 3)


async def test_a_spec_that_changes_during_the_look_at_the_markets_hides_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()
    answer.set()

    async def snapshot(selection: Any, since: int) -> Snapshot:
        # As the feed: the market changed last at version 7.
        asked.set()
        await answer.wait()
        return Snapshot(7, await world.now(), () if since >= 7 else (VIEW,))

    monkeypatch.setattr(world, "snapshot", snapshot)
    agent = service(world)
    await agent.begin()
    await world.until(lambda: len(world.views) >= 2)
    answer.clear()
    asked.clear()
    await asked.wait()
    changed = {"id": "a", "strategy": "momentum", "interval": 1, "maxTradeAmount": 7}
    await agent.configure(AgentSpec.model_validate(changed).wire())
    answer.set()
    seen = len(world.views)
    await world.until(lambda: len(world.views) >= seen + 2)
    await stopped(agent)
    assert all(len(view.markets) == 1 for view in world.views)


async def test_one_that_is_asked_to_begin_twice_lives_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, lives = service(world), []
    live = agent._live

    async def slow(*args: Any) -> None:
        await asyncio.sleep(0)

    async def counted(one: Any) -> None:
        lives.append(one)
        await live(one)

    monkeypatch.setattr(agent._program, "begin", slow)
    monkeypatch.setattr(agent, "_live", counted)
    await asyncio.gather(agent.begin(), agent.begin())
    await world.until(lambda: len(world.views) >= 1)
    await stopped(agent)
    assert len(lives) == 1

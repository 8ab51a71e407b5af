"""The keeper against a stand-in for processes and wallets, so that each order of events can be made on purpose."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from agents.errors import Conflict, StaleIncarnation, Unavailable
from agents.events import Event, Type
from agents.fleet import AgentRecord, FleetState, agent_data
from agents.ports import Beat, Broker, Ledger
from agents.spec import AgentSpec, AgentState, Desired, RestartPolicy
from supervisor.agent_actors import AgentActor, AgentFailed
from supervisor.core.signals import Control, Failed, Failure, FleetStarts, Found
from supervisor.keeper import LEASE, Keeper, Surroundings

S = AgentState


class Process:
    """A stand-in for an agent's process."""

    def __init__(self, life: int) -> None:
        self.life = life
        self.calls: list[str] = []
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.begin_fails: Failed | None = None
        self.control = asyncio.Event()
        self.control.set()

    async def begin(self, paused: bool) -> int:
        self.calls.append(f"begin paused={paused}")
        if self.begin_fails:
            raise AgentFailed(self.begin_fails)
        return 1000 + self.life

    async def run(self) -> None:
        await asyncio.shield(self.end)

    async def stop(self) -> None:
        self.calls.append("stop")
        self.end.set_result(None)

    async def pause(self, paused: bool) -> None:
        self.calls.append(f"pause {paused}")

    async def configure(self, spec: AgentSpec) -> None:
        self.calls.append(f"configure {spec.max_trade_amount}")

    async def lives_as(self, incarnation: int) -> bool:
        return self.life == incarnation

    async def stack(self) -> str:
        self.calls.append("stack")
        await self.control.wait()
        return "File strategy.py, line 3, in decide"

    async def kill(self) -> None:
        self.calls.append("kill")

    def die(self, failed: Failed) -> None:
        self.end.set_exception(AgentFailed(failed))


class World:
    """All that surrounds a keeper: it keeps the log in a list, and numbers lives."""

    def __init__(self, policy: RestartPolicy | None = None) -> None:
        self.events: list[Event] = []
        self.processes: list[Process] = []
        self.found: Process | None = None
        self.lives = 0
        self.seconds = 1000.0
        self.broker_ready = True
        self.cancelled: list[str] = []
        self.admitted: list[tuple[int, int]] = []
        self.log_is_known = asyncio.Event()
        self.log_is_known.set()
        self.begin_fails: Failed | None = None
        self.surroundings = Surroundings(
            ledger=cast(Ledger, self),
            actors=self,
            broker_of=lambda name: cast(Broker, self),
            log_change=self.log_change,
            slots=asyncio.Semaphore(1),
            wall=lambda: self.seconds,
            clock=lambda: self.seconds,
        )
        spec = AgentSpec(id="a", strategy="momentum", restart=policy or RestartPolicy(initial_delay=0.001, max_delay=0.001))
        self.keeper = Keeper(AgentRecord(spec, state=S.PENDING), self.surroundings)

    async def log_change(self, record: AgentRecord, change: str, with_spec: bool) -> int:
        seq = len(self.events) + 1
        data = agent_data(record, change, with_spec=with_spec)
        self.events.append(Event(f"supervisor/1/{seq}", Type.AGENT, "supervisor", record.spec.id, 1, 0, data, seq))
        return seq

    async def open_source(self, source: str) -> int:
        self.lives += 1
        return self.lives

    async def launch(self, spec: AgentSpec, incarnation: int) -> AgentActor:
        process = Process(incarnation)
        process.begin_fails = self.begin_fails
        self.processes.append(process)
        return cast(AgentActor, process)

    async def find(self, agent_id: str) -> AgentActor | None:
        return cast(AgentActor | None, self.found)

    async def ready(self) -> bool:
        if not self.broker_ready:
            raise Unavailable("the broker is not running now")
        return True

    async def admit(self, agent_id: str, incarnation: int, seq: int) -> None:
        await self.log_is_known.wait()
        self.admitted.append((incarnation, seq))

    async def cancel_agent(self, agent_id: str) -> int:
        self.cancelled.append(agent_id)
        return 0

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not done():
                await asyncio.sleep(0)

    @property
    def states(self) -> list[str]:
        return [event.data["state"] for event in self.events]


async def started(policy: RestartPolicy | None = None) -> World:
    world = World(policy)
    await world.keeper.send(FleetStarts())
    await world.until(lambda: world.keeper.record.state is S.RUNNING)
    return world


async def test_an_agent_is_admitted_to_its_broker_before_it_begins() -> None:
    world = await started()
    assert world.admitted == [(1, 1)]
    assert world.processes[0].calls == ["begin paused=False"]
    assert (world.keeper.record.incarnation, world.keeper.record.pid) == (1, 1001)
    assert world.states == ["starting", "running"]


async def test_an_agent_that_is_stopped_while_its_process_starts_leaves_none() -> None:
    world = World()
    world.log_is_known.clear()
    await world.keeper.send(FleetStarts())
    await world.until(lambda: len(world.processes) == 1)
    assert world.keeper.record.state is S.STARTING
    assert world.processes[0].calls == []
    await world.keeper.send(Control("stop"))
    await world.until(lambda: world.keeper.record.state is S.STOPPED)
    world.log_is_known.set()
    await world.until(lambda: "kill" in world.processes[0].calls)
    assert "begin paused=False" not in world.processes[0].calls


async def test_an_agent_waits_for_its_wallet() -> None:
    world = World()
    world.broker_ready = False
    await world.keeper.send(FleetStarts())
    for _ in range(20):
        await asyncio.sleep(0)
    assert world.keeper.record.state is S.PENDING
    assert not world.keeper.settled


async def test_a_killed_process_is_started_again_as_the_next_life() -> None:
    world = await started()
    world.processes[0].die(Failed(Failure.CRASH, "SIGKILL"))
    await world.until(lambda: len(world.processes) == 2 and world.keeper.record.state is S.RUNNING)
    assert world.keeper.record.incarnation == 2
    assert world.states == ["starting", "running", "backing_off", "pending", "starting", "running"]
    assert world.cancelled == []


async def test_an_operator_may_kill_a_process_that_is_at_work() -> None:
    world = await started()
    assert await world.keeper.kill() == 2
    assert world.processes[0].calls[-1] == "kill"
    world.processes[0].die(Failed(Failure.CRASH, "killed"))
    await world.until(lambda: world.keeper.record.incarnation == 2 and world.keeper.record.state is S.RUNNING)
    await world.keeper.send(Control("stop"))
    assert await world.keeper.at_rest(5)
    with pytest.raises(Conflict, match="agent a is stopped; only the process of a running or paused one can be killed"):
        await world.keeper.kill()


async def test_what_a_former_life_reports_is_ignored() -> None:
    world = await started()
    world.processes[0].die(Failed(Failure.CRASH, "SIGKILL"))
    await world.until(lambda: world.keeper.record.incarnation == 2 and world.keeper.record.state is S.RUNNING)
    await world.keeper.send(Failed(Failure.HUNG, "late"), life=1)
    assert world.keeper.record.state is S.RUNNING


async def test_a_stop_ends_the_process_and_cancels_the_orders_before_it_is_logged() -> None:
    world = await started()
    await world.keeper.send(Control("stop"))
    assert await world.keeper.at_rest(5)
    assert world.processes[0].calls == ["begin paused=False", "stop", "kill"]
    assert world.cancelled[:1] == ["a"]
    assert world.states[-2:] == ["stopping", "stopped"]
    assert world.keeper.record.desired is Desired.STOPPED


async def test_a_restart_by_an_operator_is_no_failure() -> None:
    world = await started()
    await world.keeper.send(Control("restart"))
    await world.until(lambda: world.keeper.record.incarnation == 2 and world.keeper.record.state is S.RUNNING)
    assert world.keeper.record.restarts == 0


async def test_a_spec_that_cannot_work_quarantines_at_once() -> None:
    world = World()
    world.begin_fails = Failed(Failure.STARTUP, "params.window: it is missing", final=True)
    await world.keeper.send(FleetStarts())
    await world.until(lambda: world.keeper.record.state is S.QUARANTINED)
    assert world.keeper.record.last_error == "startup: params.window: it is missing"
    await world.until(lambda: world.cancelled == ["a"])


async def test_a_heartbeat_of_the_present_life_gives_a_lease_and_of_another_none() -> None:
    world = await started()
    beat = Beat(pid=1001, loop_lag=0, since_progress=0, rounds=1)
    assert world.keeper.take(1, beat) == LEASE
    assert world.keeper.heartbeat == 1_000_000
    with pytest.raises(StaleIncarnation, match="life 7 is over"):
        world.keeper.take(7, beat)


async def test_a_silent_agent_is_hung_and_its_stack_is_kept() -> None:
    world = await started()
    world.seconds += 10.5
    await world.keeper.examine()
    await world.until(lambda: world.keeper.record.restarts == 1)
    assert "line 3, in decide" in (world.keeper.record.last_error or "")
    assert world.keeper.record.reason.startswith("hung") or world.keeper.record.restarts == 1


async def test_the_stack_is_asked_for_so_early_that_a_frozen_process_is_noticed_in_time() -> None:
    world = await started()
    process = world.processes[0]
    process.control.clear()
    world.seconds += 8.1
    asked = asyncio.create_task(world.keeper.examine())
    await world.until(lambda: "stack" in process.calls)
    await world.keeper.examine()
    assert process.calls.count("stack") == 1
    world.seconds += 2
    process.control.set()
    await asked
    assert world.states[-1] == "backing_off"
    assert (world.keeper.record.last_error or "").endswith("no heartbeat for 10.1 s")


async def test_a_beat_that_comes_just_in_time_saves_the_agent() -> None:
    world = await started()
    world.processes[0].control.clear()
    world.seconds += 9
    asked = asyncio.create_task(world.keeper.examine())
    await world.until(lambda: "stack" in world.processes[0].calls)
    world.keeper.take(1, Beat(pid=1001, loop_lag=9, since_progress=0, rounds=1))
    world.seconds += 2
    world.processes[0].control.set()
    await asked
    assert world.keeper.record.state is S.RUNNING


async def test_an_agent_whose_keeper_fails_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    world = await started()
    world.processes[0].end.set_exception(RuntimeError("what nobody thought of"))
    await world.until(lambda: world.keeper.record.incarnation == 2 and world.keeper.record.state is S.RUNNING)
    failed = next(event.data for event in world.events if event.data["state"] == "backing_off")
    assert failed["reason"] == "crash: what its keeper had to do failed: RuntimeError: what nobody thought of"
    assert "keeping agent a failed" in caplog.text


async def test_a_supervisor_that_was_away_condemns_nobody() -> None:
    world = await started()
    world.seconds += 60
    await world.keeper.examine(patience=55)
    assert world.keeper.record.state is S.RUNNING


async def test_an_agent_that_beats_but_ends_no_round_fails() -> None:
    world = await started()
    world.keeper.take(1, Beat(pid=1001, loop_lag=0, since_progress=61, rounds=1))
    await world.keeper.examine()
    await world.until(lambda: world.keeper.record.restarts == 1)
    assert "no_progress" in (world.keeper.record.last_error or "")


async def test_an_agent_over_its_memory_limit_fails() -> None:
    world = await started(RestartPolicy(memory_limit=200))
    world.keeper.take(1, Beat(pid=1, loop_lag=0, since_progress=0, rounds=5, memory=199.0))
    await world.keeper.examine()
    assert world.keeper.record.state is S.RUNNING
    world.keeper.take(1, Beat(pid=1, loop_lag=0, since_progress=0, rounds=5, memory=201.0))
    await world.keeper.examine()
    assert world.keeper.record.last_error == "memory: its private memory is 201 MB, and its limit 200 MB"


async def test_nobody_starts_while_the_breaker_holds_and_failures_are_told() -> None:
    world = await started()
    told: list[tuple[str, Failed]] = []
    world.surroundings.failed = lambda agent_id, failed: told.append((agent_id, failed))
    world.surroundings.may_start.clear()
    failed = Failed(Failure.EXCEPTION, "ValueError: no")
    world.processes[0].die(failed)
    await world.until(lambda: world.keeper.record.state is S.PENDING)
    for _ in range(20):
        await asyncio.sleep(0)
    assert (told, len(world.processes)) == ([("a", failed)], 1)
    world.surroundings.may_start.set()
    await world.until(lambda: world.keeper.record.state is S.RUNNING)
    assert len(world.processes) == 2


async def test_a_living_process_is_adopted_without_a_restart() -> None:
    world = World()
    world.found = Process(4)
    world.keeper.record.state = S.RUNNING
    world.keeper.record.incarnation = 4
    found = await world.keeper.look_for()
    assert found == Found(alive=True)
    await world.keeper.send(found)
    assert (world.events, world.processes) == ([], [])
    world.found.die(Failed(Failure.CRASH, "SIGKILL"))
    await world.until(lambda: world.keeper.record.state is S.RUNNING and world.keeper.record.incarnation == 1)


async def test_an_adopted_agent_that_was_starting_takes_a_slot() -> None:
    world = World()
    world.found = Process(4)
    world.keeper.record = replace(world.keeper.record, state=S.STARTING, incarnation=4)
    await world.surroundings.slots.acquire()
    await world.keeper.send(await world.keeper.look_for())
    for _ in range(20):
        await asyncio.sleep(0)
    assert world.found.calls == []
    world.surroundings.slots.release()
    await world.until(lambda: world.keeper.record.state is S.RUNNING)
    # Which spec it was launched with is not known any more.
    await world.until(lambda: world.found is not None and world.found.calls == ["begin paused=False", "configure 100"])
    await world.until(lambda: not world.surroundings.slots.locked())


async def test_the_log_alone_rebuilds_the_record() -> None:
    world = await started()
    world.processes[0].die(Failed(Failure.CRASH, "SIGKILL"))
    await world.until(lambda: world.keeper.record.state is S.BACKING_OFF)
    state = FleetState()
    created = agent_data(world.keeper.record, "created", with_spec=True)
    state.apply(Event("supervisor/1/0", Type.AGENT, "supervisor", "a", 1, 0, created, 1))
    for event in world.events:
        state.apply(event)
    rebuilt = state.agents["a"]
    assert (rebuilt.state, rebuilt.restarts, rebuilt.restart_times) == (S.BACKING_OFF, 1, (1_000_000,))


async def test_a_changed_spec_reaches_the_running_process() -> None:
    world = await started()
    changed = AgentSpec.model_validate(world.keeper.record.spec.wire() | {"maxTradeAmount": 7})
    await world.keeper.change(changed)
    assert world.processes[0].calls[-1] == "configure 7"
    assert world.events[-1].data["spec"]["maxTradeAmount"] == 7


async def test_what_changed_of_the_spec_while_the_process_started_is_told() -> None:
    world = World()
    world.log_is_known.clear()
    await world.keeper.send(FleetStarts())
    await world.until(lambda: len(world.processes) == 1)
    await world.keeper.change(AgentSpec.model_validate(world.keeper.record.spec.wire() | {"maxTradeAmount": 7}))
    world.log_is_known.set()
    await world.until(lambda: "configure 7" in world.processes[0].calls)


async def test_one_that_was_stopped_and_started_while_it_waited_comes_up_once() -> None:
    world = World()
    world.surroundings.slots = asyncio.Semaphore(2)
    world.surroundings.may_start.clear()
    opened = asyncio.Event()

    async def open_source(source: str) -> int:
        world.lives += 1
        life = world.lives
        await opened.wait()
        return life

    world.open_source = open_source  # type: ignore[method-assign]
    await world.keeper.send(FleetStarts())
    await asyncio.sleep(0)
    await world.keeper.send(Control("stop"))
    await world.keeper.send(Control("start"))
    world.surroundings.may_start.set()
    await world.until(lambda: world.lives > 0)
    # Once more, when it has its turn already.
    await world.keeper.send(Control("stop"))
    await world.keeper.send(Control("start"))
    opened.set()
    await world.until(lambda: world.keeper.record.state is S.RUNNING)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(world.processes) == 1
    assert world.keeper.record.restarts == 0


async def test_an_error_that_nobody_foresaw_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.keeper._RETRY", 0.001)
    world, failing = World(), {"open_source", "cancel_agent"}

    async def open_source(source: str) -> int:
        if failing and "open_source" in failing:
            failing.discard("open_source")
            raise RuntimeError("a hiccup of Ray")
        return 1

    async def cancel_agent(agent_id: str) -> int:
        if "cancel_agent" in failing:
            failing.discard("cancel_agent")
            raise RuntimeError("a bug in the broker")
        return 0

    world.open_source, world.cancel_agent = open_source, cancel_agent  # type: ignore[method-assign]
    await world.keeper.send(FleetStarts())
    async with asyncio.timeout(5):
        while world.keeper.record.state is not S.RUNNING:
            await asyncio.sleep(0.001)
    await world.keeper.send(Control("stop"))
    assert await world.keeper.at_rest(5)
    assert not failing


async def test_orders_that_were_to_be_cancelled_when_the_supervisor_died_are() -> None:
    world = World()
    world.begin_fails = Failed(Failure.STARTUP, "no", final=True)
    cancel = world.cancel_agent

    async def away(agent_id: str) -> int:
        raise Unavailable("the broker is not running now")

    world.cancel_agent = away  # type: ignore[method-assign]
    await world.keeper.send(FleetStarts())
    await world.until(lambda: world.keeper.record.state is S.QUARANTINED)
    for task in list(world.keeper._tasks):
        task.cancel()
    world.cancel_agent = cancel  # type: ignore[method-assign]
    successor = Keeper(world.keeper.record, world.surroundings)
    await successor.send(await successor.look_for())
    await world.until(lambda: world.cancelled == ["a"])

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agents.errors import Conflict
from agents.fleet import AgentRecord
from agents.spec import AgentSpec, AgentState, Desired, RestartPolicy
from supervisor.core.lifecycle import LIVE, Step, step, stopped_with_fleet
from supervisor.core.signals import (
    Action,
    CancelOrders,
    Control,
    Due,
    Ended,
    Failed,
    Failure,
    FleetStarts,
    FleetStops,
    Found,
    Kill,
    Launched,
    Left,
    Pause,
    Queue,
    Signal,
    Slot,
    Stop,
    Wait,
    Watch,
)

S = AgentState


def record(state: AgentState = S.STOPPED, policy: RestartPolicy | None = None, **fields: Any) -> AgentRecord:
    spec = AgentSpec(id="a", strategy="momentum", restart=policy or RestartPolicy())
    return AgentRecord(spec, state=state, **fields)


def after(before: AgentRecord, *signals: Signal, now: int = 1_000) -> Step:
    result = Step(before)
    for signal in signals:
        result = step(result.record, signal, now, Random(0))
    return result


def running(**fields: Any) -> AgentRecord:
    return record(S.RUNNING, incarnation=1, pid=7, started_at=0, **fields)


def test_an_agent_is_started_in_turn_and_paused_and_stopped() -> None:
    queued = after(record(desired=Desired.STOPPED), Control("start"))
    assert (queued.record.state, queued.record.desired, queued.effects) == (S.PENDING, Desired.RUNNING, (Queue(),))
    starting = after(queued.record, Slot(3))
    assert (starting.record.state, starting.record.incarnation) == (S.STARTING, 3)
    launched = after(starting.record, Launched(77), now=5_000)
    assert (launched.record.state, launched.record.pid, launched.record.started_at) == (S.RUNNING, 77, 5_000)
    paused = after(launched.record, Control("pause"))
    assert (paused.record.state, paused.record.desired, paused.effects) == (S.PAUSED, Desired.PAUSED, (Pause(True),))
    stopping = after(paused.record, Control("stop"))
    assert (stopping.record.state, stopping.effects) == (S.STOPPING, (Stop(),))
    stopped = after(stopping.record, Ended())
    assert (stopped.record.state, stopped.record.pid, stopped.effects) == (S.STOPPED, None, (CancelOrders(),))


def test_a_paused_agent_is_still_paused_after_a_crash() -> None:
    paused = replace(running(), state=S.PAUSED, desired=Desired.PAUSED)
    again = after(paused, Failed(Failure.CRASH, "killed"), Due(), Slot(2), Launched(8))
    assert (again.record.state, again.effects) == (S.PAUSED, (Pause(True),))


def test_a_crash_backs_off_and_counts_and_leaves_the_orders_to_the_successor() -> None:
    crashed = after(running(), Failed(Failure.CRASH, "Traceback\nValueError: no"), now=9_000)
    assert crashed.record.state is S.BACKING_OFF
    assert (crashed.record.restarts, crashed.record.failures, crashed.record.restart_times) == (1, 1, (9_000,))
    assert crashed.record.reason == "crash: ValueError: no"
    assert crashed.record.last_error == "crash: Traceback\nValueError: no"
    assert crashed.effects[0] == Kill()
    assert isinstance(crashed.effects[1], Wait)
    assert CancelOrders() not in crashed.effects


def test_of_a_long_cause_the_end_is_kept() -> None:
    running = after(record(S.PENDING), Slot(1), Launched(7)).record
    failed = after(running, Failed(Failure.EXCEPTION, "x" * 10_000 + "\nValueError: no")).record
    assert failed.last_error is not None
    assert failed.last_error.startswith("exception: xxx")
    assert failed.last_error.endswith("\nValueError: no")
    assert len(failed.last_error) < 8_100


def test_exactly_as_many_restarts_as_allowed_then_quarantine_with_orders_cancelled() -> None:
    now = record(S.PENDING, RestartPolicy(max_restarts=3))
    for n in range(1, 4):
        failed = after(now, Slot(n), Failed(Failure.STARTUP, "no"), now=n * 1_000)
        assert failed.record.state is S.BACKING_OFF
        now = after(failed.record, Due()).record
    last = after(now, Slot(4), Failed(Failure.STARTUP, "no"), now=4_000)
    assert (last.record.state, last.effects) == (S.QUARANTINED, (Kill(), CancelOrders()))
    assert last.record.reason == "more than 3 restarts in 300 s; the last: startup: no"
    resumed = after(last.record, Control("resume"))
    assert (resumed.record.state, resumed.record.restart_times, resumed.record.failures) == (S.PENDING, (), 0)


def test_a_final_failure_is_not_repeated() -> None:
    failed = after(record(S.STARTING), Failed(Failure.STARTUP, "params.window: it is missing", final=True))
    assert failed.record.state is S.QUARANTINED


def test_a_stable_spell_resets_the_backoff() -> None:
    shaky = running(failures=4)
    assert after(shaky, Failed(Failure.CRASH, "x"), now=119_000).record.failures == 5
    assert after(shaky, Failed(Failure.CRASH, "x"), now=120_000).record.failures == 1


@pytest.mark.parametrize(
    ("kind", "signal", "state"),
    [
        ("permanent", Left(), S.BACKING_OFF),
        ("transient", Left(), S.STOPPED),
        ("temporary", Left(), S.STOPPED),
        ("transient", Failed(Failure.CRASH, "x"), S.BACKING_OFF),
        ("temporary", Failed(Failure.CRASH, "x"), S.STOPPED),
    ],
)
def test_the_restart_types_are_those_of_otp(kind: Any, signal: Signal, state: AgentState) -> None:
    before = record(S.RUNNING, RestartPolicy(type=kind), incarnation=1)
    assert after(before, signal).record.state is state


def test_a_restart_keeps_what_is_desired() -> None:
    restarted = after(running(), Control("restart"), Ended())
    assert (restarted.record.state, restarted.effects) == (S.PENDING, (Queue(),))
    turned = after(running(), Control("restart"), Control("stop"), Ended())
    assert turned.record.state is S.STOPPED


def test_a_fleet_that_stops_and_starts_has_the_same_agents_running() -> None:
    at_rest = after(running(), FleetStops(), Ended(for_good=True))
    assert (at_rest.record.state, at_rest.record.desired) == (S.STOPPED, Desired.RUNNING)
    assert after(at_rest.record, FleetStarts()).record.state is S.PENDING
    by_hand = after(running(), Control("stop"), Ended(), FleetStarts())
    assert by_hand.record.state is S.STOPPED


def test_a_new_life_of_the_supervisor_adopts_the_living_and_restarts_the_dead() -> None:
    adopted = after(running(), Found(alive=True))
    assert (adopted.record, adopted.effects) == (running(), (Watch(), Pause(False)))
    assert after(running(), Found(alive=False)).record.state is S.BACKING_OFF
    backing_off = after(running(), Failed(Failure.CRASH, "x")).record
    resumed = after(backing_off, Found(alive=False))
    assert resumed.record == backing_off
    assert isinstance(resumed.effects[0], Wait)


def test_a_new_life_of_the_supervisor_does_again_what_the_last_may_not_have_come_to() -> None:
    paused = after(running(), Control("pause")).record
    assert Pause(True) in after(paused, Found(alive=True)).effects
    for at_rest in (replace(running(), state=S.STOPPED), replace(running(), state=S.QUARANTINED)):
        assert after(at_rest, Found(alive=False)).effects == (CancelOrders(),)
        assert after(replace(at_rest, desired=Desired.STOPPED), FleetStarts()).effects == (CancelOrders(),)


def test_it_is_known_who_was_stopped_with_the_fleet() -> None:
    assert stopped_with_fleet(after(running(), FleetStops(), Ended(for_good=True)).record)
    assert stopped_with_fleet(after(after(running(), Failed(Failure.CRASH, "x")).record, FleetStops()).record)
    assert not stopped_with_fleet(after(running(), Control("stop"), Ended()).record)
    assert not stopped_with_fleet(running())


def test_a_late_timer_does_not_wake_a_stopped_agent() -> None:
    stopped = after(running(), Failed(Failure.CRASH, "x"), Control("stop")).record
    assert stopped.state is S.STOPPED
    assert after(stopped, Due()) == Step(stopped)
    assert after(stopped, Slot(2)) == Step(stopped)


@pytest.mark.parametrize(
    ("state", "action"),
    [(S.RUNNING, "start"), (S.STOPPED, "stop"), (S.STOPPED, "restart"), (S.PAUSED, "pause"), (S.RUNNING, "resume")],
)
def test_what_a_state_does_not_allow_is_refused_in_one_sentence(state: AgentState, action: Action) -> None:
    with pytest.raises(Conflict, match=f"agent a is {state}, and cannot be asked to {action} now"):
        after(record(state), Control(action))


class Lives(RuleBasedStateMachine):
    """Any sequence of signals that a supervisor may see."""

    def __init__(self) -> None:
        super().__init__()
        self.record = record(S.PENDING, RestartPolicy(max_restarts=3, window=100, stable_after=20))
        self.now = 0
        self.life = 0
        self.random = Random(0)
        self.process = False
        self.stopped_by_operator = False

    def send(self, signal: Signal) -> None:
        before = self.record
        result = step(before, signal, self.now, self.random)
        self.record = result.record
        for effect in result.effects:
            if isinstance(effect, Wait):
                assert 0 < effect.seconds <= before.spec.restart.max_delay
            if effect == Kill():
                self.process = False
        if before.state is S.QUARANTINED and not isinstance(signal, Control):
            assert self.record.state is S.QUARANTINED
        assert self.record.incarnation >= before.incarnation
        if result.record != before:
            assert result.record.reason

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * 1000

    @rule(action=st.sampled_from(["start", "stop", "pause", "resume", "restart"]))
    def an_operator_asks(self, action: Action) -> None:
        try:
            self.send(Control(action))
        except Conflict:
            return
        if action == "stop":
            self.stopped_by_operator = True
        elif action in ("start", "resume"):
            self.stopped_by_operator = False

    @precondition(lambda self: self.record.state is S.PENDING and not self.process)
    @rule()
    def its_turn_comes(self) -> None:
        self.life += 1
        self.send(Slot(self.life))
        self.process = True

    @precondition(lambda self: self.record.state is S.STARTING and self.process)
    @rule()
    def it_begins(self) -> None:
        self.send(Launched(self.life))

    @precondition(lambda self: self.process)
    @rule(failure=st.sampled_from(Failure), final=st.booleans())
    def it_fails(self, failure: Failure, final: bool) -> None:
        self.process = False
        self.send(Failed(failure, "because", final))

    @precondition(lambda self: self.record.state is S.STOPPING)
    @rule(for_good=st.booleans())
    def it_is_gone(self, for_good: bool) -> None:
        self.process = False
        self.send(Ended(for_good))

    @rule()
    def a_timer_fires(self) -> None:
        self.send(Due())

    @rule()
    def the_supervisor_comes_back(self) -> None:
        self.send(Found(self.process))

    @rule()
    def everything_is_killed_and_started(self) -> None:
        self.process = False
        self.send(FleetStarts())

    @rule()
    def the_fleet_stops(self) -> None:
        self.send(FleetStops())

    @invariant()
    def no_state_without_process_claims_one(self) -> None:
        if self.record.state not in LIVE:
            assert self.record.pid is None
            assert self.record.started_at is None

    @invariant()
    def restarts_within_the_window_are_bounded(self) -> None:
        policy = self.record.spec.restart
        assert len(self.record.restart_times) <= policy.max_restarts

    @invariant()
    def what_an_operator_stopped_is_never_started_by_itself(self) -> None:
        if self.stopped_by_operator:
            assert self.record.state in (S.STOPPING, S.STOPPED)


Lives.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestLives = Lives.TestCase

"""The life of an agent as a pure function: a record and a signal in, the new record and what must be done out.

    stopped ──start──► pending ──slot──► starting ──launched──► running ◄──pause, resume──► paused
       ▲                 ▲  ▲                │                     │                           │
       │                 │  └─due── backing_off ◄──failed──────────┴───────────────────────────┤
       └──ended── stopping ◄──stop, restart────────────────────────────────────────────────────┘
                                     failed too often ──► quarantined ──resume──► pending

The desired state is what an operator last asked for; it survives every crash, and `ended` reads from it whether the agent
stays stopped. No clock, no chance and no Ray here: they are parameters.
"""

from dataclasses import dataclass, replace
from random import Random

from agents.errors import Conflict
from agents.fleet import AgentRecord
from agents.spec import AgentState, Desired
from supervisor.core import backoff
from supervisor.core.signals import (
    Action,
    CancelOrders,
    Control,
    Due,
    Effect,
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

#: Characters of a failure's cause that are kept, from its end: there it says most.
_CAUSE = 8000


@dataclass(frozen=True, slots=True)
class Step:
    """The record after a signal (the same object if nothing changed) and what must be done."""

    record: AgentRecord
    effects: tuple[Effect, ...] = ()


#: Why an agent is stopped that is to run again with the fleet.
_FLEET_STOPS = "the fleet stops"

#: The states in which an agent has, or is getting, a process.
LIVE = frozenset({S.STARTING, S.RUNNING, S.PAUSED, S.STOPPING})

_UNSETTLED = LIVE - {S.STOPPING} | {S.PENDING, S.BACKING_OFF}


def step(record: AgentRecord, signal: Signal, now: int, random: Random) -> Step:
    """Return what a signal makes of an agent; `now` is wall milliseconds.

    A signal that comes too late (a timer of an agent that was stopped meanwhile) changes nothing.

    Raises:
        Conflict: if an operator asks for what the present state does not allow.
    """
    match signal:
        case Control(action):
            return _control(record, action)
        case Slot(incarnation) if record.state is S.PENDING:
            changed = replace(record, state=S.STARTING, incarnation=incarnation, reason="it is its turn", pid=None)
            return Step(changed)
        case Launched(pid) if record.state is S.STARTING:
            paused = record.desired is Desired.PAUSED
            state, reason = (S.PAUSED, "started, and still paused") if paused else (S.RUNNING, "started")
            return Step(replace(record, state=state, reason=reason, pid=pid, started_at=now), (Pause(True),) if paused else ())
        case Failed() if record.state in LIVE:
            return _failed(record, signal, now, random)
        case Left() if record.state in LIVE:
            return _left(record, now, random)
        case Ended(for_good) if record.state is S.STOPPING:
            return _ended(record, for_good)
        case Due() if record.state is S.BACKING_OFF:
            return _queued(record, "its backoff is over")
        case Found(alive):
            return _found(record, alive, now, random)
        case FleetStarts():
            return _fleet_starts(record)
        case FleetStops() if record.state in _UNSETTLED:
            return _stopping(record, _FLEET_STOPS)
    return Step(record)


def stopped_with_fleet(record: AgentRecord) -> bool:
    """Whether an agent was stopped because its fleet was, and waits for that to start again."""
    return record.state is S.STOPPED and record.desired is not Desired.STOPPED and record.reason == _FLEET_STOPS


def _control(record: AgentRecord, action: Action) -> Step:
    state = record.state
    match action:
        case "start" if state in (S.STOPPED, S.QUARANTINED):
            cleared = replace(record, desired=Desired.RUNNING, failures=0, restart_times=())
            return _queued(cleared, "started by an operator")
        case "stop" if state not in (S.STOPPED, S.STOPPING):
            return _stopping(replace(record, desired=Desired.STOPPED), "stopped by an operator")
        case "stop" if state is S.STOPPING and record.desired is not Desired.STOPPED:
            return Step(replace(record, desired=Desired.STOPPED, reason="stopped by an operator"))
        case "restart" if state in (S.STARTING, S.RUNNING, S.PAUSED):
            return _stopping(replace(record, failures=0), "restarted by an operator")
        case "restart" if state is S.BACKING_OFF:
            return _queued(record, "restarted by an operator")
        case "pause" if state is S.RUNNING:
            changed = replace(record, state=S.PAUSED, desired=Desired.PAUSED, reason="paused by an operator")
            return Step(changed, (Pause(True),))
        case "resume" if state is S.PAUSED:
            changed = replace(record, state=S.RUNNING, desired=Desired.RUNNING, reason="resumed by an operator")
            return Step(changed, (Pause(False),))
        case "resume" if state is S.QUARANTINED:
            cleared = replace(record, desired=Desired.RUNNING, failures=0, restart_times=())
            return _queued(cleared, "resumed by an operator")
    raise Conflict(f"agent {record.spec.id} is {state}, and cannot be asked to {action} now")


def _failed(record: AgentRecord, failed: Failed, now: int, random: Random) -> Step:
    if record.state is S.STOPPING:
        # It died while it was to stop, most likely because it was ended: for its operator that is the same.
        return Step(record, (Kill(),))
    policy = record.spec.restart
    failed_record = replace(record, last_error=f"{failed.failure}: {failed.cause[-_CAUSE:]}", pid=None, started_at=None)
    stable = record.started_at is not None and now - record.started_at >= policy.stable_after * 1000
    failures = 1 if stable else record.failures + 1
    cause = f"{failed.failure}: {failed.summary}"
    if policy.type == "temporary":
        return Step(_at_rest(failed_record, cause), (Kill(), CancelOrders()))
    if failed.final or backoff.exhausted(policy, record.restart_times, now):
        why = cause if failed.final else f"more than {policy.max_restarts} restarts in {policy.window:g} s; the last: {cause}"
        return Step(replace(failed_record, state=S.QUARANTINED, reason=why, failures=failures), (Kill(), CancelOrders()))
    changed = replace(
        failed_record,
        state=S.BACKING_OFF,
        reason=cause,
        failures=failures,
        restarts=record.restarts + 1,
        restart_times=(*backoff.recent(policy, record.restart_times, now), now),
    )
    return Step(changed, (Kill(), Wait(backoff.delay(policy, failures, random))))


def _left(record: AgentRecord, now: int, random: Random) -> Step:
    if record.state is S.STOPPING:
        return Step(record)
    if record.spec.restart.type == "permanent":
        return _failed(record, Failed(Failure.CRASH, "it ended by itself"), now, random)
    return Step(_at_rest(record, "it ended by itself"), (Kill(), CancelOrders()))


def _ended(record: AgentRecord, for_good: bool) -> Step:
    if for_good or record.desired is Desired.STOPPED:
        return Step(_at_rest(record, record.reason), (CancelOrders(),))
    return _queued(record, "restarted by an operator")


def _found(record: AgentRecord, alive: bool, now: int, random: Random) -> Step:
    """Go on where the supervisor's last life ended."""
    match record.state:
        case S.PENDING:
            return Step(record, (Queue(),))
        case S.BACKING_OFF:
            return Step(record, (Wait(backoff.delay(record.spec.restart, record.failures, random)),))
        case S.STOPPING:
            return Step(record, (Stop(),))
        case S.STARTING | S.RUNNING | S.PAUSED:
            if alive:
                # The last life may have ended before the process was told.
                told = () if record.state is S.STARTING else (Pause(record.state is S.PAUSED),)
                return Step(record, (Watch(), *told))
            return _failed(record, Failed(Failure.LOST, "it was gone when the supervisor came back"), now, random)
    # So may its orders.
    return Step(record, (CancelOrders(),))


def _fleet_starts(record: AgentRecord) -> Step:
    """Start what should run; a stopped or quarantined agent stays so, one that was backing off waits no longer."""
    if record.desired is Desired.STOPPED or record.state is S.QUARANTINED:
        if record.state in (S.STOPPED, S.QUARANTINED):
            return Step(record, (CancelOrders(),))
        return Step(_at_rest(record, "it was to be stopped when the fleet ended"), (CancelOrders(),))
    if record.state is S.PENDING:
        return Step(record, (Queue(),))
    return _queued(record, "the fleet was started")


def _stopping(record: AgentRecord, reason: str) -> Step:
    if record.state in (S.STARTING, S.RUNNING, S.PAUSED):
        return Step(replace(record, state=S.STOPPING, reason=reason), (Stop(),))
    return Step(_at_rest(record, reason), (CancelOrders(),))


def _queued(record: AgentRecord, reason: str) -> Step:
    return Step(replace(record, state=S.PENDING, reason=reason, pid=None, started_at=None), (Queue(),))


def _at_rest(record: AgentRecord, reason: str) -> AgentRecord:
    return replace(record, state=S.STOPPED, reason=reason, pid=None, started_at=None)

"""Keeps one agent as its record says: feeds what happens to the pure lifecycle, logs each change, and does what follows."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import ParamSpec, Protocol, TypeVar

from agents.errors import Conflict, PolyfleetError, StaleIncarnation, Unavailable
from agents.fleet import AgentRecord
from agents.ports import Beat, Broker, Ledger
from agents.spec import AgentSpec, AgentState, Desired
from supervisor.agent_actors import PROBE_TIMEOUT, AgentActor, AgentFailed
from supervisor.core import lifecycle
from supervisor.core.signals import (
    CancelOrders,
    Due,
    Effect,
    Ended,
    Failed,
    Failure,
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

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: For how many seconds a heartbeat's answer lets an agent trade.
LEASE = 30.0
#: Seconds between attempts to reach a service that is down.
_RETRY = 0.5


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


class Actors(Protocol):
    """Starts and finds agents' processes."""

    async def launch(self, spec: AgentSpec, incarnation: int) -> AgentActor:
        """Start a process for this life of an agent."""

    async def find(self, agent_id: str) -> AgentActor | None:
        """Return the agent's process if there is one."""


@dataclass(slots=True)
class Surroundings:
    """What all keepers share. `log_change` stores an `agent` event and returns its seq."""

    ledger: Ledger
    actors: Actors
    broker_of: Callable[[str], Broker]
    log_change: Callable[[AgentRecord, str, bool], Awaitable[int]]
    #: How many agents may be starting at once.
    slots: asyncio.Semaphore
    #: Told of each failure that changed an agent's state.
    failed: Callable[[str, Failed], None] = lambda agent_id, failed: None
    #: Set unless the breaker holds back every start.
    may_start: asyncio.Event = field(default_factory=_set_event)
    random: Random = field(default_factory=Random)
    wall: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    #: Set while the whole fleet stops.
    stopping: bool = False


class Keeper:
    """One agent's keeper. `last_beat` is on the monotonic clock, `heartbeat` the same moment in wall milliseconds."""

    def __init__(self, record: AgentRecord, surroundings: Surroundings) -> None:
        self.record = record
        self.last_beat = surroundings.clock()
        self.heartbeat: int | None = None
        self.beat: Beat | None = None
        self.seq = 0
        self._with = surroundings
        self._settled = False
        self._lock = asyncio.Lock()
        #: Held while its health is looked at.
        self._examination = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._actor: AgentActor | None = None
        #: How often it was queued for a start: the latest time counts.
        self._queued = 0
        #: The life that an operator has killed.
        self._killed: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def id(self) -> str:
        """The agent's id."""
        return self.record.spec.id

    @property
    def _broker(self) -> Broker:
        return self._with.broker_of(self.record.spec.wallet)

    async def send(self, signal: Signal, life: int | None = None) -> int:
        """Take a signal (of one life of the agent only, if given) and return the seq of the agent's latest change.

        Raises:
            Conflict: if an operator asks for what the present state does not allow.
        """
        async with self._lock:
            if life is not None and life != self.record.incarnation:
                return self.seq
            now = int(self._with.wall() * 1000)
            step = lifecycle.step(self.record, signal, now, self._with.random)
            if step.record != self.record:
                self.seq = await self._with.log_change(step.record, "state", False)
                self.record = step.record
                self._settled = self.settled
                if isinstance(signal, Failed):
                    self._with.failed(self.id, signal)
                async with self._changed:
                    self._changed.notify_all()
            for effect in step.effects:
                self._spawn(self._carry_out(effect, self.record.incarnation))
            return self.seq

    @property
    def settled(self) -> bool:
        """Whether the agent has been started, or need not be."""
        return self._settled or self.record.state not in (AgentState.PENDING, AgentState.STARTING)

    async def at_rest(self, timeout: float) -> bool:
        """Wait until the agent is stopped or quarantined, at most so many seconds; return whether it is."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: self.record.state in (AgentState.STOPPED, AgentState.QUARANTINED))
        except TimeoutError:
            return False
        return True

    async def change(self, spec: AgentSpec) -> int:
        """Log a changed spec, tell the process, and return the seq."""
        async with self._lock:
            self.record = replace(self.record, spec=spec)
            self.seq = await self._with.log_change(self.record, "updated", True)
        if self._actor is not None and self.record.state in (AgentState.RUNNING, AgentState.PAUSED):
            await self._configure(self._actor)
        return self.seq

    async def _configure(self, actor: AgentActor) -> None:
        try:
            await actor.configure(self.record.spec)
        except AgentFailed as error:
            log.warning("agent %s did not take its changed spec: %s", self.id, error)

    async def kill(self) -> int:
        """Kill the process, as a crash would, and return the seq of the agent's latest change.

        Raises:
            Conflict: if it is not at work.
        """
        if self._actor is None or self.record.state not in (AgentState.RUNNING, AgentState.PAUSED):
            raise Conflict(f"agent {self.id} is {self.record.state}; only the process of a running or paused one can be killed")
        log.warning("an operator kills the process of agent %s, life %d", self.id, self.record.incarnation)
        self._killed = self.record.incarnation
        await self._actor.kill()
        return self.seq

    def take(self, life: int, beat: Beat) -> float:
        """Take a heartbeat and return the lease in seconds.

        Raises:
            StaleIncarnation: if another life of the agent is, or none should be.
        """
        if life != self.record.incarnation or self.record.state not in lifecycle.LIVE:
            raise StaleIncarnation(f"agent {self.id}: life {life} is over; {self.record.incarnation} is {self.record.state}")
        self.last_beat = self._with.clock()
        self.heartbeat = int(self._with.wall() * 1000)
        self.beat = beat
        return LEASE

    async def look_for(self) -> Found:
        """Return whether the process that the record speaks of is alive, and take charge of it if it is."""
        actor = await self._with.actors.find(self.id)
        alive = actor is not None and await actor.lives_as(self.record.incarnation)
        self._actor = actor if alive else None
        return Found(alive)

    async def examine(self, patience: float = 0.0) -> None:
        """Fail the agent if its heartbeat or its progress is overdue by more than `patience` seconds.

        Shortly before a deadline it is asked for its stack: one that does not answer is not noticed later for that.
        """
        if self.record.state not in (AgentState.RUNNING, AgentState.PAUSED) or self._examination.locked():
            return
        async with self._examination:
            life = self.record.incarnation
            soon = self._overdue(patience - PROBE_TIMEOUT)
            asked = self._actor if soon and soon.failure is not Failure.MEMORY else None
            stack = await asked.stack() if asked else ""
            if failed := self._overdue(patience):
                await self.send(replace(failed, cause=f"{stack}\n{failed.cause}".strip("\n")), life)

    def _overdue(self, patience: float) -> Failed | None:
        policy, beat = self.record.spec.restart, self.beat
        silent = self._with.clock() - self.last_beat
        if silent - patience > policy.heartbeat_deadline:
            return Failed(Failure.HUNG, f"no heartbeat for {silent:.1f} s")
        if beat and beat.since_progress - patience > policy.progress_deadline:
            return Failed(Failure.NO_PROGRESS, f"its decision round has taken {beat.since_progress:.1f} s")
        if beat and beat.memory > policy.memory_limit:
            cause = f"its private memory is {beat.memory:.0f} MB, and its limit {policy.memory_limit:g} MB"
            return Failed(Failure.MEMORY, cause)
        return None

    async def _carry_out(self, effect: Effect, life: int) -> None:
        try:
            await self._perform(effect, life)
        except Exception as error:
            log.exception("keeping agent %s failed", self.id)
            if self._is_owed(effect, life):
                await asyncio.sleep(_RETRY)
                self._spawn(self._carry_out(effect, life))
                return
            # Nobody would watch it any more: a new life is better than one without a keeper.
            cause = f"what its keeper had to do failed: {type(error).__name__}: {error}"
            await self.send(Failed(Failure.CRASH, cause), None if isinstance(effect, Queue) else life)

    def _is_owed(self, effect: Effect, life: int) -> bool:
        """Whether an effect that failed must be tried again: a failure of the agent would not bring it about."""
        match effect:
            case Queue():
                return self.record.state is AgentState.PENDING
            case Stop():
                return (self.record.state, self.record.incarnation) == (AgentState.STOPPING, life)
        return isinstance(effect, CancelOrders)

    async def _perform(self, effect: Effect, life: int) -> None:
        match effect:
            case Queue():
                await self._bring_up()
            case Watch() if self._actor:
                await self._take_charge(self._actor, life)
            case Wait(seconds):
                await asyncio.sleep(seconds)
                await self.send(Due())
            case Stop():
                await self._bring_down(life)
            case Kill() if self._actor:
                await self._actor.kill()
            case Pause(paused) if self._actor:
                await self._pause(self._actor, paused)
            case CancelOrders():
                await self._until_done(self._broker.cancel_agent, self.id)

    async def _bring_up(self) -> None:
        self._queued += 1
        turn = self._queued
        await self._with.may_start.wait()
        await self._until_wallet_is_ready()
        async with self._with.slots:
            if self.record.state is not AgentState.PENDING or turn != self._queued:
                return
            life = await self._until_done(self._with.ledger.open_source, f"agent:{self.id}")
            if turn != self._queued:
                return
            seq = await self.send(Slot(life))
            # While its broker reads the log up to there, the process starts.
            admission = asyncio.ensure_future(self._until_done(self._broker.admit, self.id, life, seq))
            spec = self.record.spec
            try:
                self._actor = actor = await self._with.actors.launch(spec, life)
            except Unavailable as error:
                await self.send(Failed(Failure.STARTUP, str(error), external=True), life)
                return
            finally:
                await admission
            if (self.record.state, self.record.incarnation) != (AgentState.STARTING, life):
                # It was stopped meanwhile, when there was no process to end yet.
                await actor.kill()
                return
            await self._begin(actor, life, spec)
        self._spawn(self._carry_out(Watch(), life))

    async def _begin(self, actor: AgentActor, life: int, launched: AgentSpec | None = None) -> None:
        """Let a process begin, and give it the spec if that is another than it was `launched` with, or that is not known."""
        timeout = self.record.spec.restart.start_timeout
        try:
            async with asyncio.timeout(timeout):
                pid = await actor.begin(self.record.desired is Desired.PAUSED)
        except AgentFailed as error:
            await self.send(error.failed, life)
        except TimeoutError:
            await self.send(Failed(Failure.STARTUP, f"it did not start within {timeout:g} s", external=True), life)
        else:
            self.last_beat, self.beat = self._with.clock(), None
            await self.send(Launched(pid), life)
            if self.record.spec != launched and self.record.state in (AgentState.RUNNING, AgentState.PAUSED):
                await self._configure(actor)

    async def _take_charge(self, actor: AgentActor, life: int) -> None:
        """Wait for the end of a life, whatever it is; one that a former supervisor launched may not have begun yet."""
        if (self.record.state, self.record.incarnation) == (AgentState.STARTING, life):
            async with self._with.slots:
                await self._begin(actor, life)
        try:
            await actor.run()
        except AgentFailed as error:
            killed = life == self._killed
            await self.send(Failed(Failure.CRASH, "an operator killed its process") if killed else error.failed, life)
        else:
            await self.send(Left(), life)

    async def _pause(self, actor: AgentActor, paused: bool) -> None:
        try:
            await actor.pause(paused)
        except AgentFailed as error:
            log.info("agent %s failed before it could be paused: %s", self.id, error)
        if paused:
            await self._until_done(self._broker.cancel_agent, self.id)

    async def _bring_down(self, life: int) -> None:
        """Let the round end, cancel the orders, end the process, and only then say so."""
        actor = self._actor or await self._with.actors.find(self.id)
        if actor is not None:
            try:
                async with asyncio.timeout(self.record.spec.restart.stop_timeout):
                    await actor.stop()
                    await actor.run()
            except (AgentFailed, TimeoutError) as error:
                log.warning("agent %s did not stop by itself: %s", self.id, error or "it was not in time")
            await actor.kill()
        self._actor = None
        try:
            await self._broker.cancel_agent(self.id)
        except PolyfleetError as error:
            log.warning("the orders of agent %s are cancelled later: %s", self.id, error)
        await self.send(Ended(for_good=self._with.stopping), life)

    async def _until_wallet_is_ready(self) -> None:
        while True:
            if await self._until_done(self._broker.ready):
                return
            await asyncio.sleep(_RETRY)

    async def _until_done(self, ask: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask a service again and again until it can be reached."""
        while True:
            try:
                return await ask(*args, **kwargs)
            except Unavailable as error:
                log.info("keeping agent %s waits: %s", self.id, error)
                await asyncio.sleep(_RETRY)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("keeping agent %s failed", self.id, exc_info=error)

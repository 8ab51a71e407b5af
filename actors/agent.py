"""One agent's process: it looks, decides, logs what it decided and hands it to its broker; nothing heavy is imported here."""

import asyncio
import contextlib
import logging
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psutil

from actors import remote
from actors.event_source import EventSource
from actors.outlook import Outlook
from actors.pace import SHORTEST, Pace
from actors.program import Program
from actors.system import SystemConfig
from agents import facts
from agents.agent import Agent, Plan
from agents.errors import StaleIncarnation, Unavailable
from agents.events import Event, Type
from agents.model import Decision, MarketView, View
from agents.money import text
from agents.ports import Beat, Broker, Forecaster, Intent, Ledger, MarketFeed, Snapshot, Supervisor
from agents.process_protocol import Report
from agents.spec import AgentSpec

log = logging.getLogger(__name__)

#: Seconds between heartbeats.
BEAT_EVERY = 2.0
#: Seconds for which a heartbeat's answer lets an agent trade.
LEASE = 30.0
#: Seconds that an agent without a lease lives on, for its supervisor to come back.
ORPHAN_AFTER = 90.0
#: Rounds in a row that may fail before the agent does.
_PATIENCE = 3
#: Seconds between rounds that found a service missing.
_RETRY = 1.0
#: Seconds that the forecaster may take to say what it knows.
_FORECASTS = 5.0


class AgentService:
    """The life of one incarnation. `begin` starts it, `run` returns when it has stopped and raises when it failed."""

    def __init__(
        self,
        config: SystemConfig,
        spec: dict[str, Any],
        incarnation: int,
        *,
        ledger: Ledger | None = None,
        feed: MarketFeed | None = None,
        broker: Broker | None = None,
        supervisor: Supervisor | None = None,
        forecaster: Forecaster | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._spec = AgentSpec.model_validate(spec)
        self._incarnation = incarnation
        self._source = EventSource(f"agent:{self._spec.id}", incarnation, ledger or remote.ledger())
        self._feed = feed or remote.market_feed()
        self._broker = broker or remote.broker_of(self._spec.wallet)
        self._supervisor = supervisor or remote.supervisor(deadline=BEAT_EVERY * 5)
        self._outlook = Outlook(self._spec.id, forecaster or remote.forecaster(deadline=_FORECASTS))
        self._clock = clock
        self._agent: Agent | None = None
        self._markets: dict[str, MarketView] = {}
        self._version = 0
        self._paused = False
        self._stopping = asyncio.Event()
        #: Held while it begins: a supervisor that takes over may ask for that once more.
        self._beginning = asyncio.Lock()
        #: Held while a round is under way.
        self._turn = asyncio.Lock()
        self._life: asyncio.Task[None] | None = None
        self._beats: asyncio.Task[None] | None = None
        self._lease = clock() + LEASE
        #: When the round that is under way began.
        self._round_began: float | None = None
        self._rounds = 0
        self._failures = 0
        self._last_error: str | None = None
        self._lag = 0.0
        #: Decisions that the ledger has not acknowledged yet.
        self._outbox = 0
        self._program = Program(self._stopping.set)

    async def start(self) -> None:
        """Do nothing: what can fail is in `begin`, whose caller is told."""

    async def begin(self, paused: bool = False) -> int:
        """Make the strategy and begin to decide; return the process id. Raises InvalidInput for a spec that cannot work."""
        async with self._beginning:
            if self._life is None:
                self._agent = Agent(self._spec)
                await self._program.begin(self._spec, self._agent.strategy.command)
                self._paused = paused
                self._life = asyncio.create_task(self._live(self._agent))
                self._beats = asyncio.create_task(self._beat())
                how = ", paused" if paused else ""
                log.info("life %d begins with strategy %s%s", self._incarnation, self._spec.strategy, how)
        return os.getpid()

    async def run(self) -> None:
        """Wait until the agent has stopped; raises what made it fail."""
        if self._life is not None:
            await asyncio.shield(self._life)

    async def stop(self) -> None:
        """Finish the round, then let `run` return."""
        log.info("life %d stops", self._incarnation)
        self._stopping.set()

    async def pause(self, paused: bool) -> None:
        """Stop or go on deciding; answers when no round is under way that began before."""
        log.info("paused" if paused else "resumed")
        self._paused = paused
        async with self._turn:
            return

    async def configure(self, spec: dict[str, Any]) -> None:
        """Take a changed spec."""
        self._spec = AgentSpec.model_validate(spec)
        self._markets, self._version = {}, 0
        if self._agent is not None:
            self._agent.configure(self._spec)
            await self._program.begin(self._spec, self._agent.strategy.command)

    async def control_describe(self) -> dict[str, Any]:
        """Return who this is; it runs on the control thread."""
        return {"agentId": self._spec.id, "incarnation": self._incarnation, "pid": os.getpid(), "rounds": self._rounds}

    async def _live(self, agent: Agent) -> None:
        try:
            await self._decide(agent)
        finally:
            await self._program.stop()
        self._program.check()

    async def _decide(self, agent: Agent) -> None:
        pace = Pace(self._clock)
        while not self._stopping.is_set():
            if self._paused or self._clock() > self._lease:
                await self._sleep(_RETRY)
                continue
            try:
                async with self._turn:
                    self._round_began = self._clock()
                    now = await self._round(agent)
            except StaleIncarnation:
                raise
            except Unavailable as error:
                # Not this agent's failure: the supervisor sees to the service that is missing.
                self._last_error = str(error)
                await self._sleep(_RETRY)
                continue
            except Exception as error:
                self._failures += 1
                self._last_error = f"{type(error).__name__}: {error}"
                log.warning("round %d failed (%d in a row)", self._rounds, self._failures, exc_info=error)
                if self._failures >= _PATIENCE:
                    raise
                await self._sleep(_RETRY)
                continue
            finally:
                self._round_began = None
            self._failures = 0
            self._last_error = self._outlook.waiting or None
            self._rounds += 1
            await self._rest(pace, now)

    async def _round(self, agent: Agent) -> int:
        snapshot = await self._look()
        for id in snapshot.gone:
            self._markets.pop(id, None)
        self._markets |= {view.market.condition_id: view for view in snapshot.changed}
        self._version = snapshot.version
        account = await self._broker.account(self._spec.id)
        seed = zlib.crc32(f"{self._config.seed}/{self._spec.id}/{self._incarnation}/{self._rounds}".encode())
        view = await self._foreseen(agent, View(snapshot.now, tuple(self._markets.values()), account, seed))
        # The last thing before it decides: a line is told once, and a round that fails before this has not heard it.
        plan = agent.step(replace(view, said=self._program.lines()))
        for remark in agent.strategy.remarks:
            log.warning("%s", remark)
        if agent.strategy.reports:
            await self._source.store([self._reported(report, snapshot.now) for report in agent.strategy.reports])
        intents = await self._logged(plan, snapshot.now)
        if intents or plan.cancels:
            placed = await self._broker.execute(self._spec.id, self._incarnation, intents, plan.cancels)
            for intent, outcome in zip(intents, placed, strict=True):
                agent.report(intent.decision, outcome)
                log.info("%s: %s", _shown(intent.decision), outcome.status + (f", {outcome.reason}" if outcome.reason else ""))
        return snapshot.now

    async def _look(self) -> Snapshot:
        """Return what has changed of the markets; again where the spec did meanwhile, as that may want others."""
        while True:
            spec = self._spec
            snapshot = await self._feed.snapshot(spec.markets, self._version)
            if spec is self._spec:
                return snapshot

    async def _foreseen(self, agent: Agent, view: View) -> View:
        """Return the view with the forecasts that the strategy wants, as far as they are there."""
        strategy = agent.strategy
        if strategy.recipe is None:
            return view
        return replace(
            view, forecasts=await self._outlook.look(self._spec.strategy, strategy.recipe, strategy.wanted(view), view)
        )

    async def _logged(self, plan: Plan, now: int) -> list[Intent]:
        """Store the decisions, and only then return those that are for the broker, each under its event's id."""
        events = [self._event(decision, now) for decision in plan.decisions]
        self._outbox = len(events)
        if events:
            await self._source.store(events, waiting=self._log_is_away)
            self._outbox = 0
        pairs = zip(plan.decisions, events, strict=True)
        return [Intent(event.id, decision) for decision, event in pairs if decision.action != "hold"]

    def _log_is_away(self, error: Unavailable) -> None:
        """Begin the round anew, as it were: to wait for the log, however long, is no lack of progress."""
        self._last_error = str(error)
        self._round_began = self._clock()

    def _event(self, decision: Decision, now: int) -> Event:
        event = self._source.event(Type.DECISION, {}, self._spec.id)
        return replace(event, data=facts.decision_data(decision, id=event.id, timestamp=event.timestamp, venue_time=now))

    def _reported(self, report: Report, now: int) -> Event:
        event = self._source.event(report.type, {}, self._spec.id)
        return replace(event, data={**report.data, "id": event.id, "timestamp": event.timestamp, "venueTime": now})

    async def _rest(self, pace: Pace, now: int) -> None:
        """Sleep until the next round is due on the venue's clock, and at least a wall second."""
        pace.decided(now, self._spec.interval)
        await self._sleep(SHORTEST)
        while not self._stopping.is_set() and (left := pace.left()) > 0:
            await self._sleep(min(left, pace.horizon))
            if left > pace.horizon:
                with contextlib.suppress(Unavailable):
                    pace.see(await self._feed.now())

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _beat(self) -> None:
        while True:
            due = self._clock() + BEAT_EVERY
            await asyncio.sleep(BEAT_EVERY)
            self._lag = max(0.0, self._clock() - due)
            beat = Beat(
                pid=os.getpid(),
                loop_lag=self._lag,
                since_progress=0.0 if self._round_began is None else self._clock() - self._round_began,
                rounds=self._rounds,
                memory=_private_memory(),
                last_error=self._last_error,
                tick_failures=self._failures,
                outbox=self._outbox,
            )
            try:
                self._lease = self._clock() + await self._supervisor.beat(self._spec.id, self._incarnation, beat)
            except StaleIncarnation as error:
                log.error("%s; this process ends", error)
                os._exit(0)
            except Unavailable:
                if self._clock() > self._lease + ORPHAN_AFTER:
                    log.error("no supervisor has answered for too long; this process ends")
                    os._exit(0)


def _shown(decision: Decision) -> str:
    size, price = text(decision.size), text(decision.price)
    return f"{decision.action} {size} {decision.outcome} @ {price} {decision.market.question}"


def _private_memory() -> float:
    """Return the megabytes of memory that this process shares with no file.

    What it has in common with the fork server counts, as if it had loaded that itself: to tell them apart takes milliseconds.
    """
    memory = psutil.Process().memory_info()
    return float(memory.rss - getattr(memory, "shared", 0)) / 1e6

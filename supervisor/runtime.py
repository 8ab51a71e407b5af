"""The supervisor: starts, watches and restarts agents and shared actors, and is the only one who may be asked to."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import limits
import ray
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from pydantic import ValidationError

from actors import naming, remote
from actors.event_source import EventSource
from actors.follower import Follower
from actors.system import SystemConfig, spawn
from agents.errors import Conflict, InvalidInput, NotFound, PolyfleetError, StaleIncarnation, Unavailable
from agents.events import Type
from agents.fleet import AgentRecord, FleetState, ServiceRecord, agent_data
from agents.limits.exposure import FLEET, agent_of, agent_scope, wallet_scope
from agents.limits.settings import RiskSettings
from agents.limits.state import LIFTABLE, Rule, limits_data, resumed_data
from agents.ports import Beat, Broker
from agents.spec import AgentSpec, AgentState
from agents.validation import invalid
from supervisor.agent_actors import AgentActors
from supervisor.application_watch import ApplicationWatch
from supervisor.core.breaker import Breaker, Deaths
from supervisor.core.claims import Claims
from supervisor.core.lifecycle import stopped_with_fleet
from supervisor.core.signals import Action, Control, Failed, FleetStarts, FleetStops
from supervisor.equity_watch import EquityWatch
from supervisor.fleet_file import read_fleet_file
from supervisor.keeper import Keeper, Surroundings
from supervisor.registry import Registry
from supervisor.services import LEDGER, ServiceKeeper, services_of

T = TypeVar("T")

log = logging.getLogger(__name__)

SOURCE = "supervisor"

#: Seconds between looks at every agent's heartbeat, and the gap beyond which the supervisor itself was away.
_LOOK = 0.5
_AWAY = 5.0
#: Seconds for all agents to stop when the fleet does.
_STOP_TIMEOUT = 25.0
#: Seconds that the kill switch waits for the wallets before it answers; it goes on trying to reach them.
_HALT_TIMEOUT = 5.0
_RETRY = 0.2

#: The document that says which agents of the fleet file were created once: a deleted one does not come back.
_ROSTER = "roster"


class SupervisorService:
    """The service behind `agents.ports.Supervisor`."""

    def __init__(self, config: SystemConfig) -> None:
        self._config = config
        self._ledger = remote.ledger()
        self._follower = Follower(self._ledger, SOURCE)
        self._buckets = FixedWindowRateLimiter(MemoryStorage())
        self._claims = Claims()
        self._surroundings = Surroundings(
            ledger=self._ledger,
            actors=AgentActors(config),
            broker_of=remote.broker_of,
            log_change=self._log_change,
            slots=asyncio.Semaphore(os.cpu_count() or 2),
            failed=self._agent_failed,
        )
        self._breaker = Breaker()
        self._deaths = Deaths(self._tell_of_deaths)
        wallets = tuple(wallet.name for wallet in config.wallets)
        self._agents = Registry(self._surroundings, wallets, self._state)
        self._source: EventSource | None = None
        #: What tells the brokers to halt, or not to.
        self._halting: asyncio.Task[object] | None = None
        self._tasks: set[asyncio.Task[object]] = set()

    async def start(self) -> None:
        """Take charge of all there is: of a new cluster, or of what a former life of this actor left."""
        await asyncio.to_thread(spawn, LEDGER.name, LEDGER.path, self._config, LEDGER.arguments)
        incarnation = await _patiently(self._ledger.open_source, SOURCE)
        self._source = EventSource(SOURCE, incarnation, self._ledger)
        self._follower.start()
        state = await self._followed()
        resumed = bool(ray.get_runtime_context().was_current_actor_reconstructed)
        for spec in (LEDGER, *services_of(self._config)):
            record = state.services.get(spec.name) or ServiceRecord()
            # In a new cluster every process is another one, and none was restarted for that.
            known = record if resumed else ServiceRecord(restarts=record.restarts)
            self._run(ServiceKeeper(spec, self._config, known, self._log_service).keep())
        known = state.services.get(naming.SUPERVISOR) or ServiceRecord()
        await self._log_service(naming.SUPERVISOR, ServiceRecord("running", known.restarts + resumed, os.getpid()))
        if state.tripped:
            self._surroundings.may_start.clear()
        self._agents.restore(state)
        self._surroundings.stopping = resumed and any(map(stopped_with_fleet, state.agents.values()))
        # Those that were being started first: they take their slots before the others ask for one.
        for starting in (True, False):
            keepers = [each for each in self._agents.keepers.values() if (each.record.state is AgentState.STARTING) is starting]
            await asyncio.gather(*(self._take_up(keeper, resumed) for keeper in keepers))
        await self._adopt_fleet_file()
        # In either case: a former life may have logged it and died before it told them.
        self._tell_brokers(state.halted)
        self._run(self._look_after_agents())
        feed = remote.market_feed(deadline=10.0)
        self._run(EquityWatch(self._state, feed, lambda data: self._store(Type.EQUITY, data)).run())
        self._run(ApplicationWatch(naming.APPLICATIONS, self.shutdown).run())

    async def begin(self) -> None:
        """Let the fleet run again after `shutdown`; without effect on one that runs."""
        if self._surroundings.stopping:
            self._surroundings.stopping = False
            await self._agents.send_all(FleetStarts())

    async def shutdown(self) -> None:
        """Stop every agent and keep them stopped; what is desired of them stays as it is."""
        self._surroundings.stopping = True
        await self._agents.send_all(FleetStops())
        resting = [keeper.at_rest(_STOP_TIMEOUT) for keeper in self._agents.keepers.values()]
        await asyncio.gather(*resting)

    # What operators and agents ask.

    async def beat(self, agent_id: str, incarnation: int, beat: Beat) -> float:
        """Take a heartbeat and return the lease in seconds."""
        try:
            return self._agents.keeper(agent_id).take(incarnation, beat)
        except NotFound as error:
            raise StaleIncarnation(str(error)) from None

    async def create(self, spec: dict[str, Any]) -> int:
        """Create and, if enabled, start an agent."""
        try:
            return await self._agents.create(AgentSpec.model_validate(spec))
        except ValidationError as error:
            raise invalid(error) from None

    async def update(self, agent_id: str, changes: dict[str, Any]) -> int:
        """Change fields of a spec while it runs."""
        return await self._agents.update(agent_id, changes)

    async def delete(self, agent_id: str) -> int:
        """Stop an agent, if need be, and remove it."""
        return await self._agents.delete(agent_id)

    async def control(self, agent_id: str, action: Action) -> int:
        """Start, stop, pause, resume or restart an agent; to resume one lifts its stops for losses, too."""
        keeper = self._agents.keeper(agent_id)
        if action != "resume" or not (stops := self._liftable(agent_scope(agent_id))):
            return await keeper.send(Control(action))
        seq = await self._lift(agent_scope(agent_id), stops)
        waits = keeper.record.state in (AgentState.PAUSED, AgentState.QUARANTINED)
        return max(seq, await keeper.send(Control(action))) if waits else seq

    async def resume_trading(self, scope: str) -> int:
        """Lift the stops for losses of a scope."""
        state = self._state()
        known = {FLEET, *map(agent_scope, state.agents), *(wallet_scope(wallet.name) for wallet in self._config.wallets)}
        if scope not in known:
            raise NotFound(f"scope: there is no {scope!r}; GET /api/risk lists them")
        if not (stops := self._liftable(scope)):
            raise Conflict(f"scope: no loss has stopped {scope}")
        return await self._lift(scope, stops)

    def _liftable(self, scope: str) -> list[Rule]:
        return [rule for rule in self._state().risk.stops.get(scope, {}) if rule in LIFTABLE]

    async def _lift(self, scope: str, rules: list[Rule]) -> int:
        message = f"{', '.join(rules)}: an operator lets {scope} buy again; losses are measured from now on"
        (seq,) = await self._store(Type.RISK, resumed_data(scope, rules, message), agent_of(scope))
        return seq

    async def kill(self, agent_id: str) -> int:
        """Kill an agent's process, to see it come back."""
        return await self._agents.keeper(agent_id).kill()

    async def reload(self) -> tuple[list[str], list[str], int]:
        """Read the fleet file again: (created, changed, seq). Raises InvalidInput or Conflict, and changes nothing then."""
        if self._config.fleet_file is None:
            raise InvalidInput("this fleet was started without a fleet file")
        specs, limits = await asyncio.to_thread(read_fleet_file, Path(self._config.fleet_file))
        done = await self._agents.reload(list(specs))
        seq = await self._set_limits(limits)
        known = set(await self._ledger.document(_ROSTER) or ())
        await self._ledger.put_document(_ROSTER, sorted(known | {spec.id for spec in specs}))
        return done.created, done.changed, max(done.seq, seq)

    async def kill_switch(self, reason: str | None, flatten: bool = False) -> int:
        """Stop all trading and cancel all orders for a reason, or lift that, and the breaker's halt, with None.

        With `flatten` the brokers also sell out, from when they read of it in the log until it is lifted.
        """
        return await self._throw(reason, by="operator", flatten=flatten)

    async def _throw(self, reason: str | None, by: str, *, flatten: bool = False) -> int:
        data = {
            "kind": "kill_switch",
            "on": reason is not None,
            "flatten": flatten and reason is not None,
            "reason": reason or "lifted by an operator",
            "by": by,
        }
        halting = self._tell_brokers(reason) if reason is not None else None
        (seq,) = await self._store(Type.RISK, data)
        if by == "breaker":
            self._surroundings.may_start.clear()
        elif reason is None:
            self._surroundings.may_start.set()
        # A halt does not wait for the log; to lift one does.
        await asyncio.wait({halting or self._tell_brokers(None)}, timeout=_HALT_TIMEOUT)
        return seq

    def _tell_brokers(self, reason: str | None) -> asyncio.Task[object]:
        """Begin to halt the brokers, or to lift that, in place of what they were to be told before."""
        if self._halting is not None:
            self._halting.cancel()
        self._halting = self._run(self._halt_brokers(reason))
        return self._halting

    async def decide(self, approval_id: str, approve: bool, by: str) -> int:
        """Approve or reject orders that wait for a person; their wallet's broker does it, one decision after the other."""
        waiting = [order.wallet for order in self._state().waiting.values() if order.approval.id == approval_id]
        # What was decided a moment ago, or asked, may not be in the state: a broker knows.
        refused: PolyfleetError = NotFound(f"Nothing waits under {approval_id!r}; GET /api/approvals lists what does")
        for wallet in waiting[:1] or [wallet.name for wallet in self._config.wallets]:
            try:
                await remote.broker_of(wallet).decide(approval_id, approve, by)
            except NotFound as error:
                refused = error
            else:
                return await self._ledger.head()
        raise refused

    async def beats(self) -> dict[str, tuple[int, Beat]]:
        """Return each agent's last heartbeat, and when it came in wall milliseconds."""
        keepers = self._agents.keepers.items()
        return {id: (keeper.heartbeat, keeper.beat) for id, keeper in keepers if keeper.heartbeat and keeper.beat}

    async def ready(self) -> dict[str, bool]:
        """Return what `/ready` needs: {wallets, agents}, each true when done."""
        try:
            wallets = all([await remote.broker_of(wallet.name).ready() for wallet in self._config.wallets])
        except Unavailable:
            wallets = False
        return {"wallets": wallets, "agents": all(keeper.settled for keeper in self._agents.keepers.values())}

    async def hit(self, bucket: str, limit: str, cost: int = 1) -> tuple[bool, int, int]:
        """Count `cost` requests, all or none, against a shared rate limit: (allowed, remaining, seconds to reset)."""
        item = limits.parse(limit)
        allowed = self._buckets.hit(item, bucket, cost=cost)
        stats = self._buckets.get_window_stats(item, bucket)
        return allowed, stats.remaining, max(0, round(stats.reset_time - time.time()))

    async def claim(self, key: str, holder: str, seconds: float) -> bool:
        """Claim a key for so many seconds at most; False if another holder has it."""
        return self._claims.take(key, holder, seconds)

    async def release(self, key: str, holder: str) -> None:
        """Give a claim back; one that is another's by now stays."""
        self._claims.release(key, holder)

    # What it does by itself.

    async def _take_up(self, keeper: Keeper, resumed: bool) -> None:
        found = await keeper.look_for()
        await keeper.send(found if resumed or found.alive else FleetStarts())

    async def _adopt_fleet_file(self) -> None:
        """Let the limits of the fleet file stand, and create its agents that were never created before."""
        if self._config.fleet_file is None:
            return
        known = set(await self._ledger.document(_ROSTER) or ())
        try:
            specs, limits = await asyncio.to_thread(read_fleet_file, Path(self._config.fleet_file))
            await self._set_limits(limits)
            await self._agents.adopt([spec for spec in specs if spec.id not in known])
        except PolyfleetError as error:
            log.error("the fleet file is left as it is: %s", error)
            await self._store(Type.ERROR, {"message": str(error), "code": "fleet_file"})
        else:
            await self._ledger.put_document(_ROSTER, sorted(known | {spec.id for spec in specs}))

    async def _set_limits(self, limits: RiskSettings) -> int:
        """Log the fleet's limits if they are others than those of the log; return the seq, or 0."""
        if limits == self._state().risk.settings:
            return 0
        (seq,) = await self._store(Type.RISK, limits_data(limits))
        return seq

    async def _look_after_agents(self) -> None:
        """Notice agents that hang. After an absence of the supervisor itself every deadline is that much later."""
        last = time.monotonic()
        patience = 0.0
        while True:
            await asyncio.sleep(_LOOK)
            gap, last = time.monotonic() - last, time.monotonic()
            patience = patience + gap if gap > _AWAY else max(0.0, patience - gap)
            for keeper in self._agents.keepers.values():
                # Not one after the other: a frozen agent takes its time to be asked.
                self._run(keeper.examine(patience))
            self._deaths.tick(last)

    def _agent_failed(self, agent_id: str, failed: Failed) -> None:
        now = time.monotonic()
        self._deaths.note(agent_id, failed, now)
        total = len(self._agents.keepers)
        if self._surroundings.may_start.is_set() and (trip := self._breaker.note(agent_id, failed, now, total)):
            # At once, so that nobody starts while it is on its way to the log.
            self._surroundings.may_start.clear()
            self._run(self._trip(trip.sentence(total)))

    async def _trip(self, reason: str) -> None:
        log.error("the breaker halts the fleet: %s", reason)
        await self._throw(f"breaker: {reason}", by="breaker")

    def _tell_of_deaths(self, agents: tuple[str, ...], cause: str) -> None:
        message = f"{len(agents)} agents failed together and are started again, a few at a time; the first: {cause}"
        self._run(self._store(Type.RISK, {"kind": "deaths", "agents": list(agents), "message": message}))

    async def _halt_brokers(self, reason: str | None) -> None:
        async def halt(broker: Broker) -> None:
            while True:
                try:
                    await broker.halt(reason)
                    if reason is not None:
                        await broker.cancel_all()
                except Unavailable as error:
                    log.warning("the kill switch has not reached a wallet yet: %s", error)
                    await asyncio.sleep(_RETRY)
                else:
                    return

        await asyncio.gather(*(halt(remote.broker_of(wallet.name)) for wallet in self._config.wallets))

    async def _followed(self) -> FleetState:
        head = await _patiently(self._ledger.head)
        while not await self._follower.reached(head, 5.0):
            log.warning("the log is still being read")
        return self._state()

    def _state(self) -> FleetState:
        state = self._follower.state
        if state is None:
            raise Unavailable("The log is still being read; try again in a moment")
        return state

    async def _log_change(self, record: AgentRecord, change: str, with_spec: bool) -> int:
        (seq,) = await self._store(Type.AGENT, agent_data(record, change, with_spec=with_spec), record.spec.id)
        return seq

    async def _log_service(self, name: str, record: ServiceRecord) -> None:
        data = {"kind": "service", "name": name, "state": record.state, "restarts": record.restarts, "pid": record.pid}
        await self._store(Type.INFO, data)

    async def _store(self, kind: Type, data: dict[str, Any], agent_id: str | None = None) -> list[int]:
        """Store an event, however long the ledger is away; another supervisor on the same log ends this one."""
        assert self._source is not None
        try:
            return await self._source.store([self._source.event(kind, data, agent_id)])
        except StaleIncarnation as error:
            log.critical("another supervisor has taken over: %s", error)
            os._exit(1)

    def _run(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # Without one of its duties the supervisor is no good; a new life of it takes over at once.
            log.critical("the supervisor failed", exc_info=error)
            os._exit(1)


async def _patiently(ask: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Ask a service that may still be starting."""
    while True:
        try:
            return await ask(*args)
        except Unavailable:
            await asyncio.sleep(_RETRY)

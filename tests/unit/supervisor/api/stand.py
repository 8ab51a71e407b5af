"""The API on a real ledger, with stand-ins for the parts that would need Ray or a venue."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, cast

import limits
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.types import ASGIApp

from actors.event_source import EventSource
from actors.follower import Follower
from actors.notifier import NotifierService
from actors.system import SystemConfig
from actors.telegram.settings import keep_token
from agents.approvals import Approval, WaitingOrder
from agents.errors import Conflict, InvalidInput, NotFound, Unavailable
from agents.events import Event, Type
from agents.fleet import AgentRecord, agent_data
from agents.limits.state import Rule, resumed_data
from agents.model import Book, FeeSchedule, Level, Market, MarketView
from agents.money import ONE, Micro, micro
from agents.ports import Beat, Broker, Endpoints, Ledger, MarketFeed, Queues, Snapshot
from agents.spec import AgentSpec, AgentState, Desired
from agents.strategies import registry as strategies
from supervisor.api.context import FleetContext
from supervisor.api.rate_limits import RateLimits, limits_from
from supervisor.core import lifecycle
from supervisor.core.claims import Claims
from supervisor.core.signals import Action, Control, Due, Ended, Failed, Failure, Launched, Queue, Signal, Slot, Stop

NOW = 1_764_000_000_000

VENUE = Endpoints(
    gamma_url="http://venue/gamma",
    clob_url="http://venue/clob",
    data_url="http://venue/data",
    relayer_url="http://venue/relayer",
    rpc_url="http://venue/rpc",
    market_ws_url="ws://venue/market",
    user_ws_url="ws://venue/user",
    news_url="http://venue/news",
    openai_url="http://venue/openai/v1",
    simulated=True,
)


class SupervisorStand:
    """The tests' stand-in for the supervisor: agents without processes, whose events are really in the real ledger.

    Lifecycle, conflicts and checks of specs are the real ones; a process starts and stops at once. While `held` is set
    nothing starts or stops.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._records: dict[str, AgentRecord] = {}
        #: The rules for losses that have stopped a scope.
        self.stopped: dict[str, list[Rule]] = {}
        self._source: EventSource | None = None
        self._buckets = FixedWindowRateLimiter(MemoryStorage())
        self._tasks: set[asyncio.Task[None]] = set()
        self._free = asyncio.Event()
        self._free.set()
        self.hits = 0
        self.claims = Claims()
        self.broken_file: str | None = None
        self.gone = False
        self.last_beats: dict[str, tuple[int, Beat]] = {}
        self.readiness = {"wallets": True, "agents": True}

    def hold(self, held: bool) -> None:
        """Let nothing start or stop, or let it go on."""
        if held:
            self._free.clear()
        else:
            self._free.set()

    async def beat(self, agent_id: str, incarnation: int, beat: Beat) -> float:
        return 30.0

    async def create(self, spec: dict[str, Any]) -> int:
        self._answer()
        wanted = AgentSpec.model_validate(spec)
        if wanted.id in self._records:
            raise Conflict(f"id: there is an agent {wanted.id!r} already")
        strategies.create(wanted.strategy, wanted.params)
        state, desired = (AgentState.PENDING, Desired.RUNNING) if wanted.enabled else (AgentState.STOPPED, Desired.STOPPED)
        record = self._records[wanted.id] = AgentRecord(wanted, state=state, desired=desired, reason="created")
        seq = await self._log(record, "created")
        if wanted.enabled:
            self._run(self._bring_up(wanted.id))
        return seq

    async def update(self, agent_id: str, changes: dict[str, Any]) -> int:
        self._answer()
        record = self._record(agent_id)
        spec = AgentSpec.model_validate(record.spec.wire() | changes)
        strategies.create(spec.strategy, spec.params)
        self._records[agent_id] = changed = replace(record, spec=spec)
        return await self._log(changed, "updated")

    async def delete(self, agent_id: str) -> int:
        self._answer()
        record = self._record(agent_id)
        del self._records[agent_id]
        return await self._log(record, "deleted")

    async def control(self, agent_id: str, action: str) -> int:
        self._answer()
        return await self._send(agent_id, Control(cast(Action, action)))

    async def resume_trading(self, scope: str) -> int:
        self._answer()
        rules = list(self.stopped.pop(scope, ()))
        if not rules:
            raise Conflict(f"scope: no loss has stopped {scope}")
        return await self.store(Type.RISK, resumed_data(scope, rules, "resumed"))

    async def kill(self, agent_id: str) -> int:
        self._answer()
        if self._record(agent_id).state not in (AgentState.RUNNING, AgentState.PAUSED):
            raise Conflict(f"agent {agent_id} is not at work")
        seq = await self._send(agent_id, Failed(Failure.CRASH, "killed"))
        self._run(self._come_back(agent_id))
        return seq

    async def reload(self) -> tuple[list[str], list[str], int]:
        self._answer()
        if self.broken_file:
            raise InvalidInput(self.broken_file)
        return ["new"], [], await self.store(Type.INFO, {"message": "reloaded"})

    async def kill_switch(self, reason: str | None, flatten: bool = False) -> int:
        data = {"kind": "kill_switch", "on": reason is not None, "flatten": flatten, "reason": reason or "lifted"}
        return await self.store(Type.RISK, data)

    async def decide(self, approval_id: str, approve: bool, by: str) -> int:
        self._answer()
        waiting = [order for order in (await self._ledger.snapshot()).waiting.values() if order.approval.id == approval_id]
        if not waiting:
            raise NotFound(f"Nothing waits under {approval_id!r}; GET /api/approvals lists what does")
        return max([await self._decided(order, approve, by) for order in waiting])

    async def _decided(self, order: WaitingOrder, approve: bool, by: str) -> int:
        """Log what a broker would; what is approved rests."""
        data = await self._ledger.order(order.order_id)
        assert data is not None
        approval = replace(order.approval, by=by, approved=approve).data()
        changes = {"status": "live", "reason": ""} if approve else {"status": "rejected", "reason": f"{by} rejected it"}
        return await self.store(Type.ORDER, data | {"approval": approval} | changes, order.agent_id)

    async def beats(self) -> dict[str, tuple[int, Beat]]:
        self._answer()
        return self.last_beats

    async def ready(self) -> dict[str, bool]:
        self._answer()
        return self.readiness

    async def hit(self, bucket: str, limit: str, cost: int = 1) -> tuple[bool, int, int]:
        self._answer()
        self.hits += 1
        item = limits.parse(limit)
        allowed = self._buckets.hit(item, bucket, cost=cost)
        stats = self._buckets.get_window_stats(item, bucket)
        return allowed, stats.remaining, max(0, round(stats.reset_time - time.time()))

    async def claim(self, key: str, holder: str, seconds: float) -> bool:
        self._answer()
        return self.claims.take(key, holder, seconds)

    async def release(self, key: str, holder: str) -> None:
        self._answer()
        self.claims.release(key, holder)

    async def shutdown(self) -> None:
        raise NotImplementedError

    async def store(self, kind: Type, data: dict[str, Any], agent_id: str | None = None) -> int:
        """Log an event of the supervisor's."""
        if self._source is None:
            self._source = EventSource("supervisor", await self._ledger.open_source("supervisor"), self._ledger)
        [seq] = await self._source.store([self._source.event(kind, data, agent_id)])
        return seq

    async def settled(self) -> None:
        """Wait until everything has started or stopped that was asked to."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def _answer(self) -> None:
        if self.gone:
            raise Unavailable("supervisor is not running now")

    def _record(self, agent_id: str) -> AgentRecord:
        if agent_id not in self._records:
            raise NotFound(f"There is no agent {agent_id!r}; GET /api/agents lists them")
        return self._records[agent_id]

    async def _send(self, agent_id: str, signal: Signal) -> int:
        record = self._record(agent_id)
        step = lifecycle.step(record, signal, NOW, Random(0))
        self._records[agent_id] = step.record
        seq = await self._log(step.record, "state")
        for effect in step.effects:
            if isinstance(effect, Queue):
                self._run(self._bring_up(agent_id))
            elif isinstance(effect, Stop):
                self._run(self._bring_down(agent_id))
        return seq

    async def _bring_up(self, agent_id: str) -> None:
        await self._free.wait()
        if agent_id in self._records:
            await self._send(agent_id, Slot(self._records[agent_id].incarnation + 1))
            await self._send(agent_id, Launched(4000 + self._records[agent_id].incarnation))

    async def _come_back(self, agent_id: str) -> None:
        await self._free.wait()
        await self._send(agent_id, Due())

    async def _bring_down(self, agent_id: str) -> None:
        await self._free.wait()
        if agent_id in self._records:
            await self._send(agent_id, Ended())

    async def _log(self, record: AgentRecord, change: str) -> int:
        data = agent_data(record, change, with_spec=change in ("created", "updated"))
        return await self.store(Type.AGENT, data, record.spec.id)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def market(number: int = 1, *, closed: bool = False) -> Market:
    """Return a market; its tokens are "101" and "102" for number 1."""
    return Market(
        id=str(number),
        condition_id=f"0xc{number}",
        question=f"Will it rain on day {number}?",
        slug=f"rain-{number}",
        tokens=(f"{number}01", f"{number}02"),
        outcomes=("Yes", "No"),
        tick=10_000,
        min_size=5 * ONE,
        fee=FeeSchedule(Decimal("0.05")),
        tags=("weather",),
        end=NOW + 86_400_000,
        closed=closed,
        accepting_orders=not closed,
        payouts=(ONE, 0) if closed else None,
    )


def market_view(number: int = 1, bid: str = "0.48", ask: str = "0.52", *, closed: bool = False) -> MarketView:
    """Return a market with one level on each side."""
    found = market(number, closed=closed)
    book = Book(found.tokens[0], (Level(micro(bid), 100 * ONE),), (Level(micro(ask), 50 * ONE),))
    return MarketView(found, (book, book.mirrored(found.tokens[1])), ((NOW - 60_000, micro("0.4")),), 0.25)


class FeedStand:
    """The tests' stand-in for the market feed: it knows the markets that it is given."""

    def __init__(self, *views: MarketView) -> None:
        self.views = list(views)
        self.gone = False

    async def snapshot(self, selection: Any = (), since: int = 0) -> Snapshot:
        raise NotImplementedError

    async def markets(self) -> list[MarketView]:
        if self.gone:
            raise Unavailable("market_feed is not running now")
        return self.views

    async def market(self, id: str) -> MarketView | None:
        def names(found: Market) -> tuple[str, ...]:
            return (found.id, found.slug, found.condition_id, *found.tokens)

        return next((view for view in self.views if id in names(view.market)), None)

    async def watch(self, condition_ids: Any) -> None:
        raise NotImplementedError

    async def now(self) -> int:
        return NOW


def asking(agent_id: str = "a", key: str = "ask", *, expires: int = NOW + 900_000, **changes: Any) -> dict[str, Any]:
    """Return the data of an order of 20 shares at 0.5 that waits for a person under the id `key`."""
    asked = market(1)
    approval = Approval(key, expires, micro("0.5"), "clouds gather", 0.85)
    return {
        "orderId": f"order-{key}",
        "decisionId": f"agent:{agent_id}/1/1",
        "wallet": "main",
        "marketId": asked.id,
        "marketQuestion": asked.question,
        "conditionId": asked.condition_id,
        "tokenId": asked.tokens[0],
        "outcome": "Yes",
        "side": "BUY",
        "price": "0.5",
        "size": "20",
        "filled": "0",
        "status": "intended",
        "orderType": "FAK",
        "postOnly": False,
        "reason": "it waits to be approved",
        "venueTime": NOW,
        "approval": approval.data(),
    } | changes


class BrokerStand:
    """The tests' stand-in for a broker: it answers checks, and cancels those of its orders that are asked for."""

    def __init__(self) -> None:
        self.differences: list[dict[str, Any]] = []
        self.findings: list[dict[str, Any]] = [{"what": "CLOB answers", "ok": True, "sentence": "CLOB answers", "remedy": ""}]
        self.blocked: str | None = None
        self.adjusted: list[tuple[Micro, dict[str, Micro], str, str | None]] = []
        #: Ids of resting orders with their agents and markets.
        self.resting: dict[str, tuple[str, str]] = {}

    async def cancel(self, *, order_id: str | None = None, agent_id: str | None = None, condition_id: str | None = None) -> int:
        found = [
            id
            for id, (owner, market) in self.resting.items()
            if order_id in (None, id) and agent_id in (None, owner) and condition_id in (None, market)
        ]
        for id in found:
            del self.resting[id]
        return len(found)

    async def cancel_agent(self, agent_id: str) -> int:
        return await self.cancel(agent_id=agent_id)

    async def cancel_all(self) -> int:
        return await self.cancel()

    async def examine(self) -> list[dict[str, Any]]:
        return self.findings

    async def check(self) -> dict[str, Any]:
        return {
            "wallet": "main",
            "address": "0xw",
            "venueCash": "10",
            "ledgerCash": "10",
            "positions": [{"tokenId": "101", "venue": "5", "ledger": "5"}],
            "pending": [],
            "differences": self.differences,
            "blocked": self.blocked,
        }

    async def adjust(self, cash: Micro, shares: Mapping[str, Micro], reason: str, agent_id: str | None = None) -> None:
        self.adjusted.append((cash, dict(shares), reason, agent_id))


class AgentStand:
    """The tests' stand-in for an agent: a source that logs what an agent would."""

    def __init__(self, ledger: Ledger, agent_id: str = "default") -> None:
        self.id = agent_id
        self._ledger = ledger
        self._numbers = count(1)

    def events(self, *kinds: Type, **data: Any) -> list[Event]:
        """Make events of these types."""
        return [self._event(kind, data) for kind in kinds]

    async def log(self, *kinds: Type, **data: Any) -> list[int]:
        """Log events of these types in one commit."""
        return await self._ledger.append(self.events(*kinds, **data))

    def _event(self, kind: Type, data: dict[str, Any]) -> Event:
        number = next(self._numbers)
        source = f"agent:{self.id}"
        return Event(f"{source}/1/{number}", kind, source, self.id, 1, NOW + number, _DATA.get(kind, {}) | data)


_DATA: dict[Type, dict[str, Any]] = {
    Type.DECISION: {
        "id": "d1",
        "timestamp": NOW,
        "market": "Will it rain?",
        "marketQuestion": "Will it rain?",
        "outcome": "Yes",
        "action": "buy",
        "side": "BUY",
        "confidence": 0.85,
        "reasoning": "clouds",
        "suggestedAmount": 5.0,
    },
    Type.TRADE: {
        "id": "t1/o1",
        "timestamp": NOW,
        "type": "polymarket",
        "token": "Will it rain?",
        "market": "Will it rain?",
        "marketQuestion": "Will it rain?",
        "outcome": "Yes",
        "action": "buy",
        "side": "BUY",
        "amount": 2.5,
        "price": 0.5,
        "profit": 0.0,
        "profitLoss": 0.0,
        "status": "EXECUTED",
        "txHash": "0xt",
        "transactionHash": "0xt",
        "tradeId": "t1",
        "orderId": "o1",
        "tokenId": "101",
        "wallet": "main",
        "size": "5",
        "exactPrice": "0.5",
        "fee": "0.01",
    },
    Type.ORDER: {"orderId": "o1", "wallet": "main", "status": "live", "side": "BUY", "price": "0.5", "size": "5"},
    Type.FORECAST: {
        "id": "f1",
        "conditionId": "0xc1",
        "tokenId": "101",
        "strategy": "llm",
        "model": "openai:gpt-5-mini",
        "category": "weather",
        "event": "e1",
        "venueTime": NOW,
        "pooled": 0.7,
        "calibrated": 0.75,
        "blended": 0.6,
        "marketPrice": 0.5,
    },
    Type.INFO: {"message": "hello"},
    Type.ERROR: {"message": "it broke", "code": "E1"},
    Type.RESOLUTION: {"conditionId": "0xc1", "marketQuestion": "Will it rain?", "outcome": "Yes", "payouts": {"101": "1"}},
    Type.RISK: {"blocked": "daily loss"},
}


class Stand:
    """One REST replica's context on a ledger, and the stand-ins that it asks."""

    def __init__(self, ledger: Ledger, environment: dict[str, str] | None = None, data_dir: Path = Path("nowhere")) -> None:
        self.ledger = ledger
        self.config = SystemConfig(str(data_dir))
        self.supervisor = SupervisorStand(ledger)
        self.feed = FeedStand(market_view(1), market_view(2, closed=True))
        self.brokers: dict[str, BrokerStand] = {"main": BrokerStand()}
        self.environment = environment or {}
        self.logs: dict[str, list[dict[str, Any]]] = {}
        self.queues: Queues = {}
        feed = cast(MarketFeed, self.feed)
        self.notifier = NotifierService(self.config, ledger=ledger, supervisor=self.supervisor, feed=feed)

    def context(
        self, name: str = "replica", clock: Callable[[], int] = lambda: NOW, on_event: Callable[[Event], None] | None = None
    ) -> FleetContext:
        """Return one replica's context; all replicas share everything else."""
        return FleetContext(
            follower=Follower(self.ledger, name, on_event),
            ledger=self.ledger,
            supervisor=self.supervisor,
            feed=cast(MarketFeed, self.feed),
            notifier=self.notifier,
            broker_of=lambda wallet: cast(Broker, self.brokers[wallet]),
            venue=self._venue,
            limits=RateLimits(self.supervisor, limits_from(self.environment)),
            actor_log=self._log,
            ask_queues=self._queues,
            keep_telegram_token=partial(keep_token, self.config),
            clock=clock,
            source=f"api:{name}",
        )

    async def _venue(self) -> Endpoints:
        return VENUE

    async def _log(self, name: str, limit: int) -> list[dict[str, Any]]:
        return self.logs.get(name, [])[-limit:]

    async def _queues(self) -> Queues:
        return self.queues


@asynccontextmanager
async def lifespan(app: ASGIApp) -> AsyncIterator[None]:
    """Start an ASGI application as a server does, and stop it at the end."""
    asked: asyncio.Queue[Any] = asyncio.Queue()
    answered: asyncio.Queue[Any] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
    running = asyncio.ensure_future(app(scope, asked.get, answered.put))
    asked.put_nowait({"type": "lifespan.startup"})
    answer = await answered.get()
    assert answer["type"] == "lifespan.startup.complete", answer
    yield
    asked.put_nowait({"type": "lifespan.shutdown"})
    answer = await answered.get()
    assert answer["type"] == "lifespan.shutdown.complete", answer
    await running

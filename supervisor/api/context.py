"""What a REST replica knows and whom it asks: the folded log in memory, and the ports of the services."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, TypeVar

from actors.event_source import EventSource
from actors.follower import Follower
from agents.errors import NotFound, PolyfleetError, Unavailable
from agents.events import Type
from agents.fleet import AgentRecord, FleetState
from agents.forecasting.track import GROUPS, Grouping
from agents.model import MarketView
from agents.money import number
from agents.ports import Beat, Broker, Endpoints, Ledger, MarketFeed, Notifier, Queues, Supervisor
from agents.valuation import Quote, quotes
from supervisor.api.agent_views import SeedConfig
from supervisor.api.metrics import RequestFigures
from supervisor.api.rate_limits import RateLimits
from supervisor.api.risk_views import Risk, risk
from supervisor.api.score_views import ScoreRow, score_rows

T = TypeVar("T")

#: Seconds that what was written may take to show in this replica, and to be stored.
_SETTLE = 5.0

#: Seconds for which answers of other services are kept: many clients ask the same at once.
_KEEP = 1.0

#: Seconds for which scores are kept: those of a large fleet are half a second's work.
_KEEP_SCORES = 10.0

#: Seconds for which an answer is waited that can be done without.
_PATIENCE = 1.0


def wall_clock() -> int:
    """Return wall time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Kept(Generic[T]):
    """An answer that is never older than so many seconds; callers at the same time share one call.

    Whoever asks when half of them are over is answered at once, and a fresh answer is fetched behind: where there are many
    callers, none waits.
    """

    def __init__(
        self, ask: Callable[[], Awaitable[T]], seconds: float = _KEEP, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._clock = clock
        self._value: T | None = None
        self._until = 0.0
        self._lock = asyncio.Lock()
        self._fetching: asyncio.Task[None] | None = None

    async def get(self) -> T:
        """Return the answer, a fresh one if the last is too old; raises what asking raises."""
        if self._value is not None and self._clock() < self._until:
            if self._clock() >= self._until - self._seconds / 2 and (self._fetching is None or self._fetching.done()):
                self._fetching = asyncio.create_task(self._fetch())
            return self._value
        async with self._lock:
            if self._value is None or self._clock() >= self._until:
                return await self._renewed()
            return self._value

    async def _fetch(self) -> None:
        # Who asks when the answer is too old will be told.
        with contextlib.suppress(PolyfleetError):
            async with self._lock:
                await self._renewed()

    async def _renewed(self) -> T:
        value = self._value = await self._ask()
        self._until = self._clock() + self._seconds
        return value

    async def get_or(self, default: T) -> T:
        """Return the answer, or the last one or a default if it cannot be had soon."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self.get()
        except (PolyfleetError, TimeoutError):
            return default if self._value is None else self._value


@dataclass(slots=True)
class FleetContext:
    """One replica's view of the fleet.

    `broker_of` returns a wallet's broker, `venue` asks where the venue is, `defaults` are the seed's two settings of an
    agent that is not there, `source` is the name under which this replica publishes: unique, as each source has one writer.
    """

    follower: Follower
    ledger: Ledger
    supervisor: Supervisor
    feed: MarketFeed
    notifier: Notifier
    broker_of: Callable[[str], Broker]
    venue: Callable[[], Awaitable[Endpoints]]
    limits: RateLimits
    #: Returns the newest lines of an actor's log, oldest first.
    actor_log: Callable[[str, int], Awaitable[list[dict[str, Any]]]]
    #: Asks the services what waits in their queues.
    ask_queues: Callable[[], Awaitable[Queues]]
    #: Keeps the bot's token for the notifier, in a private file; it goes into no call.
    keep_telegram_token: Callable[[str], None]
    mode: str = "sandbox"
    defaults: SeedConfig = field(default_factory=lambda: SeedConfig(maxTradeAmount=100.0, minConfidence=0.7))
    clock: Callable[[], int] = wall_clock
    source: str = field(default_factory=lambda: f"api:{secrets.token_hex(8)}")
    beats: Kept[dict[str, tuple[int, Beat]]] = field(init=False)
    markets: Kept[list[MarketView]] = field(init=False)
    endpoints: Kept[Endpoints] = field(init=False)
    queues: Kept[Queues] = field(init=False)
    scores: dict[Grouping, Kept[list[ScoreRow]]] = field(init=False)
    requests: RequestFigures = field(init=False)
    _events: Kept[EventSource] = field(init=False)

    def __post_init__(self) -> None:
        self.beats = Kept(self.supervisor.beats)
        self.markets = Kept(self.feed.markets, 2.0)
        self.endpoints = Kept(self.venue, 5.0)
        self.queues = Kept(self.ask_queues)
        self.scores = {by: Kept(partial(self._score, by), _KEEP_SCORES) for by in GROUPS}
        self.requests = RequestFigures(self.source.removeprefix("api:"))
        self._events = Kept(self._open_source, float("inf"))

    async def start(self) -> None:
        """Begin to follow the log; it need not be there yet."""
        self.follower.start()

    async def stop(self) -> None:
        """Stop following."""
        await self.follower.stop()

    @property
    def state(self) -> FleetState:
        """The folded log; raises Unavailable until it has been read once."""
        state = self.follower.state
        if state is None:
            raise Unavailable("The log is still being read; try again in a moment")
        return state

    def agent(self, agent_id: str) -> AgentRecord:
        """Return an agent's record; raises NotFound."""
        record = self.state.agents.get(agent_id)
        if record is None:
            raise NotFound(f"There is no agent {agent_id!r}; GET /api/agents lists them")
        return record

    async def settle(self, seq: int) -> None:
        """Wait until this and every other replica shows the log up to `seq`: control is read-your-writes."""
        await self.ledger.barrier(seq)
        if not await self.follower.reached(seq, _SETTLE):
            raise Unavailable("It was done, and this replica does not see it yet; ask again in a moment")

    async def until(self, done: Callable[[FleetState], bool], timeout: float) -> bool:
        """Wait until the state is as wanted and all replicas show it; False if it is not within so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not done(self.state):
                    await self.follower.changed()
        await self.settle(self.state.seq)
        return done(self.state)

    async def supervised(self) -> bool:
        """Whether the supervisor answers."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.beats.get()
        except (PolyfleetError, TimeoutError):
            return False
        return True

    async def quotes(self) -> dict[str, Quote]:
        """Return what each known token is worth now; empty while the feed cannot be asked."""
        return quotes(await self.markets.get_or([]))

    async def risk(self) -> Risk:
        """Return the limits and what is used up of them, at the prices of now as far as the feed can be asked."""
        return risk(self.state, await self.markets.get_or([]))

    async def publish(self, make: Callable[[str, int], tuple[Type, dict[str, Any]]]) -> tuple[str, int]:
        """Store an outside system's event, whose type and data are made for its id and time; return its id and seq."""
        events = await self._events.get()
        event = events.event(Type.INFO, {})
        kind, data = make(event.id, event.timestamp)
        event = replace(event, type=kind, data=data)
        [seq] = await events.store([event], patience=_SETTLE)
        return event.id, seq

    async def log(self, kind: Type, data: dict[str, Any], agent_id: str | None = None) -> int:
        """Store an event of the API's own and return its seq; raises Unavailable if the log does not take it in time."""
        events = await self._events.get()
        [seq] = await events.store([events.event(kind, data, agent_id)], patience=_SETTLE)
        return seq

    async def _score(self, by: Grouping) -> list[ScoreRow]:
        """Score in a thread, so that the loop goes on meanwhile."""
        state = self.state
        profits = {agent_id: (agent.spec.strategy, number(state.profit(agent_id))) for agent_id, agent in state.agents.items()}
        return await asyncio.to_thread(score_rows, state.record.settled(), by, profits)

    async def _open_source(self) -> EventSource:
        return EventSource(self.source, await self.ledger.open_source(self.source), self.ledger)

"""What all open pages share: the fleet's recent past in bounded memory, and whether the log can be read."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from agents.errors import PolyfleetError
from agents.events import Event, Type, parse_event
from agents.model import MarketView
from agents.money import number
from agents.notifications import notification
from supervisor.api.book_views import Portfolio, portfolio
from supervisor.api.context import FleetContext, Kept
from supervisor.api.risk_views import Risk
from supervisor.api.score_views import ScoreRow
from supervisor.dashboard.series import Point, Series

log = logging.getLogger(__name__)

#: Notifications that are kept, and read back at the start.
NOTES = 500
#: Trades that profits of the past are made of at the start.
_TRADES = 1000
#: Seconds between looks at the log and the books, and for which the log is waited.
_LOOK = 2.0
_PATIENCE = 1.5
#: Markets whose books are kept for pages that show them.
_MARKETS = 50
#: The document that holds which notifications an operator has seen.
_ACKNOWLEDGED = "acknowledged"

Listener = Callable[[Event], None]


class Watch:
    """The shared memory of one dashboard; `take` is given every event that the follower folds."""

    def __init__(self) -> None:
        #: Notifications, the newest first; each has `level` beside.
        self.notes: deque[dict[str, Any]] = deque(maxlen=NOTES)
        self.acknowledged: set[str] = set()
        #: The latest decision of each agent, and its realised profit over time.
        self.decisions: dict[str, dict[str, Any]] = {}
        self.profits: dict[str, Series] = {}
        #: Each agent's score as a forecaster, as far as something has come out.
        self.scores: dict[str, ScoreRow] = {}
        #: Why the log cannot be read now, in one sentence, or None.
        self.trouble: str | None = None
        #: Grows with every event: pages look at it to see whether anything is new.
        self.version = 0
        self._listeners: set[Listener] = set()
        self._markets: dict[str, Kept[MarketView | None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._context: FleetContext | None = None

    async def start(self, context: FleetContext) -> None:
        """Begin to follow; what lies in the past is read in the background."""
        self._context = context
        await context.start()
        self.portfolio: Kept[Portfolio] = Kept(self._portfolio)
        self.risk: Kept[Risk] = Kept(context.risk)
        self._tasks = [asyncio.create_task(work) for work in (self._recall(context), self._look(context))]

    async def stop(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._context:
            await self._context.stop()

    def take(self, event: Event) -> None:
        """Remember what pages show of an event, and hand it to those that wait for it."""
        self.version += 1
        self._remember(event)
        for listener in list(self._listeners):
            listener(event)

    @contextlib.contextmanager
    def heard(self, listener: Listener) -> Iterator[None]:
        """Hand every event to a listener meanwhile."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def market(self, market_id: str) -> MarketView | None:
        """Return a market; pages that show the same one share the question. Raises Unavailable."""
        kept = self._markets.get(market_id)
        if kept is None:
            if len(self._markets) >= _MARKETS:
                self._markets.pop(next(iter(self._markets)))
            context = self._context
            assert context is not None
            kept = self._markets[market_id] = Kept(lambda: context.feed.market(market_id))
        return await kept.get()

    async def acknowledge(self, *ids: str) -> None:
        """Remember that notifications were seen, for every page and every later dashboard."""
        assert self._context is not None
        known = {note["id"] for note in self.notes}
        self.acknowledged = (self.acknowledged | set(ids)) & known
        self.version += 1
        await self._context.ledger.put_document(_ACKNOWLEDGED, sorted(self.acknowledged))

    @property
    def unseen(self) -> int:
        """How many notifications of trouble nobody has acknowledged: all of high priority but trades."""
        return sum(
            note["priority"] == "high" and note["type"] != "trade" and note["id"] not in self.acknowledged
            for note in self.notes
        )

    def _remember(self, event: Event) -> None:
        agent_id = event.agent_id
        note = notification(event)
        if note and not (note["priority"] == "low" and event.type is Type.DECISION):
            self.notes.appendleft(note)
        if agent_id is None:
            return
        if event.type is Type.DECISION:
            self.decisions[agent_id] = event.data
        elif event.type is Type.AGENT and event.data.get("change") == "deleted":
            for known in (self.decisions, self.profits):
                known.pop(agent_id, None)
        elif event.type in (Type.TRADE, Type.RESOLUTION, Type.ORDER):
            self._sample_profit(agent_id, event.timestamp)

    def _sample_profit(self, agent_id: str, time: int) -> None:
        state = self._context.follower.state if self._context else None
        if state is not None and agent_id in state.agents:
            self.profits.setdefault(agent_id, Series(60)).add(time, number(state.profit(agent_id)))

    async def _recall(self, context: FleetContext) -> None:
        """Read back notifications, last decisions and profits of before this dashboard was there."""
        recall: Callable[[FleetContext], Awaitable[None]]
        for recall in (self._recall_notes, self._recall_decisions, self._recall_profits):
            while True:
                try:
                    await context.follower.reached(0, 3600.0)
                    await recall(context)
                    break
                except PolyfleetError as error:
                    log.info("the dashboard waits for the log: %s", error)
                    await asyncio.sleep(_LOOK)
        self.version += 1

    async def _recall_notes(self, context: FleetContext) -> None:
        self.acknowledged |= set(await context.ledger.document(_ACKNOWLEDGED) or ())
        page = await context.ledger.history("events", limit=NOTES)
        known = {note["id"] for note in self.notes}
        for item in page.items:
            note = notification(parse_event(item))
            if note and note["id"] not in known and len(self.notes) < NOTES:
                self.notes.append(note)

    async def _recall_decisions(self, context: FleetContext) -> None:
        for item in (await context.ledger.history("decisions", limit=_TRADES)).items:
            self.decisions.setdefault(item["agentId"], item)

    async def _recall_profits(self, context: FleetContext) -> None:
        """Go back from what each agent has made by now, trade by trade."""
        items = (await context.ledger.history("trades", limit=_TRADES)).items
        past: dict[str, list[Point]] = {}
        then: dict[str, float] = {}
        for item in items:
            agent_id = item["agentId"]
            if agent_id in context.state.agents and agent_id not in self.profits:
                made = then.get(agent_id, number(context.state.profit(agent_id)))
                past.setdefault(agent_id, []).append((item["timestamp"], made))
                then[agent_id] = made - float(item.get("profit") or 0)
        for agent_id, points in past.items():
            self.profits[agent_id] = series = Series(60)
            series.extend(reversed(points))

    async def _look(self, context: FleetContext) -> None:
        """See now and then whether the log answers, and how good the forecasts were."""
        while True:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await context.ledger.head()
                self.trouble = None
            except (PolyfleetError, TimeoutError) as error:
                self.trouble = str(error) or "the log does not answer"
            if context.follower.state is not None and self.trouble is None:
                rows = await context.scores["agent"].get_or([])
                self.scores = {row["agentId"]: row for row in rows if row["agentId"]}
            await asyncio.sleep(_LOOK)

    async def _portfolio(self) -> Portfolio:
        assert self._context is not None
        return portfolio(self._context.state, await self._context.quotes())

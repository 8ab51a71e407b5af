"""A forecaster with a log, a librarian and a feed in memory, and models on a server of loopback."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from actors.config import SystemConfig
from actors.forecaster import ForecasterService
from agents.errors import Unavailable
from agents.events import Event, Type
from agents.fleet import AgentRecord, FleetState, agent_data
from agents.forecasting.records import Evidence, PastMarket, Recipe
from agents.model import Book, Market
from agents.ports import Batch, Endpoints, Findings, Ledger, Librarian, MarketFeed, Page, Question, Reply
from tests.unit.actors.forecasting.model_server import ModelServer
from tests.unit.agents.worlds import HOUR, NOW, levels, market, spec

RECIPE = Recipe(("openai:gpt-5-mini",), 6, 0.1, 15, 0.2, 2.0)
MARKET = market(end=NOW + 100 * HOUR, tags=("tech", "all"), event_id="e1")


class Log:
    """A ledger in memory; while it is `down` it is unreachable."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.down = False
        self.lives = 0
        self.news = asyncio.Event()

    def add(self, *events: Event) -> None:
        """Store events as they come."""
        for event in events:
            if all(event.id != each.id for each in self.events):
                self.events.append(event.numbered(len(self.events) + 1))
        self.news.set()
        self.news = asyncio.Event()

    def of(self, type: Type, agent: str | None = None, **data: Any) -> list[Event]:
        """Return events of a type and an agent whose data have some values."""
        return [
            event
            for event in self.events
            if event.type is type and event.agent_id == agent and data.items() <= event.data.items()
        ]

    async def open_source(self, source: str) -> int:
        self._check()
        self.lives += 1
        return self.lives

    async def append(self, events: Sequence[Event], signed: Mapping[str, bytes] = {}) -> list[int]:
        self._check()
        self.add(*events)
        return [event.seq for event in events]

    async def snapshot(self) -> FleetState:
        self._check()
        state = FleetState()
        for event in self.events:
            state.apply(event)
        return state

    async def poll(self, after: int, *, wait: float, follower: str) -> Batch:
        while len(self.events) <= after:
            await self.news.wait()
        return Batch(self.events[after:], len(self.events), 1, len(self.events))

    async def history(self, kind: str, agent: str | None = None, *, limit: int = 100, before: int | None = None) -> Page:
        assert kind == "forecasts"
        found = [each for each in self.of_any(Type.FORECAST) if before is None or each.seq < before][::-1]
        items = [each.data | {"seq": each.seq, "agentId": each.agent_id} for each in found[:limit]]
        return Page(items, len(found), items[-1]["seq"] if len(found) > limit else None)

    def of_any(self, type: Type) -> list[Event]:
        """Return events of a type."""
        return [event for event in self.events if event.type is type]

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the log is away")


class Library:
    """A librarian in memory; `queries` are the searches made of it."""

    def __init__(self) -> None:
        self.queries: list[tuple[str, ...]] = []
        self.down = False
        self.found = [
            Evidence("wire", f"http://n/{n}", f"Title {n}", f"Passage {n}.", NOW - n * HOUR, NOW, 0.5) for n in range(40)
        ]

    async def search(self, queries: Sequence[str], *, as_of: int, limit: int = 30) -> Findings:
        if self.down:
            raise Unavailable("the librarian is not running now")
        self.queries.append(tuple(queries))
        return Findings(tuple(self.found[:limit]), tokens=10, notes=("NewsAPI refused the key",))

    async def load(self) -> None:
        pass

    async def similar(self, question: str, *, as_of: int, limit: int = 5) -> list[PastMarket]:
        return [PastMarket("Did it rain?", "weather", "Yes", NOW - HOUR, ((24.0, 0.6),), 0.8)]


class Feed:
    """A feed that knows rules."""

    async def rules(self, condition_id: str) -> str:
        return f"Rules of {condition_id}."


class World:
    """All of it; `seconds` is the monotonic clock, `epoch` the wall's."""

    def __init__(self, server: ModelServer) -> None:
        self.server = server
        self.log = Log()
        self.library = Library()
        self.seconds = 1000.0
        self.epoch = 1_764_000_000.0
        self.environment: dict[str, str] = {"POLYFLEET_LLM_RATE": "1000"}
        self.mode = "sandbox"
        self.services: list[ForecasterService] = []

    def agent(self, agent_id: str) -> None:
        """Log that there is an agent."""
        data = agent_data(AgentRecord(spec(id=agent_id)), "created", with_spec=True)
        self.log.add(Event(f"s/1/{agent_id}", Type.AGENT, "s", agent_id, 1, 0, data))

    async def open(self) -> ForecasterService:
        """Start one more forecaster."""
        service = ForecasterService(
            SystemConfig("/nowhere", mode=self.mode),
            ledger=cast(Ledger, self.log),
            librarian=cast(Librarian, self.library),
            feed=cast(MarketFeed, Feed()),
            environment=self.environment,
            where=self._where,
            clock=lambda: self.seconds,
            wall=lambda: self.epoch,
        )
        self.services.append(service)
        await service.start()
        await service.ask("nobody", "llm", RECIPE, [], NOW)
        return service

    async def ready(self) -> ForecasterService:
        """Start a forecaster and wait until it works."""
        service = await self.open()
        await self.until(lambda: service._workshop is not None)
        return service

    async def close(self) -> None:
        """Stop all of them."""
        for service in self.services:
            await service.stop()

    async def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait for something that happens by itself."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.005)

    async def settled(self, count: int = 1) -> None:
        """Wait until so many sets of samples are in the log, whatever came of them."""
        await self.until(lambda: len(self.log.of(Type.FORECAST, kind="samples")) >= count)

    async def _where(self) -> Endpoints:
        return Endpoints("", "", "", "", "", "", "", openai_url=self.server.url, simulated=True)


def question(of: Market = MARKET, max_age: int = 3 * HOUR, bid: str = "0.49", ask: str = "0.51") -> Question:
    """Return a question about a market."""
    return Question(of, Book(of.tokens[0], levels([(bid, 100)]), levels([(ask, 100)])), max_age, 0.9)


async def asked(
    service: ForecasterService, agent: str = "a", recipe: Recipe = RECIPE, *questions: Question, now: int = NOW
) -> Reply:
    """Ask as an agent does."""
    return await service.ask(agent, "llm", recipe, questions or (question(),), now)

"""The forecaster: the one process that asks language models, for all agents of a fleet."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace

from actors import remote
from actors.event_source import EventSource
from actors.follower import Follower
from actors.forecasting.models import Models
from actors.forecasting.research import Research
from actors.forecasting.settings import llm_settings_from
from actors.forecasting.shelf import Given, Key, Shelf, Shelved
from actors.forecasting.workshop import Obstacle, Workshop
from actors.system import SystemConfig
from actors.venue_location import locate
from agents.errors import PolyfleetError, StaleIncarnation, Unavailable
from agents.events import Event, Type
from agents.fleet import FleetState
from agents.forecasting import journal
from agents.forecasting.calibration import Platt, fit_platt, fit_weight
from agents.forecasting.records import Forecast, Recipe
from agents.forecasting.spend import Prices
from agents.ports import Endpoints, Ledger, Librarian, MarketFeed, Question, Reply

log = logging.getLogger(__name__)

NAME = "forecaster"

#: Seconds between attempts to get ready.
_RETRY = 1.0
#: Seconds that an agent's question waits for the log.
_PATIENCE = 10.0
#: Forecasts that are read back from the log at a start, and on one page of it.
_RESTORED, _PAGE = 1000, 100


class ForecasterService:
    """Implements `agents.ports.Forecaster`.

    It gets ready when it is first asked: until the log is read and LangChain is loaded, `ask` says so. All that it knows can
    be read from the log again: what was spent, the samples that are there, and who was told of them.
    """

    def __init__(
        self,
        config: SystemConfig,
        *,
        ledger: Ledger | None = None,
        librarian: Librarian | None = None,
        feed: MarketFeed | None = None,
        environment: Mapping[str, str] | None = None,
        where: Callable[[], Awaitable[Endpoints]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._ledger = ledger or remote.ledger()
        self._librarian = librarian or remote.librarian()
        self._feed = feed or remote.market_feed()
        self._environment = environment
        self._where = where or (lambda: locate(config))
        self._clock = clock
        self._wall = wall
        self._shelf = Shelf()
        self._follower = Follower(self._ledger, NAME, self._heard)
        self._waiting = "the forecaster is starting"
        self._models: Models | None = None
        self._workshop: Workshop | None = None
        self._source: EventSource | None = None
        #: Agents whose `blocked` is about forecasts, with its kind.
        self._blocked: dict[str, str] = {}
        #: What agents' records say: by how many outcomes, the last of them, and what it comes to.
        self._fitted: dict[tuple[str, str, float], tuple[object, Platt, float]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Do nothing: a fleet that asks for no forecasts needs no models."""

    async def stop(self) -> None:
        """End at once, as if the process had died."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._workshop is not None:
            await self._workshop.stop()
        await self._follower.stop()
        if self._models is not None:
            await self._models.close()

    async def ask(self, agent_id: str, strategy: str, recipe: Recipe, questions: Sequence[Question], now: int) -> Reply:
        """Return at once what is known, and go on to work on the rest; `now` is venue time, which evidence is limited to.

        A forecast that is returned for the first time to an agent was logged as its `forecast` event before. Markets without
        a price on both sides of the book are left out: there is nothing to compare a forecast with.

        Raises:
            Unavailable: if the log cannot be reached, or another forecaster has taken over; nothing is lost.
        """
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._get_ready())
        if self._workshop is None or self._source is None:
            return Reply({}, self._waiting)
        given: dict[str, Given] = {}
        obstacles: list[Obstacle | None] = []
        for question in questions:
            if question.book.mid is None:
                continue
            condition_id = question.market.condition_id
            key: Key = condition_id, journal.recipe_key(recipe)
            found = self._shelf.find(key)
            if found and found.serves(agent_id, now - question.max_age):
                given[condition_id] = self._give(found, agent_id, strategy, recipe, question, now)
            else:
                obstacles.append(self._workshop.want(key, agent_id, recipe, question, now))
        if obstacles:
            obstacle = None if None in obstacles else next((each for each in obstacles if each and each.kind), obstacles[0])
        else:
            obstacle = self._workshop.down(recipe)
        unsaid = [each for each in given.values() if each.event]
        blocking = self._blocking(agent_id, obstacle)
        if events := [*(each.event for each in unsaid if each.event), *blocking]:
            try:
                await self._source.store(events, patience=_PATIENCE)
            except StaleIncarnation as error:
                raise Unavailable(f"another forecaster has taken over ({error})") from None
        for each in unsaid:
            each.event = None
        for event in blocking:
            self._note_blocked(agent_id, event.data["blocked"])
        return Reply({id: each.forecast for id, each in given.items()}, obstacle.reason if obstacle else "")

    def _give(self, found: Shelved, agent_id: str, strategy: str, recipe: Recipe, question: Question, now: int) -> Given:
        if agent_id in found.given:
            return found.given[agent_id]
        assert self._source is not None
        assert question.book.mid is not None
        event = self._source.event(Type.FORECAST, {}, agent_id)
        platt, weight = self._fit(agent_id, question, recipe.weight)
        said = journal.told(
            found.samples,
            event.id,
            trim=recipe.trim,
            platt=platt,
            weight=weight,
            discount=question.discount,
            price=question.book.mid,
        )
        data = journal.forecast_data(
            said,
            found.samples,
            market=question.market,
            book=question.book,
            strategy=strategy,
            discount=question.discount,
            timestamp=event.timestamp,
            venue_time=now,
        )
        given = found.given[agent_id] = Given(said.forecast, replace(event, data=data))
        return given

    def _fit(self, agent_id: str, question: Question, start: float) -> tuple[Platt, float]:
        """Return what an agent's resolved forecasts teach of how to correct it, and what it weighs in such markets."""
        assert self._follower.state is not None
        category = question.market.category
        done = self._follower.state.record.of(agent_id)
        seen = len(done), done[-1] if done else None
        if (known := self._fitted.get((agent_id, category, start))) and known[0] == seen:
            return known[1], known[2]
        platt = fit_platt([(entry.pooled, entry.outcome) for entry in done if entry.outcome is not None])
        alike = [
            (entry.calibrated, entry.price, entry.outcome)
            for entry in done
            if entry.category == category and entry.outcome is not None
        ]
        weight = fit_weight(alike, start=start)
        self._fitted[agent_id, category, start] = seen, platt, weight
        return platt, weight

    def _blocking(self, agent_id: str, obstacle: Obstacle | None) -> list[Event]:
        """Return the `risk` event to store if an agent is blocked, or no longer blocked, by this."""
        assert self._source is not None
        before, kind = self._blocked.get(agent_id), obstacle.kind if obstacle else ""
        if kind == (before or ""):
            return []
        data = journal.blocked_data(kind or before or "", obstacle.reason if obstacle and kind else None)
        return [self._source.event(Type.RISK, data, agent_id)]

    def _note_blocked(self, agent_id: str, reason: str | None) -> None:
        if kind := journal.blocked_kind(reason):
            self._blocked[agent_id] = kind
        else:
            self._blocked.pop(agent_id, None)

    async def _get_ready(self) -> None:
        while True:
            try:
                await self._librarian.load()
                await self._open()
                return
            except PolyfleetError as error:
                log.warning("the forecaster cannot start yet: %s", error)
                self._waiting = f"the forecaster cannot start yet: {error}"
            except Exception as error:
                log.exception("the forecaster could not start; trying again")
                self._waiting = f"the forecaster could not start ({type(error).__name__}); its log says more"
            await asyncio.sleep(_RETRY)

    async def _open(self) -> None:
        providers = self._environment if self._environment is not None else self._config.providers()
        settings = llm_settings_from(providers)
        simulated = self._config.mode == "sandbox"
        models = Models(settings, providers, simulated=self._simulated if simulated else None, clock=self._clock)
        await models.load()
        if self._source is None:
            self._source = EventSource(NAME, await self._ledger.open_source(NAME), self._ledger, self._wall)
            self._follower.start()
        while self._follower.state is None:
            await self._follower.changed()
        state = self._follower.state
        workshop = Workshop(
            models=models,
            prices=Prices(settings.prices, free=settings.elsewhere or (simulated and not settings.base_url)),
            # Only this process writes what it spends: from here on it counts for itself, without a way round by the log.
            spend=deepcopy(state.spend),
            daily_budget=settings.daily_budget,
            shelf=self._shelf,
            librarian=self._librarian,
            feed=self._feed,
            source=self._source,
            clock=self._clock,
            wall=self._wall,
        )
        await self._restore(state, workshop)
        self._models, self._workshop = models, workshop
        workshop.start()

    async def _simulated(self) -> str:
        return (await self._where()).openai_url

    async def _restore(self, state: FleetState, workshop: Workshop) -> None:
        """Read back the newest samples of open markets and who was told of them, so that nobody pays for them again."""
        items: list[dict[str, object]] = []
        before: int | None = None
        while len(items) < _RESTORED:
            page = await self._ledger.history("forecasts", None, limit=_PAGE, before=before)
            items += page.items
            before = page.next
            if before is None:
                break
        for data in reversed(items):
            if data["conditionId"] in state.resolutions:
                continue
            if found := journal.sample_set(data):
                self._shelf.put(found)
                if found.articles:
                    workshop.remember(found.condition_id, Research(found.basis, most=found.articles))
            elif "samplesId" in data and (shelved := self._shelf.known(str(data["samplesId"]), str(data["conditionId"]))):
                forecast: Forecast = journal.forecast_of(data, shelved.samples)
                shelved.given[str(data["agentId"])] = Given(forecast)
        for agent_id, agent in state.agents.items():
            self._note_blocked(agent_id, agent.blocked)

    def _heard(self, event: Event) -> None:
        """Forget what has resolved."""
        if event.type is Type.RESOLUTION and self._workshop is not None:
            self._shelf.forget(event.data["conditionId"])
            self._workshop.forget(event.data["conditionId"])

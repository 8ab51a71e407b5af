"""Makes samples for whoever asks, first come first served: reserves the money, asks the models, settles what it cost."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from actors.event_source import EventSource
from actors.forecasting.models import Models
from actors.forecasting.research import Research, find_out
from actors.forecasting.sampling import outside_view, sampled
from actors.forecasting.session import Session
from actors.forecasting.shelf import Key, Shelf
from agents.errors import StaleIncarnation, Unavailable
from agents.events import Type
from agents.forecasting import journal
from agents.forecasting.prompts import Case
from agents.forecasting.records import Recipe, Sample
from agents.forecasting.spend import RESEARCH_CALLS, Prices, Spend, day_of
from agents.model import Market
from agents.money import ONE, Micro
from agents.ports import Librarian, MarketFeed, Question

log = logging.getLogger(__name__)

#: Sets that are made side by side.
_SETS = 4
#: Seconds between looks at what could not begin: a day ends, a model comes back.
_LOOK = 1.0
#: Seconds after which what nobody asks for any more is dropped.
_FORGOTTEN = 900.0
#: Seconds before a set that failed is made again, at first and at most.
_SHORTEST, _LONGEST = 15.0, 900.0


@dataclass(slots=True)
class Job:
    """A set of samples that is wanted, by whom and under which budget; `now` and `max_age` are venue milliseconds."""

    key: Key
    recipe: Recipe
    market: Market
    now: int
    max_age: int
    asked: float
    askers: dict[str, Micro]
    running: bool = False


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a set is not being made: `kind` is budget or model, or empty if it only failed a moment ago."""

    kind: str
    reason: str


@dataclass(slots=True)
class _Failure:
    until: float
    pause: float
    reason: str


class Workshop:
    """Does the work; finished sets go to the shelf. `clock` is seconds, monotonic, `wall` epoch seconds.

    What a set may cost at most is in the log before its first question is asked, and what it cost before it is given out.
    """

    def __init__(
        self,
        *,
        models: Models,
        prices: Prices,
        spend: Spend,
        daily_budget: Micro,
        shelf: Shelf,
        librarian: Librarian,
        feed: MarketFeed,
        source: EventSource,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._models = models
        self._prices = prices
        self._spend = spend
        self._daily_budget = daily_budget
        self._shelf = shelf
        self._librarian = librarian
        self._feed = feed
        self._source = source
        self._clock = clock
        self._wall = wall
        self._jobs: dict[Key, Job] = {}
        self._failed: dict[Key, _Failure] = {}
        self._research: dict[str, Research] = {}
        self._searching: dict[str, asyncio.Task[Research]] = {}
        #: The ids of the sets that are being made, with their tasks.
        self._running: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End at once; what was begun stays reserved."""
        tasks = [task for task in (self._task, *self._running.values(), *self._searching.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def remember(self, condition_id: str, research: Research) -> None:
        """Take over research of an earlier life."""
        self._research[condition_id] = research

    def forget(self, condition_id: str) -> None:
        """Make nothing more of a market: it has resolved."""
        self._research.pop(condition_id, None)
        self._failed = {key: failure for key, failure in self._failed.items() if key[0] != condition_id}
        for key in [key for key, job in self._jobs.items() if key[0] == condition_id and not job.running]:
            del self._jobs[key]

    def want(self, key: Key, agent_id: str, recipe: Recipe, question: Question, now: int) -> Obstacle | None:
        """Make a set, unless it is being made; return why that must wait, or None. `now` is venue time."""
        job = self._jobs.get(key)
        if job is None:
            job = self._jobs[key] = Job(key, recipe, question.market, now, question.max_age, 0.0, {})
        job.asked, job.askers[agent_id] = self._clock(), round(recipe.daily_budget * ONE)
        if job.running:
            # It may be the question by which a model that failed is tried again.
            return self.down(recipe)
        job.now, job.max_age = max(job.now, now), min(job.max_age, question.max_age)
        obstacle = self._obstacle(job, agent_id)
        if obstacle is None:
            self._news.set()
        return obstacle

    def down(self, recipe: Recipe) -> Obstacle | None:
        """Return the obstacle that no model of a recipe answers, or None if one does as far as is known."""
        reasons = [self._models.breaker(model).reason for model in recipe.models]
        return None if "" in reasons else Obstacle("model", f"the model {recipe.models[0]} does not answer: {reasons[0]}")

    def _obstacle(self, job: Job, agent_id: str) -> Obstacle | None:
        failure = self._failed.get(job.key)
        if down := self.down(job.recipe):
            return down
        # What other sets hold back is free again when they are done: to wait for that is no obstacle.
        if self._payer(job, self._running) is None:
            unknown = [note for model in job.recipe.models if (note := self._prices.note(model))]
            return Obstacle("budget", "; ".join((self._refusal(job, agent_id, self._running), *unknown)))
        if failure and self._clock() < failure.until:
            return Obstacle("", f"the last forecast of {job.market.question!r} failed: {failure.reason}")
        return None

    def _payer(self, job: Job, without: Collection[str] = ()) -> str | None:
        """Return the first of those who ask that may spend what a set can cost."""
        return next((agent for agent in job.askers if not self._refusal(job, agent, without)), None)

    def _refusal(self, job: Job, agent_id: str, without: Collection[str]) -> str:
        most = self._prices.upper(job.recipe)
        own, today = job.askers[agent_id], day_of(int(self._wall() * 1000))
        if not most:
            return ""
        return self._spend.refusal(agent_id, today, most, own=own, fleet=self._daily_budget, without=without)

    async def _run(self) -> None:
        while True:
            try:
                await self._begin_what_may()
            except StaleIncarnation as error:
                log.error("%s; no forecasts are made here any more", error)
                return
            except Exception:
                log.exception("the forecaster could not begin its work; trying again")
            try:
                async with asyncio.timeout(_LOOK):
                    await self._news.wait()
            except TimeoutError:
                continue
            self._news.clear()

    async def _begin_what_may(self) -> None:
        for job in tuple(self._jobs.values()):
            now = self._clock()
            if len(self._running) >= _SETS:
                return
            if job.running or job.key not in self._jobs:
                continue
            if now - job.asked > _FORGOTTEN:
                del self._jobs[job.key]
                continue
            failure = self._failed.get(job.key)
            models = self._models.up(job.recipe.models)
            if not models or (failure and now < failure.until) or (payer := self._payer(job)) is None:
                continue
            job.running = True
            probes = {model: self._models.breaker(model).begin() for model in models}
            most = self._prices.upper(job.recipe)
            event = self._source.event(Type.FORECAST, {})
            data = journal.begun_data(id=event.id, condition_id=job.market.condition_id, payer=payer, usd=most)
            event = replace(event, data=data)
            await self._source.store([event])
            self._spend.apply(event)
            self._running[event.id] = asyncio.get_running_loop().create_task(self._make(job, event.id, payer, probes))

    async def _make(self, job: Job, id: str, payer: str, probes: dict[str, bool]) -> None:
        try:
            data = await self._made(job, id, payer, probes)
            event = self._source.event(Type.FORECAST, data)
            await self._source.store([event])
            self._spend.apply(event)
            self._put(job, data)
        except StaleIncarnation as error:
            log.error("%s; a set of samples is lost", error)
        except Exception as error:
            log.exception("the samples of %s are lost", job.market.condition_id)
            self._fail(job, f"a mistake of the program ({type(error).__name__}); its log says more")
        finally:
            for model, probe in probes.items():
                self._models.breaker(model).end(probe)
            del self._running[id]
            self._jobs.pop(job.key, None)
            self._news.set()

    async def _made(self, job: Job, id: str, payer: str, probes: dict[str, bool]) -> dict[str, Any]:
        """Return the data of the event that settles a set, whatever came of it."""
        session = Session(self._models, self._prices, spare=RESEARCH_CALLS + job.recipe.samples)
        began, error = self._clock(), ""
        basis, outside = journal.Basis(job.now), None
        samples: tuple[Sample, ...] = ()
        models = tuple(probes)
        try:
            case = Case(job.market, await self._feed.rules(job.market.condition_id), job.now)
            research = await self._researched(session, job, case, models[0])
            for sentence in research.notes:
                session.note(sentence)
            basis = research.shown(job.recipe.articles)
            case = replace(case, as_of=basis.at)
            outside = await outside_view(session, models[0], case, basis)
            samples = await sampled(session, models, job.recipe.samples, case, basis, outside)
        except Unavailable as failed:
            error = str(failed)
        return journal.samples_data(
            id=id,
            recipe=job.recipe,
            market=job.market,
            basis=basis,
            base_rate=outside,
            prompts=session.written(),
            samples=samples,
            tokens=(session.tokens_in, session.tokens_out),
            usd=session.usd,
            payer=payer,
            latency=self._clock() - began,
            notes=session.notes,
            error=error,
        )

    def _put(self, job: Job, data: Mapping[str, Any]) -> None:
        if found := journal.sample_set(data):
            self._failed.pop(job.key, None)
            self._shelf.put(found, frozenset(job.askers))
        else:
            self._fail(job, data["error"])

    def _fail(self, job: Job, reason: str) -> None:
        log.warning("there is no forecast of %r: %s", job.market.question, reason)
        if self.down(job.recipe):
            # Models that are down are waited for by their breakers.
            return
        before = self._failed.get(job.key)
        pause = min(before.pause * 2, _LONGEST) if before else _SHORTEST
        self._failed[job.key] = _Failure(self._clock() + pause, pause, reason)

    async def _researched(self, session: Session, job: Job, case: Case, model: str) -> Research:
        """Return research that is new enough, made once for all who need it at the same time."""
        condition_id, articles = job.market.condition_id, job.recipe.articles
        found = self._research.get(condition_id)
        if found and found.serves(articles, job.now - job.max_age):
            return found
        if not articles:
            return await find_out(session, model, self._librarian, case, articles=False)
        task = self._searching.get(condition_id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._search(session, case, model))
            self._searching[condition_id] = task
        return await asyncio.shield(task)

    async def _search(self, session: Session, case: Case, model: str) -> Research:
        condition_id = case.market.condition_id
        try:
            found = await find_out(session, model, self._librarian, case, articles=True)
            self._research[condition_id] = found
            return found
        finally:
            del self._searching[condition_id]

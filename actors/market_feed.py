"""The market feed: the one reader of market data, for all agents of a fleet."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from actors import remote
from actors.event_source import EventSource
from actors.feed.books import Books
from actors.feed.catalogue import Catalogue, Tracked
from actors.feed.listings import Listings
from actors.feed.resolution import Resolution
from actors.polymarket.market_data import MarketData
from actors.system import SystemConfig
from actors.venue_clock import VenueClock
from actors.venue_location import locate, venue_time
from agents.errors import PolyfleetError, Unavailable
from agents.model import MarketView
from agents.ports import Endpoints, Ledger, Snapshot

log = logging.getLogger(__name__)

NAME = "feed"

#: The document in which the feed keeps the condition ids that agents may still hold as open.
_DOCUMENT = "feed"

#: Seconds between looks at what has opened, closed or fallen silent, and between two writings of the document.
_LOOK = 0.25
_KEEP = 5.0
#: Seconds that books may take to load before the markets are shown without them.
_LOADING = 5.0
#: Seconds after which a market that nothing was heard of is shown again, with its age.
_SILENT = 45.0
#: Seconds for which the venue is not asked again for a name that it does not know, and how many such names are kept.
_AGAIN = 10.0
_MISSED = 1000
#: Seconds before the next attempt to reach the venue, at first and at most.
_SHORTEST_WAIT, _LONGEST_WAIT = 0.5, 10.0


class MarketFeedService:
    """Implements `agents.ports.MarketFeed`.

    `start` returns at once; until the venue was reached once, questions raise Unavailable. Its upstream requests and
    connections depend on the markets alone, not on who asks.
    """

    def __init__(
        self,
        config: SystemConfig,
        *,
        ledger: Ledger | None = None,
        where: Callable[[], Awaitable[Endpoints]] | None = None,
        venue_now: Callable[[], Awaitable[int]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger or remote.ledger()
        self._where = where or (lambda: locate(config))
        self._clock = VenueClock(venue_now or (lambda: venue_time(config)))
        self._catalogue = Catalogue(time.time_ns() // 1000, monotonic)
        self._source: EventSource | None = None
        self._reported: set[str] = set()
        self._kept: list[str] = []
        self._data: MarketData | None = None
        self._listings: Listings | None = None
        #: Names that the venue did not know, and when it was asked.
        self._missed: dict[str, float] = {}
        self._discovered = False
        self._reason = "it is starting"
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(self._live())

    async def stop(self) -> None:
        """End at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def snapshot(self, selection: Sequence[str] = (), since: int = 0) -> Snapshot:
        """Return the open, tradable markets of a selection (ids, slugs, events, tags; empty: all) changed since a version."""
        self._check_discovered()
        if self._listings is not None:
            self._listings.wish(self._catalogue.unknown(selection))
        now = await self._clock.now()
        changed, gone = self._catalogue.since(since, selection)
        return Snapshot(self._catalogue.version, now, changed, gone)

    async def markets(self) -> list[MarketView]:
        """Return every market it knows, resolved ones included."""
        self._check_discovered()
        now = time.monotonic()
        return [tracked.view(now) for tracked in self._catalogue]

    async def market(self, id: str) -> MarketView | None:
        """Return one market by condition id, Gamma id, slug or token id, asking the venue if it is not followed."""
        found = self._named(id)
        if found is None:
            if self._data is None:
                raise Unavailable(f"the market feed is not connected: {self._reason}")
            if time.monotonic() - self._missed.get(id, -_AGAIN) < _AGAIN:
                return None
            for listing in await self._data.lookup(id):
                self._catalogue.put(listing)
            found = self._named(id)
            if found is None:
                self._missed = {} if len(self._missed) > _MISSED else self._missed
                self._missed[id] = time.monotonic()
        return found.view(time.monotonic()) if found else None

    async def rules(self, condition_id: str) -> str:
        """Return the text by which a market resolves, as the venue words it (untrusted); empty if it is not known."""
        tracked = self._catalogue.get(condition_id)
        return tracked.listing.rules if tracked else ""

    def _named(self, id: str) -> Tracked | None:
        for tracked in self._catalogue.find(id):
            if id in (tracked.market.condition_id, tracked.market.id, tracked.market.slug, *tracked.market.tokens):
                return tracked
        return None

    async def watch(self, condition_ids: Sequence[str]) -> None:
        """Follow these markets too until they resolve (a broker does this for what it holds)."""
        if self._listings is None:
            raise Unavailable(f"the market feed is not connected: {self._reason}")
        unknown = []
        for condition_id in condition_ids:
            tracked = self._catalogue.get(condition_id)
            if tracked is None:
                unknown.append(condition_id)
            elif not tracked.resolved:
                tracked.watched = True
        if unknown:
            await self._listings.look_up(unknown)

    async def now(self) -> int:
        """Return the venue's time in epoch milliseconds."""
        return await self._clock.now()

    def _check_discovered(self) -> None:
        if not self._discovered:
            raise Unavailable(f"the market feed has not read the venue's markets yet: {self._reason}")

    async def _live(self) -> None:
        wait = _SHORTEST_WAIT
        while True:
            began = time.monotonic()
            try:
                await self._connect()
            except* PolyfleetError as errors:
                reason = str(errors.exceptions[0])
                if reason != self._reason:
                    log.warning("the market feed has lost the venue: %s", reason)
                self._reason = reason
            except* Exception as errors:
                log.exception("the market feed failed", exc_info=errors)
                self._reason = repr(errors.exceptions[0])
            wait = _SHORTEST_WAIT if time.monotonic() - began > _LONGEST_WAIT else min(wait * 2, _LONGEST_WAIT)
            await asyncio.sleep(wait)

    async def _connect(self) -> None:
        """Read the venue until something fails."""
        source = await self._opened()
        endpoints = await self._where()
        await self._clock.now()
        data = MarketData(endpoints)
        books = Books(self._catalogue, data, endpoints, self._clock)
        listings = Listings(self._catalogue, data, books, self._clock)
        resolution = Resolution(self._catalogue, data, source, self._clock, self._reported, listings.resized)
        books.on_new, books.on_resolved = listings.announce, resolution.hint
        try:
            await listings.discover()
            await listings.look_up(id for id in self._kept if self._catalogue.get(id) is None)
            for tracked in filter(None, map(self._catalogue.get, self._kept)):
                tracked.was_open = True
            self._data, self._listings, self._reason = data, listings, "it is reading the venue's markets"
            async with asyncio.TaskGroup() as group:
                for work in (books.run(), listings.run(), resolution.run(), self._look()):
                    group.create_task(work)
        finally:
            self._data = self._listings = None
            await books.close()
            await data.close()

    async def _opened(self) -> EventSource:
        """Return this life's source of events; the first time, read from the log what earlier lives reported and followed."""
        if self._source is None:
            incarnation = await self._ledger.open_source(NAME)
            state = await self._ledger.snapshot()
            self._kept = list(await self._ledger.document(_DOCUMENT) or ())
            self._reported = set(state.resolutions)
            self._source = EventSource(NAME, incarnation, self._ledger)
        return self._source

    async def _look(self) -> None:
        """See what opens and closes as time passes, and keep on record what agents may hold as open."""
        began, due = time.monotonic(), 0.0
        while True:
            self._catalogue.look(await self._clock.now(), _SILENT)
            # An agent that sees nothing yet would take what is still loading for all there is.
            self._discovered = self._discovered or self._catalogue.loaded or time.monotonic() - began > _LOADING
            if time.monotonic() >= due:
                due = time.monotonic() + _KEEP
                shown = sorted(tracked.market.condition_id for tracked in self._catalogue if tracked.was_open)
                if shown != self._kept:
                    await self._ledger.put_document(_DOCUMENT, shown)
                    self._kept = shown
            await asyncio.sleep(_LOOK)

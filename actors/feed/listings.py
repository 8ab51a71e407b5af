"""Which markets there are: discovery, look-ups by name, and how large the events are."""

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import replace

from actors.feed.books import Books, step
from actors.feed.catalogue import Catalogue, Tracked
from actors.feed.prices import LENGTH
from actors.polymarket.market_data import MarketData
from actors.polymarket.schema import Listing
from actors.venue_clock import VenueClock
from agents.errors import Unavailable

log = logging.getLogger(__name__)

#: The most markets that are followed, those with the most trading of the day first.
MOST = 1000
#: Seconds between two discoveries of all open markets, and between looks at what came in meanwhile.
DISCOVERY = 60.0
_LOOK = 0.5
#: Seconds before a name that no market had is asked for again.
_AGAIN = 60.0
#: Markets whose price history is asked for at a time.
_BATCH = 20


class Listings:
    """Keeps a catalogue complete over one connection to the venue."""

    def __init__(self, catalogue: Catalogue, data: MarketData, books: Books, clock: VenueClock) -> None:
        self._catalogue = catalogue
        self._data = data
        self._books = books
        self._clock = clock
        self._new: set[str] = set()
        self._names: set[str] = set()
        self._asked: dict[str, float] = {}
        self._unpriced: dict[str, None] = {}
        self._unsized: set[str] = set()

    def announce(self, condition_id: str) -> None:
        """Look a market up soon: it has just opened."""
        if self._catalogue.get(condition_id) is None and sum(tracked.followed for tracked in self._catalogue) < MOST:
            self._new.add(condition_id)

    def wish(self, names: Iterable[str]) -> None:
        """Look names up soon, unless that was tried a moment ago."""
        now = time.monotonic()
        for name in names:
            if now - self._asked.get(name, -_AGAIN) >= _AGAIN:
                self._asked[name] = now
                self._names.add(name)

    async def discover(self) -> None:
        """Read the list of open markets; what is followed and not in it any more is in doubt. Raises Unavailable."""
        began = set(self._catalogue)
        listed = {self._put(listing) for listing in await self._data.open_markets(MOST)}
        for tracked in began - listed:
            tracked.doubtful = True
        for tracked in listed:
            tracked.doubtful = False
        await self._books.follow()

    async def look_up(self, condition_ids: Iterable[str]) -> None:
        """Take in markets by condition id, and follow them until they resolve. Raises Unavailable."""
        for listing in await self._data.by_conditions(sorted(condition_ids)):
            tracked = self._put(listing)
            tracked.watched = not tracked.resolved
            tracked.doubtful = tracked.market.closed
        await self._books.follow()

    def resized(self, tracked: Tracked) -> None:
        """Count the open markets of a market's event again."""
        if tracked.market.neg_risk and tracked.market.event_id:
            self._unsized.add(tracked.market.event_id)

    async def run(self) -> None:
        """Discover for ever, and see to what was announced or wished for meanwhile. Raises Unavailable."""
        due = time.monotonic() + DISCOVERY
        while True:
            await asyncio.sleep(_LOOK)
            await self._answer()
            await self._fill()
            await self._size()
            if time.monotonic() >= due:
                due = time.monotonic() + DISCOVERY
                await self.discover()

    async def _answer(self) -> None:
        new, names = self._new, self._names
        self._new, self._names = set(), set()
        if new:
            for listing in await self._data.by_conditions(sorted(new)):
                self._put(listing)
        for name in names:
            for listing in await self._data.lookup(name):
                self._put(listing).watched = True
        if new or names:
            await self._books.follow()

    def _put(self, listing: Listing) -> Tracked:
        known = self._catalogue.get(listing.market.condition_id)
        tracked = self._catalogue.put(listing)
        if known is None:
            self.resized(tracked)
            if not tracked.market.closed:
                self._unpriced[tracked.market.condition_id] = None
        return tracked

    async def _fill(self) -> None:
        """Ask for the price history of some markets that are new here."""
        batch = list(self._unpriced)[:_BATCH]
        found = [tracked for id in batch if (tracked := self._catalogue.get(id)) is not None]
        if not found or self._clock.speed is None:
            return
        for id in batch:
            del self._unpriced[id]
        width, now = step(self._clock), await self._clock.now()
        tokens = {tracked.market.tokens[0]: tracked for tracked in found}
        try:
            histories = await self._data.histories(list(tokens), now - LENGTH * width, now, width)
        except Unavailable as error:
            # Prices gather by themselves; a market without a past is no reason to stop.
            log.warning("%d markets begin without a price history: %s", len(tokens), error)
            return
        for token_id, history in histories.items():
            if token_id in tokens and history:
                tokens[token_id].prices.fill(history, width)
                self._catalogue.touch(tokens[token_id])

    async def _size(self) -> None:
        """Count the open markets of an event whose outcomes exclude each other."""
        if not self._unsized:
            return
        event_id = self._unsized.pop()
        size = await self._data.open_in_event(event_id)
        for tracked in self._catalogue.find(event_id):
            if tracked.market.event_id == event_id:
                self._catalogue.change(tracked, replace(tracked.market, event_size=size))

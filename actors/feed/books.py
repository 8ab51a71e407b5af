"""Books kept live: frames of the market channel, checked against REST, on sockets that are replaced when they freeze."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from actors.feed.catalogue import Catalogue, Tracked
from actors.polymarket.market_data import MarketData
from actors.polymarket.schema import BookFrame, Frame, LastTrade, NewMarket, PriceChanges, Resolved, TickChange
from actors.polymarket.stream import MarketStream
from actors.venue_clock import VenueClock
from agents.money import Micro
from agents.ports import Endpoints

log = logging.getLogger(__name__)

#: Seconds between two comparisons of all books with REST, and between looks at books that seem wrong.
RESYNC = 15.0
_DOUBT = 1.0
#: A socket that was silent for this long while books moved is frozen.
_FROZEN = 20.0
#: A price point covers a minute of the venue's clock, or a second of the wall's if that is more.
_LEAST_STEP = 60_000


class Books:
    """Follows the open markets of a catalogue over one connection to the venue."""

    def __init__(self, catalogue: Catalogue, data: MarketData, endpoints: Endpoints, clock: VenueClock) -> None:
        self._catalogue = catalogue
        self._data = data
        self._stream = MarketStream(endpoints.market_ws_url, self._take, loopback=endpoints.simulated)
        self._clock = clock
        self._wrong: set[str] = set()
        #: Called with the condition ids of markets that the channel reports as new or resolved, anywhere on the venue.
        self.on_new: Callable[[str], None] = lambda condition_id: None
        self.on_resolved: Callable[[str], None] = lambda condition_id: None

    async def follow(self) -> None:
        """Subscribe to what is open and unsubscribe from what has ended."""
        wanted: list[str] = []
        over: list[str] = []
        for tracked in self._catalogue:
            token_id = tracked.market.tokens[0]
            if tracked.market.closed:
                over.append(token_id)
            elif tracked.followed:
                wanted.append(token_id)
        await self._stream.drop(over)
        await self._stream.follow(wanted)

    async def close(self) -> None:
        """Close the sockets."""
        await self._stream.close()

    async def run(self) -> None:
        """Compare with REST for ever: all books now and then, those that seem wrong soon. Raises Unavailable."""
        due = time.monotonic()
        while True:
            if time.monotonic() >= due:
                due = time.monotonic() + RESYNC
                await self._resync([tracked for tracked in self._catalogue if self._follows(tracked)], watch=True)
            elif self._wrong:
                found = (self._catalogue.get(condition_id) for condition_id in self._wrong)
                await self._resync([tracked for tracked in found if tracked is not None and self._follows(tracked)])
            await asyncio.sleep(_DOUBT)

    def _follows(self, tracked: Tracked) -> bool:
        return self._stream.shard_of(tracked.market.tokens[0]) is not None

    async def _resync(self, markets: list[Tracked], *, watch: bool = False) -> None:
        by_token = {tracked.market.tokens[0]: tracked for tracked in markets}
        for tracked in markets:
            self._wrong.discard(tracked.market.condition_id)
            tracked.book.begin()
        asked = time.monotonic()
        frames = await self._data.books(list(by_token))
        moved: set[str] = set()
        for token_id, tracked in by_token.items():
            frame = frames.get(token_id)
            if frame is None:
                tracked.doubtful = True  # The venue has taken its book away.
                continue
            tracked.received = time.monotonic()
            if tracked.book.reconcile(frame):
                moved.add(token_id)
                self._changed(tracked)
            self._set_tick(tracked, frame.tick)
        if watch:
            await self._thaw(moved, asked)

    async def _thaw(self, moved: Iterable[str], asked: float) -> None:
        """Replace the sockets that said nothing while books of theirs moved."""
        shards = {shard for token_id in moved if (shard := self._stream.shard_of(token_id))}
        for shard in shards:
            if shard.connected and asked - shard.last_data > _FROZEN:
                log.warning("%s says nothing while its books move; it is replaced", shard.url)
                await shard.replace()

    def _take(self, frames: list[Frame]) -> None:
        for frame in frames:
            match frame:
                case NewMarket():
                    self.on_new(frame.condition_id)
                case Resolved():
                    self.on_resolved(frame.condition_id)
                case _:
                    tracked = self._catalogue.get(frame.condition_id)
                    if tracked is not None:
                        self._update(tracked, frame)

    def _update(self, tracked: Tracked, frame: BookFrame | PriceChanges | LastTrade | TickChange) -> None:
        tracked.received = time.monotonic()
        match frame:
            case BookFrame():
                if tracked.book.load(frame):
                    self._changed(tracked)
                self._set_tick(tracked, frame.tick)
            case PriceChanges():
                if not tracked.book.apply(frame) or tracked.book.crossed:
                    self._wrong.add(frame.condition_id)
                self._changed(tracked)
            case TickChange():
                self._set_tick(tracked, frame.tick)
            case LastTrade():
                pass

    def _changed(self, tracked: Tracked) -> None:
        self._catalogue.touch(tracked)
        mid = tracked.book.mid
        if mid is not None:
            tracked.prices.add(self._clock.reckoned, mid, step(self._clock))

    def _set_tick(self, tracked: Tracked, tick: Micro | None) -> None:
        if tick:
            self._catalogue.change(tracked, replace(tracked.market, tick=tick))


def step(clock: VenueClock) -> int:
    """Return how many milliseconds of the venue's clock one price point covers."""
    return max(_LEAST_STEP, int((clock.speed or 1.0) * 1000))

"""How markets end: their payouts are asked for until the chain has them, and reported to the log once."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

from actors.event_source import EventSource
from actors.feed.catalogue import Catalogue, Tracked
from actors.polymarket.market_data import MarketData
from actors.venue_clock import VenueClock
from agents import facts
from agents.events import Type
from agents.money import Micro

log = logging.getLogger(__name__)

#: Seconds between two rounds of questions about all markets that should end, and between looks at fresh hints.
_POLL = 10.0
_LOOK = 0.5
#: Markets asked about in one round at most.
_MOST = 200


class Resolution:
    """Watches the markets of a catalogue end. `reported` holds the condition ids whose resolution is in the log.

    `on_ended` is called with each market that has resolved or closed.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        data: MarketData,
        source: EventSource,
        clock: VenueClock,
        reported: set[str],
        on_ended: Callable[[Tracked], None],
    ) -> None:
        self._catalogue = catalogue
        self._data = data
        self._source = source
        self._clock = clock
        self._reported = reported
        self._on_ended = on_ended
        self._hints: set[str] = set()
        #: In which round each candidate was last asked about.
        self._asked: dict[str, int] = {}
        self._round = 0

    def hint(self, condition_id: str) -> None:
        """Ask for a market's payouts soon: the channel says that it has resolved."""
        if condition_id not in self._reported and self._catalogue.get(condition_id) is not None:
            self._hints.add(condition_id)

    async def run(self) -> None:
        """Ask for ever. Raises Unavailable."""
        due = time.monotonic()
        while True:
            await asyncio.sleep(_LOOK)
            hints, self._hints = self._hints, set()
            if time.monotonic() >= due:
                due = time.monotonic() + _POLL
                hints |= self._candidates()
            if hints:
                await self._ask(sorted(hints))

    def _candidates(self) -> set[str]:
        """Return the markets that may have resolved: those past their end, and those that the venue took off its lists.

        Where there are too many, those come first that were asked about longest ago.
        """
        now = self._clock.reckoned
        found = [
            tracked.market.condition_id
            for tracked in self._catalogue
            if tracked.market.condition_id not in self._reported
            and (tracked.doubtful or tracked.market.closed or (tracked.market.end is not None and tracked.market.end <= now))
        ]
        chosen = sorted(found, key=lambda condition_id: self._asked.get(condition_id, 0))[:_MOST]
        self._round += 1
        self._asked = {id: self._asked.get(id, 0) for id in found} | dict.fromkeys(chosen, self._round)
        return set(chosen)

    async def _ask(self, condition_ids: list[str]) -> None:
        payouts = await self._data.payouts(condition_ids)
        missing = [condition_id for condition_id in condition_ids if condition_id not in payouts]
        for listing in await self._data.by_conditions(missing) if missing else ():
            tracked = self._catalogue.put(listing)
            tracked.doubtful = tracked.market.closed
            if tracked.market.payouts is not None:
                payouts[tracked.market.condition_id] = tracked.market.payouts
        for condition_id, pair in payouts.items():
            await self._resolved(condition_id, pair)

    async def _resolved(self, condition_id: str, payouts: tuple[Micro, Micro]) -> None:
        tracked = self._catalogue.get(condition_id)
        if tracked is None or condition_id in self._reported:
            return
        market = replace(tracked.market, payouts=payouts, closed=True, accepting_orders=False)
        event = self._source.event(Type.RESOLUTION, facts.resolution_data(market, venue_time=await self._clock.now()))
        await self._source.store([event])
        self._reported.add(condition_id)
        tracked.watched = False
        self._catalogue.change(tracked, market)
        self._on_ended(tracked)

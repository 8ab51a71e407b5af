"""Takes samples of what the books are worth into the log, so that equity and drawdown outlive every process."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from agents.errors import PolyfleetError
from agents.fleet import FleetState
from agents.ports import MarketFeed
from agents.sampling import INTERVAL, Sampler
from agents.valuation import Valuation, quotes

log = logging.getLogger(__name__)

#: Seconds before it looks again when the feed could not be asked.
_RETRY = 2.0


class EquityWatch:
    """Looks every `INTERVAL` wall seconds, counted from the last sample in the log; `store` logs one."""

    def __init__(
        self,
        state: Callable[[], FleetState],
        feed: MarketFeed,
        store: Callable[[dict[str, Any]], Awaitable[object]],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._feed = feed
        self._store = store
        self._wall = wall
        self._sampler = Sampler()

    async def run(self) -> None:
        """Go on for ever."""
        wait = self.wait
        while True:
            await asyncio.sleep(wait)
            try:
                await self.look()
                wait = INTERVAL
            except PolyfleetError as error:
                log.debug("no sample of the books is taken now: %s", error)
                wait = _RETRY

    @property
    def wait(self) -> float:
        """Seconds to the first look: a former life may have taken a sample a moment ago."""
        passed = self._wall() - self._state().equity.time / 1000
        return INTERVAL - passed if 0 <= passed < INTERVAL else 0.0

    async def look(self) -> None:
        """Take a sample, if there is something new. Raises Unavailable if the feed does not answer."""
        views = await self._feed.markets()
        data = self._sampler.sample(self._state(), Valuation(self._state(), quotes(views)), await self._feed.now())
        if data is not None:
            await self._store(data)

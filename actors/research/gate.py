"""Asks a source no more often than it allows, no longer than it is worth, and lets it rest after it failed."""

import asyncio
import logging
import time
from collections.abc import Callable

import limits
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from actors.research.source import Article, Source
from agents.errors import PolyfleetError, Unavailable

log = logging.getLogger(__name__)

#: Seconds that one fetch may take, and fetches of one source at the same time.
_PATIENCE = 15.0
_AT_ONCE = 4

#: Seconds for which a source is not asked after it failed: doubled with each further failure.
_SHORTEST_REST, _LONGEST_REST = 5.0, 600.0


class Gate:
    """One source. `clock` tells seconds of a monotonic clock; `patience` is for how many seconds a fetch is waited for."""

    def __init__(self, source: Source, clock: Callable[[], float] = time.monotonic, patience: float = _PATIENCE) -> None:
        self.name = source.name
        self.searches = source.searches
        self._source = source
        self._clock = clock
        self._patience = patience
        self._rate = limits.parse(source.rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._failures = 0
        self._rested = 0.0
        self._reason = ""

    async def fetch(self, query: str, as_of: int, limit: int) -> list[Article]:
        """Return the source's articles. Raises Unavailable, in one sentence, whatever the source did."""
        async with self._slots:
            rest = self._rested - self._clock()
            if rest > 0:
                raise Unavailable(f"{self._reason}; it is asked again in {rest:.0f} s")
            if not self._limiter.hit(self._rate, self.name):
                raise Unavailable(f"{self.name} is asked at most {self._rate}")
            try:
                async with asyncio.timeout(self._patience):
                    found = await self._source.fetch(query, as_of, limit)
            except TimeoutError:
                raise self._failed(f"{self.name} did not answer within {self._patience:g} s") from None
            except PolyfleetError as error:
                raise self._failed(str(error)) from error
            except Exception as error:
                log.exception("%s failed", self.name)
                raise self._failed(f"{self.name} failed ({type(error).__name__})") from error
            self._failures = 0
            return found

    async def close(self) -> None:
        """Give back the source's connections."""
        await self._source.close()

    def _failed(self, reason: str) -> Unavailable:
        self._rested = self._clock() + min(_SHORTEST_REST * 2.0**self._failures, _LONGEST_REST)
        self._failures = min(self._failures + 1, 20)
        self._reason = reason
        log.warning("a source of news: %s", reason)
        return Unavailable(reason)

"""The venue's time without asking for it each time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from agents.errors import Unavailable

#: Wall seconds for which an answer is reckoned on before the venue is asked again.
_TRUSTED = 1.0


class VenueClock:
    """Asks for the venue's time about once a second and reckons on in between, at the speed seen so far.

    It never runs backwards, and while nobody answers it stands still.
    """

    def __init__(self, ask: Callable[[], Awaitable[int]], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._asking = asyncio.Lock()
        self._answer: tuple[int, float] | None = None
        self._told = 0
        #: Venue seconds in one wall second, once two answers have shown it.
        self.speed: float | None = None

    @property
    def reckoned(self) -> int:
        """The venue's time in epoch milliseconds by the last answer; 0 before the first."""
        if self._answer is not None:
            answer, at = self._answer
            passed = min(self._monotonic() - at, _TRUSTED)
            self._told = max(self._told, answer + int(passed * 1000 * (self.speed or 0.0)))
        return self._told

    async def now(self) -> int:
        """Return the venue's time in epoch milliseconds. Raises Unavailable if it was never told."""
        if self._stale:
            async with self._asking:
                if self._stale:
                    await self._refresh()
        return self.reckoned

    @property
    def _stale(self) -> bool:
        return self._answer is None or self._monotonic() - self._answer[1] > _TRUSTED

    async def _refresh(self) -> None:
        try:
            now = await self._ask()
        except Unavailable:
            if self._answer is None:
                raise
            self._answer, self.speed = (self._told, self._monotonic()), 0.0
            return
        at = self._monotonic()
        if self._answer is not None and at > self._answer[1]:
            self.speed = max(0.0, (now - self._answer[0]) / 1000 / (at - self._answer[1]))
        self._answer = now, at


async def wall_time() -> int:
    """Return the wall's time in epoch milliseconds: the clock of a real venue."""
    return int(time.time() * 1000)

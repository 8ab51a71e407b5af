"""Time as the notifier's parts know it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """`wall` tells epoch seconds, `clock` those of a monotonic clock that `sleep` waits on.

    `gather` is for how many seconds a burst gathers before it is sent; a failed attempt is made again after `retry` seconds,
    then after twice as long each time, at most a minute.
    """

    wall: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    gather: float = 1.0
    retry: float = 1.0

    def now(self) -> int:
        """Return wall time in epoch milliseconds."""
        return int(self.wall() * 1000)

    async def back_off(self, attempt: int) -> None:
        """Wait after the failed attempt number 0, 1, 2, ..."""
        await self.sleep(min(60.0, self.retry * 2 ** min(attempt, 10)))

"""Who follows the log, and how far each has come: what makes control read-your-writes on every replica."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: A follower that is not polling and has not for this many seconds is gone.
PATIENCE = 5.0


@dataclass(slots=True)
class _Follower:
    applied: int
    polls: int
    seen: float


class Followers:
    """The followers by name. `clock` tells seconds of a monotonic clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._followers: dict[str, _Follower] = {}
        self._progress = asyncio.Event()

    @contextmanager
    def polling(self, name: str | None, applied: int) -> Iterator[None]:
        """Note that a follower has applied the log up to a seq and waits for what comes after it."""
        if name is None:
            yield
            return
        follower = self._followers.setdefault(name, _Follower(applied, 0, 0.0))
        follower.applied = applied
        follower.polls += 1
        self._progress.set()
        self._progress = asyncio.Event()
        try:
            yield
        finally:
            follower.polls -= 1
            follower.seen = self._clock()

    async def applied(self, seq: int, timeout: float) -> bool:
        """Wait until every live follower has applied a seq; those who are late are forgotten until they poll again."""
        try:
            async with asyncio.timeout(timeout):
                while self._late(seq):
                    await self._progress.wait()
        except TimeoutError:
            for name in self._late(seq):
                del self._followers[name]
            return False
        return True

    def _late(self, seq: int) -> list[str]:
        now = self._clock()
        self._followers = {
            name: follower for name, follower in self._followers.items() if follower.polls or now - follower.seen < PATIENCE
        }
        return [name for name, follower in self._followers.items() if follower.applied < seq]

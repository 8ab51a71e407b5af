"""Who follows the log, and how far each has come: what makes control read-your-writes on every replica."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

#: Seconds for which news are gathered for a follower, unless somebody waits for it: it need not run for every commit.
GATHERING = 0.25

#: A follower that is not polling and has not for this many seconds is gone.
PATIENCE = 5.0


@dataclass(slots=True)
class _Follower:
    applied: int
    awaited: bool
    polls: int = 0
    seen: float = 0.0


class Followers:
    """The followers by name. `clock` tells seconds of a monotonic clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._followers: dict[str, _Follower] = {}
        self._progress = asyncio.Event()
        self._waited_for = asyncio.Event()
        self._barriers = 0

    async def gathered(self) -> None:
        """Wait until enough news have gathered for a follower, or somebody waits for it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHERING):
                await self._waited_for.wait()

    @contextmanager
    def polling(self, name: str | None, applied: int, *, awaited: bool = True) -> Iterator[None]:
        """Note that a follower has applied the log up to a seq and waits for more; `applied` waits for an `awaited` one."""
        if name is None:
            yield
            return
        follower = self._followers.setdefault(name, _Follower(applied, awaited))
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
        self._barriers += 1
        self._waited_for.set()
        try:
            async with asyncio.timeout(timeout):
                while self._late(seq):
                    await self._progress.wait()
        except TimeoutError:
            for name in self._late(seq):
                del self._followers[name]
            return False
        finally:
            self._barriers -= 1
            if not self._barriers:
                self._waited_for.clear()
        return True

    def behind(self, head: int) -> dict[str, int]:
        """Return how many events each live follower has not applied yet; any thread may ask."""
        return {name: max(0, head - follower.applied) for name, follower in self._live().items()}

    def _live(self) -> dict[str, _Follower]:
        now = self._clock()
        found = list(self._followers.items())
        return {name: follower for name, follower in found if follower.polls or now - follower.seen < PATIENCE}

    def _late(self, seq: int) -> list[str]:
        self._followers = self._live()
        return [name for name, follower in self._followers.items() if follower.awaited and follower.applied < seq]

"""One lookup for all who ask the same in the same window, however many they are."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

#: Lookups that are remembered.
_REMEMBERED = 2000


@dataclass(slots=True)
class _Lookup(Generic[T]):
    as_of: int
    began: float
    task: "asyncio.Task[T]"


class Lookups(Generic[T]):
    """Lookups by key, each of which serves all who ask the same for a while.

    That is until the venue's clock is `window` milliseconds further and `spacing` wall seconds have passed: where the venue's
    clock runs fast, the second is longer. One that failed is made again after `spacing`. `clock` tells seconds of a monotonic
    clock; `failed` says whether a result is that of a failure.
    """

    def __init__(self, window: int, spacing: float, clock: Callable[[], float], failed: Callable[[T], bool]) -> None:
        self._window = window
        self._spacing = spacing
        self._clock = clock
        self._failed = failed
        self._lookups: OrderedDict[object, _Lookup[T]] = OrderedDict()

    async def get(self, key: object, as_of: int, look: Callable[[], Awaitable[T]]) -> T:
        """Return what the lookup of a key brought, making it if none serves. It goes on if the one who asks goes away."""
        lookup = self._lookups.get(key)
        if lookup is None or not self._serves(lookup, as_of):
            lookup = self._lookups[key] = _Lookup(as_of, self._clock(), asyncio.ensure_future(_run(look)))
            while len(self._lookups) > _REMEMBERED:
                self._lookups.popitem(last=False)
        self._lookups.move_to_end(key)
        return await asyncio.shield(lookup.task)

    async def close(self) -> None:
        """End what is still being looked up."""
        tasks = [lookup.task for lookup in self._lookups.values() if not lookup.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _serves(self, lookup: _Lookup[T], as_of: int) -> bool:
        if as_of < lookup.as_of - self._window:
            return False
        if not lookup.task.done() or self._clock() - lookup.began < self._spacing:
            return True
        return as_of < lookup.as_of + self._window and not self._failed(lookup.task.result())


async def _run(look: Callable[[], Awaitable[T]]) -> T:
    return await look()

"""Who is at work on what: claims that only one may hold at a time, each for a while."""

import time
from collections.abc import Callable


class Claims:
    """Claims by key, in memory. `clock` tells seconds of a monotonic clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: Key to its holder and the end of the claim, the oldest first.
        self._held: dict[str, tuple[str, float]] = {}

    def take(self, key: str, holder: str, seconds: float) -> bool:
        """Claim a key for so many seconds; False if somebody else holds it."""
        now = self._clock()
        self._held = {each: claim for each, claim in self._held.items() if claim[1] > now}
        if self._held.get(key, (holder,))[0] != holder:
            return False
        self._held[key] = (holder, now + seconds)
        return True

    def release(self, key: str, holder: str) -> None:
        """Give a claim back; one that is another's by now stays."""
        if self._held.get(key, ("",))[0] == holder:
            del self._held[key]

"""When an agent decides again: its interval is venue time, its sleep is wall time."""

from collections.abc import Callable
from math import inf

#: Seconds of wall time between two rounds, at least.
SHORTEST = 1.0
#: Seconds of wall time after which the venue's clock is looked at again: it may change its speed, or stand still.
LONGEST = 30.0


class Pace:
    """Learns how fast the venue's clock runs from the times that it is shown; `clock` is wall seconds, monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen = (0, 0.0)
        self._speed: float | None = None
        self._due = 0.0

    @property
    def horizon(self) -> float:
        """For how many wall seconds what is known of the clock is good."""
        return SHORTEST if self._speed is None else LONGEST

    def see(self, now: int) -> None:
        """Take note that the venue's time is `now` (milliseconds)."""
        wall = self._clock()
        venue, then = self._seen
        if then and wall - then >= SHORTEST / 2:
            self._speed = max(0.0, (now - venue) / 1000 / (wall - then))
        self._seen = (now, wall)

    def decided(self, now: int, interval: float) -> None:
        """Begin to wait for the next round, `interval` venue seconds after `now`."""
        self.see(now)
        self._due = now + interval * 1000

    def left(self) -> float:
        """Return the wall seconds until the next round is due."""
        venue, then = self._seen
        speed = self._speed or 0.0
        ahead = (self._due - venue) / 1000 - (self._clock() - then) * speed
        return 0.0 if ahead <= 0 else ahead / speed if speed else inf

"""The venue's clock: it runs at a speed relative to wall time and stands still while the venue is stopped."""

from collections.abc import Callable


class VenueClock:
    """Venue epoch milliseconds. It never goes backwards, not even when wall time does."""

    def __init__(self, wall: Callable[[], float], position: int, speed: float) -> None:
        """Start at `position` (venue milliseconds), passing `speed` venue seconds in one wall second."""
        self._wall = wall
        self._position = float(position)
        self._seen = wall()
        self.speed = speed

    def now(self) -> int:
        """Return the venue's time in epoch milliseconds."""
        wall = self._wall()
        if wall > self._seen:
            self._position += (wall - self._seen) * 1000 * self.speed
        self._seen = wall
        return int(self._position)

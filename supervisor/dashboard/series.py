"""Bounded samples of a figure over time: however long it runs, a series has so many points and spans its whole life."""

from collections.abc import Iterable

#: A moment in epoch milliseconds and the figure then.
Point = tuple[int, float]


class Series:
    """Keeps at most `size` points. When they are full every second one goes, and new ones come half as often."""

    def __init__(self, size: int = 480, interval: int = 0) -> None:
        """Take points no closer together than `interval` milliseconds."""
        self.points: list[Point] = []
        self.peak = float("-inf")
        #: The deepest fall from a peak so far, as a positive figure.
        self.drawdown = 0.0
        self._size = size
        self._interval = interval

    def add(self, time: int, value: float) -> None:
        """Add a sample; one that comes too soon takes the place of the latest."""
        self.peak = max(self.peak, value)
        self.drawdown = max(self.drawdown, self.peak - value)
        points = self.points
        if len(points) > 1 and time - points[-2][0] < self._interval:
            points[-1] = (time, value)
            return
        points.append((time, value))
        if len(points) > self._size:
            span = points[-1][0] - points[0][0]
            del points[1:-1:2]
            self._interval = max(self._interval, span // len(points))

    def extend(self, points: Iterable[Point]) -> None:
        """Add samples, the oldest first."""
        for time, value in points:
            self.add(time, value)

    def thinned(self, count: int) -> list[float]:
        """Return at most about so many values, evenly picked, the latest among them."""
        values = [value for _, value in self.points]
        step = max(1, -(-len(values) // count))
        return values[::-step][::-1]

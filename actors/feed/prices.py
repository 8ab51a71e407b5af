"""The recent prices of one market, one point for each step of venue time in which the price changed."""

from collections import deque
from collections.abc import Iterable

from agents.money import Micro

#: Points kept.
LENGTH = 200


class PriceSeries:
    """Prices of a market's first token, oldest first; `step` is in milliseconds of the venue's clock."""

    def __init__(self, length: int = LENGTH) -> None:
        self._points: deque[tuple[int, Micro]] = deque(maxlen=length)
        self._built: tuple[tuple[int, Micro], ...] | None = ()

    @property
    def points(self) -> tuple[tuple[int, Micro], ...]:
        """The points, as (venue milliseconds, price)."""
        if self._built is None:
            self._built = tuple(self._points)
        return self._built

    def add(self, at: int, price: Micro, step: int) -> None:
        """Take the price at a time; the last one in a step stands for it."""
        points = self._points
        if points:
            last, known = points[-1]
            if price == known or at < last:
                return
            if at // step == last // step:
                points.pop()
        points.append((at, price))
        self._built = None

    def fill(self, history: Iterable[tuple[int, Micro]], step: int) -> None:
        """Put what was before the first point in front of it; history must be oldest first."""
        later = list(self._points)
        self._points.clear()
        self._built = None
        for at, price in history:
            if not later or at < later[0][0]:
                self.add(at, price, step)
        for at, price in later:
            self.add(at, price, step)

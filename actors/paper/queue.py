"""Where a simulated resting order stands among the real ones at its price."""

from collections import deque

from agents.money import Micro

#: Seconds after which what a book showed counts for the queue: it may show a trade before the trade itself is told, and
#: that must not shorten the queue twice.
SETTLED = 5.0


class Queue:
    """The shares that stand before an order at its price, never fewer than there can be.

    Trades at the price shorten it at once. So does, a moment later, a level that shows less than stood before the order:
    who cancels may have stood behind it, hence only what the level cannot hold any more is taken off. `moment` is in seconds
    of a monotonic clock.
    """

    def __init__(self, ahead: Micro) -> None:
        self._ahead = ahead
        self._shown: deque[tuple[float, Micro]] = deque()

    def ahead(self, moment: float) -> Micro:
        """Return how many shares stand before the order."""
        while self._shown and self._shown[0][0] <= moment - SETTLED:
            self._ahead = min(self._ahead, self._shown.popleft()[1])
        return self._ahead

    def trade(self, size: Micro, moment: float) -> Micro:
        """Take in a trade at the order's price and return how much of it went past the queue."""
        before = self.ahead(moment)
        self._ahead = max(before - size, 0)
        return max(size - before, 0)

    def show(self, size: Micro, moment: float) -> None:
        """Take in how many shares the book shows at the order's price."""
        least = self._shown[-1][1] if self._shown else self._ahead
        if size < least:
            self._shown.append((moment, size))

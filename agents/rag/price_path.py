"""The price path of a market that has resolved, at some moments before its end."""

from collections.abc import Sequence

from agents.money import ONE, Micro

#: Hours before the resolution at which a price is kept, where it is known.
HOURS = (720.0, 168.0, 72.0, 24.0, 12.0, 6.0, 3.0, 1.0)

_HOUR = 3_600_000


def price_path(prices: Sequence[tuple[int, Micro]], resolved: int) -> tuple[tuple[float, float], ...]:
    """Return (hours before `resolved`, price 0 to 1), the earliest first; `prices` are (venue milliseconds, price) in order.

    The price at a moment is the last one before it; nothing is said of moments before the first.
    """
    path = []
    for hours in HOURS:
        known = [price for at, price in prices if at <= resolved - hours * _HOUR]
        if known:
            path.append((hours, known[-1] / ONE))
    return tuple(path)

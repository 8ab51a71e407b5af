"""A forecast beside the market's price: the price enters here, as a number, and nowhere else."""

from agents.forecasting.pooling import clipped
from agents.odds import expit, logit


def blended(p: float, price: float, weight: float) -> float:
    """Return the blend of a forecast with the price, in log-odds, the forecast having this weight (0 to 1)."""
    return expit(weight * logit(clipped(p)) + (1 - weight) * logit(clipped(price, 0.001)))


def discount(*, hours_left: float | None, depth: float, near: float, deep: float) -> float:
    """Return what is left of a forecast's weight (0 to 1) near the end and where much money stands behind the price.

    Args:
        hours_left: venue hours to the market's end, or None if it has none.
        depth: pUSD on both sides of the book near its middle.
        near: within so many hours the weight falls in proportion, to 0 at the end.
        deep: at this depth the weight is half of what it is in an empty book.
    """
    late = 1.0 if hours_left is None else min(max(hours_left / near, 0.0), 1.0)
    return late * deep / (deep + max(depth, 0.0))

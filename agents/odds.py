"""Probabilities as log-odds, where a move of the same size means the same at 0.5 and at 0.95."""

from math import erf, exp, log, sqrt

_SQRT2 = sqrt(2)


def logit(p: float) -> float:
    """Return the log-odds of a probability strictly between 0 and 1."""
    return log(p / (1 - p))


def expit(x: float) -> float:
    """Return the probability that has these log-odds."""
    return 1 / (1 + exp(-x))


def normal_cdf(z: float) -> float:
    """Return the chance that a standard normal variable is below z."""
    return (1 + erf(z / _SQRT2)) / 2

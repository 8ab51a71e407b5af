"""Platt scaling: what an agent's probabilities have been worth, as a slope and an offset in log-odds, learnt from outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.forecasting.pooling import LEAST, clipped
from agents.odds import expit, logit

#: Newton's method converges in a handful of steps; more mean that it does not.
_STEPS = 50
_ENOUGH = 1e-10


@dataclass(frozen=True, slots=True)
class Platt:
    """logit(calibrated) = slope x logit(p) + offset; as made, it changes nothing. `n`: outcomes that it was learnt from."""

    slope: float = 1.0
    offset: float = 0.0
    n: int = 0

    def apply(self, p: float) -> float:
        """Return the calibrated probability."""
        return clipped(expit(self.slope * logit(clipped(p)) + self.offset), LEAST / 2)


def fit_platt(history: Sequence[tuple[float, float]], *, least: int = 50, prior: float = 10.0) -> Platt:
    """Learn slope and offset from resolved forecasts, shrunk toward no change.

    Args:
        history: pairs of a probability and what came out, 0 or 1.
        least: fewer pairs than this leave everything as it is.
        prior: how strongly slope 1 and offset 0 are believed: a Gaussian prior with this precision for each.

    The maximum of the penalised likelihood, found by Newton's method; it is concave, so there is one.
    """
    if len(history) < least:
        return Platt(n=len(history))
    points = [(logit(clipped(p)), outcome) for p, outcome in history]
    slope, offset = 1.0, 0.0
    for _ in range(_STEPS):
        g_slope, g_offset = prior * (1 - slope), -prior * offset
        h_ss, h_so, h_oo = prior, 0.0, prior
        for x, outcome in points:
            q = expit(max(-30.0, min(30.0, slope * x + offset)))
            g_slope += (outcome - q) * x
            g_offset += outcome - q
            weight = q * (1 - q)
            h_ss += weight * x * x
            h_so += weight * x
            h_oo += weight
        determinant = h_ss * h_oo - h_so * h_so
        d_slope = (h_oo * g_slope - h_so * g_offset) / determinant
        d_offset = (h_ss * g_offset - h_so * g_slope) / determinant
        # Damped: a full step from far away may leap over the maximum.
        factor = min(1.0, 2.0 / max(abs(d_slope), abs(d_offset), 1e-12))
        slope, offset = slope + factor * d_slope, offset + factor * d_offset
        if max(abs(d_slope), abs(d_offset)) < _ENOUGH:
            break
    # A negative slope would bet against every forecast: that few outcomes never prove so much.
    return Platt(max(slope, 0.0), offset, len(history))


def fit_weight(history: Sequence[tuple[float, float, float]], *, start: float, least: int = 100, prior: float = 20.0) -> float:
    """Learn how much a forecast weighs beside the price, from triples of forecast, price and outcome (0 or 1).

    It is the w in [0, 1] that makes logit p* = w x logit p + (1 - w) x logit m most likely, shrunk toward `start` by a
    Gaussian prior of this precision; fewer than `least` triples leave it at `start`.
    """
    if len(history) < least:
        return start
    points = [(logit(clipped(m)), logit(clipped(p)) - logit(clipped(m)), outcome) for p, m, outcome in history]
    weight = start
    for _ in range(_STEPS):
        gradient, curvature = prior * (start - weight), prior
        for market, apart, outcome in points:
            q = expit(market + weight * apart)
            gradient += (outcome - q) * apart
            curvature += q * (1 - q) * apart * apart
        step = gradient / curvature
        weight = min(max(weight + step, 0.0), 1.0)
        if abs(step) < _ENOUGH:
            break
    return weight

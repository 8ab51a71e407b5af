"""How good forecasts were, beside the market's price at the same moments.

Events count alike however many forecasts or markets they have: several markets of one event come out together, so to count
each would make luck look like skill. Voided markets (any outcome but 0 or 1) are left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import NormalDist, fmean, stdev

from agents.forecasting.pooling import clipped

#: Fewer events than this have no interval worth the name.
_EVENTS = 10

_BINS = 10


@dataclass(frozen=True, slots=True)
class Resolved:
    """One forecast whose market has resolved: its probability, the market's mid price then, and what came out (0 or 1)."""

    event: str
    p: float
    price: float
    outcome: float


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts between two tenths: how many, their mean, and the part of them that came true."""

    low: float
    n: int
    mean: float
    came_true: float


@dataclass(frozen=True, slots=True)
class Score:
    """`skill` is market_brier - brier: 0 for who repeats the price, above 0 for who is better; 95 % interval [low, high].

    `ece` is the expected calibration error: the mean distance of the bins' two figures, weighted by their size.
    """

    n: int
    events: int
    brier: float
    market_brier: float
    skill: float
    low: float
    high: float
    log_score: float
    ece: float
    bins: tuple[Bin, ...]

    @property
    def verdict(self) -> str:
        """What may be said."""
        if self.low > 0:
            return "better than the price"
        return "worse than the price" if self.high < 0 else "no skill shown"


def score(forecasts: Iterable[Resolved]) -> Score | None:
    """Score forecasts; None if nothing has come out yet.

    Brier score: G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950. The log score is the mean
    natural logarithm of what was given to what came out, at most 0.
    """
    scored = [each for each in forecasts if each.outcome in (0, 1)]
    if not scored:
        return None
    by_event: defaultdict[str, list[Resolved]] = defaultdict(list)
    for each in scored:
        by_event[each.event].append(each)
    groups = list(by_event.values())
    brier = fmean(fmean((each.p - each.outcome) ** 2 for each in group) for group in groups)
    market = fmean(fmean((each.price - each.outcome) ** 2 for each in group) for group in groups)
    gains = [fmean((x.price - x.outcome) ** 2 - (x.p - x.outcome) ** 2 for x in group) for group in groups]
    margin = _margin(gains)
    logs = fmean(fmean(log(clipped(each.p if each.outcome else 1 - each.p, 1e-6)) for each in group) for group in groups)
    bins = _bins(scored)
    ece = sum(each.n * abs(each.mean - each.came_true) for each in bins) / len(scored)
    skill = fmean(gains)
    return Score(len(scored), len(groups), brier, market, skill, skill - margin, skill + margin, logs, ece, bins)


def _margin(gains: Sequence[float]) -> float:
    """Return half the width of the 95 % interval of the mean, by Student's t over events."""
    n = len(gains)
    return _student(n - 1) * stdev(gains) / sqrt(n) if n >= _EVENTS else 1.0


def _student(freedom: int) -> float:
    """Return the 97.5 % point of Student's t (Abramowitz and Stegun, 26.7.5; to three decimals from nine degrees on)."""
    z = NormalDist().inv_cdf(0.975)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _bins(scored: Sequence[Resolved]) -> tuple[Bin, ...]:
    found: defaultdict[int, list[Resolved]] = defaultdict(list)
    for each in scored:
        found[min(int(each.p * _BINS), _BINS - 1)].append(each)
    return tuple(
        Bin(number / _BINS, len(group), fmean(each.p for each in group), fmean(each.outcome for each in group))
        for number, group in sorted(found.items())
    )

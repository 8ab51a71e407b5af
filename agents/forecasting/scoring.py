"""How good forecasts were, beside the market's price at the same moments.

Events count alike, within an event its markets, within a market the forecasts that were made of it: several markets of one
event come out together, and so do several forecasts of one market, so to count each would make luck look like skill. Voided
markets (any outcome but 0 or 1) are left out.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, fsum, log, sqrt
from statistics import NormalDist, fmean, stdev
from typing import Literal

from agents.forecasting.pooling import clipped
from agents.money import ONE, Micro

Verdict = Literal["better than the price", "worse than the price", "no skill shown"]

#: Fewer events than this have no interval worth the name.
_EVENTS = 10

_BINS = 10

_DAY = 86_400_000

#: The 97.5 % point of the normal distribution.
_Z = NormalDist().inv_cdf(0.975)

#: A skill nearer to 0 than this is rounding.
_NO_SKILL = 1e-9


@dataclass(frozen=True, slots=True)
class Resolved:
    """One forecast whose market has resolved: its probability, the market's mid price then, and what came out (0 or 1)."""

    event: str
    p: float
    price: float
    outcome: float
    market: str = ""


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

    `ece` is the expected calibration error: the mean distance of the bins' two figures, weighted as everything is.
    `needed` is about how many events it takes until the interval leaves 0 out, if skill and spread stay what they are; None
    if that is never.
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
    needed: int | None

    @property
    def verdict(self) -> Verdict:
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
    made = Counter((each.event, each.market) for each in scored)
    markets = Counter(event for event, _ in made)
    weights = [1 / (len(markets) * markets[each.event] * made[each.event, each.market]) for each in scored]
    gained: defaultdict[str, float] = defaultdict(float)
    losses, prices, logs = [], [], []
    for each, weight in zip(scored, weights, strict=True):
        own, market = (each.p - each.outcome) ** 2, (each.price - each.outcome) ** 2
        gained[each.event] += (market - own) * weight * len(markets)
        losses.append(own * weight)
        prices.append(market * weight)
        logs.append(log(clipped(each.p if each.outcome else 1 - each.p, 1e-6)) * weight)
    gains = gained.values()
    skill, margin = fmean(gains), _margin(gains)
    bins, ece = _bins(scored, weights)
    return Score(
        n=len(scored),
        events=len(gains),
        brier=fsum(losses),
        market_brier=fsum(prices),
        skill=skill,
        low=skill - margin,
        high=skill + margin,
        log_score=fsum(logs),
        ece=ece,
        bins=bins,
        needed=_needed(skill, gains),
    )


@dataclass(frozen=True, slots=True)
class PricePath:
    """What the first outcome of a market cost from each time (epoch milliseconds) on, and what a share of it paid when."""

    prices: Sequence[tuple[int, Micro]]
    resolved: int
    payout: Micro


@dataclass(frozen=True, slots=True)
class Baseline:
    """The price's own Brier score so many days before the resolution, over `n` markets; None if there was no price then."""

    days: float
    n: int
    brier: float | None


def market_brier(paths: Iterable[PricePath], days: float) -> Baseline:
    """Score the price itself, `days` before each market resolved: what a forecaster has to beat.

    The price of a market is that of its first outcome which was in force then: the last one told at or before that moment.
    Markets without one are left out, and so are voided ones; all others count alike. The sum is exact.
    """
    errors = []
    for path in paths:
        told = bisect_right(path.prices, path.resolved - round(days * _DAY), key=lambda point: point[0])
        if told and path.payout in (0, ONE):
            errors.append((path.prices[told - 1][1] - path.payout) ** 2)
    return Baseline(days, len(errors), float(Fraction(sum(errors), len(errors) * ONE**2)) if errors else None)


def _margin(gains: Collection[float]) -> float:
    """Return half the width of the 95 % interval of the mean, by Student's t over events."""
    n = len(gains)
    return _student(n - 1) * stdev(gains) / sqrt(n) if n >= _EVENTS else 1.0


def _needed(skill: float, gains: Collection[float]) -> int | None:
    """Solve t x spread / sqrt(n) = skill for n, Student's t taken as z + (z^3 + z) / 4n. None before there is an interval."""
    if len(gains) < _EVENTS or abs(skill) < _NO_SKILL:
        return None
    return max(ceil((_Z * stdev(gains) / skill) ** 2 + (_Z**2 + 1) / 2), _EVENTS)


def _student(freedom: int) -> float:
    """Return the 97.5 % point of Student's t (Abramowitz and Stegun, 26.7.5; to three decimals from nine degrees on)."""
    z = _Z
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _bins(scored: Sequence[Resolved], weights: Sequence[float]) -> tuple[tuple[Bin, ...], float]:
    """Return the bins that hold forecasts, and the expected calibration error."""
    found: defaultdict[int, list[tuple[Resolved, float]]] = defaultdict(list)
    for each, weight in zip(scored, weights, strict=True):
        found[min(int(each.p * _BINS), _BINS - 1)].append((each, weight))
    bins, ece = [], 0.0
    for number, group in sorted(found.items()):
        whole = fsum(weight for _, weight in group)
        mean = fsum(each.p * weight for each, weight in group) / whole
        came_true = fsum(each.outcome * weight for each, weight in group) / whole
        bins.append(Bin(number / _BINS, len(group), mean, came_true))
        ece += whole * abs(mean - came_true)
    return tuple(bins), ece

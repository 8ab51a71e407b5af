"""Many answers to one question, made into one probability."""

from collections.abc import Sequence
from statistics import fmean, stdev

from agents.odds import expit, logit

#: No answer counts as surer than this: in log-odds a careless 0 or 1 would outweigh all others.
LEAST = 0.01


def clipped(p: float, least: float = LEAST) -> float:
    """Return a probability moved into [least, 1 - least]."""
    return min(max(p, least), 1 - least)


def pooled(samples: Sequence[float], trim: float = 0.1, least: float = LEAST) -> float:
    """Return the trimmed mean of probabilities in log-odds.

    Args:
        samples: at least one probability.
        trim: the part (0 to below 0.5) of the samples that is left out at either end, rounded to whole samples, so that of
            five samples 0.1 leaves out one at either end; of two none can go.
        least: see `clipped`.

    Trimming and pooling as in D. Halawi et al., "Approaching Human-Level Forecasting with Language Models", 2024, there on
    probabilities; log-odds because a mean of probabilities pulls sure answers to the middle.
    """
    odds = sorted(logit(clipped(sample, least)) for sample in samples)
    cut = min(int(len(odds) * trim + 0.5), (len(odds) - 1) // 2)
    return expit(fmean(odds[cut : len(odds) - cut]))


def spread(samples: Sequence[float], least: float = LEAST) -> float:
    """Return how far the samples are apart: their standard deviation in log-odds, 0 for fewer than two."""
    if len(samples) < 2:
        return 0.0
    return stdev(logit(clipped(sample, least)) for sample in samples)

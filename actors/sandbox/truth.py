"""The hidden truth of synthetic markets: which state comes out, and what could be known of it at each moment.

Exactly one of several states will come out. It is drawn by its prior probability, then a noisy signal about it is watched
that grows ever clearer; the chances shown are the exact posterior. So they are a martingale, end near 0 and 1, and are
calibrated: of all states at 30 %, three in ten come out.

What the makers quote is made from them by two choices of this simulation, which claim nothing about real markets. Chances
are pulled towards each other (`BIAS`): longshots trade a little too high, favourites too low. And in some events the
makers learn slowly (a `pace` below 1): their prices drift after the truth, so that momentum shows now and then.
"""

from collections.abc import Iterator, Sequence
from math import exp, sqrt
from random import Random

#: The exponent that chances are raised to before they are quoted; 1 is no bias.
BIAS = 0.93


def draw(priors: Sequence[float], random: Random) -> int:
    """Return the state that will come out."""
    return random.choices(range(len(priors)), weights=priors)[0]


def chances(priors: Sequence[float], winner: int, steps: int, random: Random) -> Iterator[list[float]]:
    """Yield the probability of each state at each of a number of equal time steps; at the first one they are the priors."""
    evidence = [0.0] * len(priors)
    known = 0.0
    for step in range(steps):
        gained = _information(step / steps) - known
        known += gained
        noise = sqrt(gained)
        for state in range(len(priors)):
            evidence[state] += (gained if state == winner else 0.0) + noise * random.gauss(0.0, 1.0)
        top = max(evidence)
        yield _normal([prior * exp(seen - top) for prior, seen in zip(priors, evidence, strict=True)])


def quoted(truth: Iterator[list[float]], pace: float) -> Iterator[list[float]]:
    """Yield what makers make of the chances: biased, and following them by the share `pace` in each step."""
    shown: list[float] = []
    for now in truth:
        biased = _normal([chance**BIAS for chance in now])
        shown = [old + pace * (new - old) for old, new in zip(shown or biased, biased, strict=True)]
        yield shown


def _information(elapsed: float) -> float:
    """Return how much is known after a part (0 to 1) of the time: little at first, most of it near the end."""
    return elapsed / (1.1 - elapsed)


def _normal(weights: list[float]) -> list[float]:
    total = sum(weights)
    return [weight / total for weight in weights]

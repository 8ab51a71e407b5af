"""A world where truth, price and a biased, noisy forecaster are known: what the pipeline must show there."""

from random import Random
from statistics import fmean

import pytest

from agents.forecasting.blend import blended
from agents.forecasting.calibration import Platt, fit_platt, fit_weight
from agents.forecasting.scoring import Resolved, score
from agents.forecasting.sizing import kelly
from agents.odds import expit, logit

#: The forecaster says less than it knows, and leans to yes; both it and the price see the truth with an error of their own.
PLANTED = Platt(slope=1.6, offset=-0.4)
NOISE, PRICE_NOISE = 0.7, 0.5


def world(n: int, seed: int) -> list[Resolved]:
    random = Random(seed)
    found = []
    for number in range(n):
        truth = random.gauss(0, 1.5)
        known = truth + random.gauss(0, NOISE)
        said = expit((known - PLANTED.offset) / PLANTED.slope)
        price = expit(truth + random.gauss(0, PRICE_NOISE))
        found.append(Resolved(str(number), said, price, float(random.random() < expit(truth))))
    return found


def brier(pairs: list[tuple[float, float]]) -> float:
    return fmean((p - outcome) ** 2 for p, outcome in pairs)


def test_calibration_and_blend_learnt_on_the_past_beat_price_and_forecaster_on_what_follows() -> None:
    past, future = world(4000, 1), world(6000, 2)
    platt = fit_platt([(each.p, each.outcome) for each in past])
    # The forecaster's noise flattens what can be learnt: it is a little below what was planted.
    learnable = 1.5**2 / (1.5**2 + NOISE**2)
    assert platt.slope == pytest.approx(PLANTED.slope * learnable, rel=0.15)
    assert platt.offset == pytest.approx(PLANTED.offset * learnable, abs=0.1)
    weight = fit_weight([(platt.apply(each.p), each.price, each.outcome) for each in past], start=0.2)
    raw = brier([(each.p, each.outcome) for each in future])
    price = brier([(each.price, each.outcome) for each in future])
    both = [Resolved(each.event, blended(platt.apply(each.p), each.price, weight), each.price, each.outcome) for each in future]
    found = score(both)
    assert found is not None
    assert found.brier < price < raw
    assert found.verdict == "better than the price"
    assert found.ece < 0.03


def test_a_quarter_of_kelly_draws_down_less_than_all_of_it() -> None:
    def drawdown(part: float) -> float:
        wealth = peak = 1.0
        worst = 0.0
        for each in world(800, 4):
            p, cost, won = each.p, each.price, each.outcome
            if p < cost:
                p, cost, won = 1 - p, 1 - cost, 1 - won
            stake = wealth * min(kelly(p, cost, part), 0.9)
            wealth += stake * (won / cost - 1)
            peak = max(peak, wealth)
            worst = max(worst, 1 - wealth / peak)
        return worst

    assert drawdown(0.25) < drawdown(1.0)


def test_an_echo_has_skill_zero() -> None:
    found = score(Resolved(each.event, expit(logit(each.price)), each.price, each.outcome) for each in world(1000, 3))
    assert found is not None
    assert found.skill == pytest.approx(0, abs=1e-12)

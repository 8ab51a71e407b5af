from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.forecasting.calibration import Platt, fit_platt, fit_weight
from agents.odds import expit, logit


def history(n: int, slope: float, offset: float, seed: int = 1) -> list[tuple[float, float]]:
    """Forecasts of one who is wrong by a slope and an offset, with what came out."""
    random = Random(seed)
    found = []
    for _ in range(n):
        truth = random.uniform(0.05, 0.95)
        found.append((expit((logit(truth) - offset) / slope), float(random.random() < truth)))
    return found


def test_as_made_it_changes_nothing() -> None:
    assert Platt().apply(0.37) == pytest.approx(0.37)


@pytest.mark.parametrize(("slope", "offset"), [(1.7, 0.4), (0.6, -0.3), (1.0, 0.0)])
def test_a_planted_error_is_found(slope: float, offset: float) -> None:
    found = fit_platt(history(6000, slope, offset))
    assert found.slope == pytest.approx(slope, abs=0.12)
    assert found.offset == pytest.approx(offset, abs=0.1)


def test_few_outcomes_change_nothing_and_some_change_little() -> None:
    assert fit_platt(history(49, 3, 1)) == Platt(n=49)
    some, many = fit_platt(history(60, 3, 0)), fit_platt(history(4000, 3, 0))
    assert 1 < some.slope < many.slope


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0])), min_size=50, max_size=120))
def test_any_history_gives_a_calibration_that_keeps_the_order(pairs: list[tuple[float, float]]) -> None:
    found = fit_platt(pairs)
    assert found.slope >= 0
    assert 0 < found.apply(0) <= found.apply(0.5) <= found.apply(1) < 1


def world(n: int, noise: float, market_noise: float, seed: int = 3) -> list[tuple[float, float, float]]:
    random = Random(seed)
    found = []
    for _ in range(n):
        truth = random.gauss(0, 1.2)
        p, m = expit(truth + random.gauss(0, noise)), expit(truth + random.gauss(0, market_noise))
        found.append((p, m, float(random.random() < expit(truth))))
    return found


def test_the_better_one_of_the_two_gets_the_greater_weight() -> None:
    assert fit_weight(world(4000, 0.3, 1.0), start=0.2) > 0.7
    assert fit_weight(world(4000, 1.0, 0.3), start=0.2) < 0.3
    assert fit_weight(world(4000, 0.6, 0.6), start=0.2) == pytest.approx(0.5, abs=0.1)


def test_few_outcomes_leave_the_weight_where_it_is() -> None:
    assert fit_weight(world(99, 0.1, 2.0), start=0.2) == 0.2
    assert 0.2 < fit_weight(world(100, 0.1, 2.0), start=0.2) < 1

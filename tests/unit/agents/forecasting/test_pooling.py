import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.forecasting.pooling import LEAST, clipped, pooled, spread
from agents.odds import expit, logit

chances = st.floats(0, 1)


def test_equal_samples_pool_to_themselves_and_opposite_ones_to_a_half() -> None:
    assert pooled([0.3, 0.3, 0.3]) == pytest.approx(0.3)
    assert pooled([0.1, 0.9]) == pytest.approx(0.5)


def test_one_of_five_is_left_out_at_either_end() -> None:
    assert pooled([0.01, 0.4, 0.5, 0.6, 0.7]) == pytest.approx(pooled([0.4, 0.5, 0.6], trim=0))
    assert pooled([0.2, 0.9]) == pytest.approx(expit((logit(0.2) + logit(0.9)) / 2))


def test_a_careless_zero_does_not_decide_alone() -> None:
    assert pooled([0.0, 0.9]) == pytest.approx(pooled([LEAST, 0.9]))


@given(st.lists(chances, min_size=1, max_size=20), st.floats(0, 0.49))
def test_the_pool_lies_between_the_samples_and_needs_no_order(samples: list[float], trim: float) -> None:
    p = pooled(samples, trim)
    assert clipped(min(samples)) - 1e-9 <= p <= clipped(max(samples)) + 1e-9
    assert p == pytest.approx(pooled(sorted(samples), trim))
    assert 1 - p == pytest.approx(pooled([1 - each for each in samples], trim))


def test_the_spread_is_zero_where_all_agree() -> None:
    assert spread([0.4, 0.4]) == 0
    assert spread([0.4]) == 0
    assert spread([expit(-1), expit(1)]) == pytest.approx(2**0.5)

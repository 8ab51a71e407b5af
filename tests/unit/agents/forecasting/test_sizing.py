from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.forecasting.blend import blended, discount
from agents.forecasting.sizing import edge_of, kelly
from agents.model import Book, FeeSchedule, Level
from agents.money import ONE

FREE = FeeSchedule()


def asks(*levels: tuple[int, int]) -> Book:
    return Book("1", asks=tuple(Level(price * 10_000, size * ONE) for price, size in levels))


def test_it_walks_the_book_as_far_as_a_share_is_worth_its_cost() -> None:
    edge = edge_of(0.6, asks((50, 10), (55, 30), (58, 99)), FREE, 10_000, 0.04)
    assert edge is not None
    assert (edge.limit, edge.size) == (550_000, 40 * ONE)
    assert edge.cost == pytest.approx((0.50 * 10 + 0.55 * 30) / 40)
    assert edge.best == pytest.approx(0.1)
    assert edge.mean == pytest.approx(0.6 - edge.cost)


def test_the_fee_is_a_part_of_the_cost() -> None:
    edge = edge_of(0.6, asks((50, 10)), FeeSchedule(Decimal("0.04")), 10_000, 0.0)
    assert edge is not None
    assert edge.cost == pytest.approx(0.51)
    assert edge_of(0.505, asks((50, 10)), FeeSchedule(Decimal("0.04")), 10_000, 0.0) is None


def test_there_is_no_edge_without_asks_or_below_the_least() -> None:
    assert edge_of(0.6, asks(), FREE, 10_000, 0.0) is None
    assert edge_of(0.6, asks((58, 10)), FREE, 10_000, 0.03) is None


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.98), st.floats(0.05, 1))
def test_a_part_of_kelly_is_kelly_for_a_chance_nearer_to_the_cost(p: float, cost: float, part: float) -> None:
    assert kelly(p, cost, part) == pytest.approx(kelly(part * p + (1 - part) * cost, cost, 1), abs=1e-9)
    assert (kelly(p, cost, part) > 0) == (p > cost)


def test_a_forecast_of_no_weight_leaves_the_price() -> None:
    assert blended(0.9, 0.4, 0.0) == pytest.approx(0.4)
    assert blended(0.9, 0.4, 1.0) == pytest.approx(0.9)
    assert 0.4 < blended(0.9, 0.4, 0.2) < 0.6


def test_a_forecast_weighs_less_near_the_end_and_where_the_book_is_deep() -> None:
    far = discount(hours_left=None, depth=0, near=24, deep=10_000)
    assert far == 1
    assert discount(hours_left=12, depth=0, near=24, deep=10_000) == pytest.approx(0.5)
    assert discount(hours_left=-1, depth=0, near=24, deep=10_000) == 0
    assert discount(hours_left=99, depth=10_000, near=24, deep=10_000) == pytest.approx(0.5)

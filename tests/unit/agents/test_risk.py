from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agents.errors import InvalidInput
from agents.model import SIZE_STEP, Decision, FeeSchedule
from agents.money import ONE, fee, micro, notional, text
from agents.risk import LEAST_TAKE, fit, spend, step, take_step, worst_fee
from tests.unit.agents.worlds import decision, market

PLENTY = 10**12
prices = st.integers(min_value=1, max_value=999).map(lambda n: n * 1_000)
sizes = st.integers(min_value=1, max_value=100_000).map(lambda n: n * SIZE_STEP)
cash = st.integers(min_value=0, max_value=2_000 * ONE)
rates = st.sampled_from(["0", "0.04", "0.07"])


def leg(n: int, size: int, price: int, rate: str = "0.05", **changes: Any) -> Decision:
    of = market(n, tick=1_000, fee=FeeSchedule(Decimal(rate)))
    return decision(of, price=text(price), size=text(size), **changes)


@given(prices)
def test_a_buy_that_takes_costs_whole_cents(price: int) -> None:
    least = take_step(price)
    assert notional(least, price) % 10_000 == 0
    assert least * price % (10_000 * ONE) == 0
    assert least % SIZE_STEP == 0
    assert all(part * price % (10_000 * ONE) for part in range(SIZE_STEP, min(least, 100 * SIZE_STEP), SIZE_STEP))


@given(sizes, prices, prices, rates)
def test_no_fill_below_the_limit_pays_more_than_the_worst_fee(size: int, price: int, limit: int, rate: str) -> None:
    assume(price <= limit)
    bought = notional(size, limit) * ONE // price
    paid = fee(bought, price, Decimal(rate))
    assert paid <= worst_fee(notional(size, limit), size, limit, FeeSchedule(Decimal(rate)))


def test_quotes_pay_no_fee_and_sales_cost_nothing() -> None:
    assert spend(leg(1, 100 * ONE, 500_000, quote=True)) == micro("50")
    assert spend(leg(1, 100 * ONE, 500_000)) == micro("52.50001")
    assert spend(leg(1, 100 * ONE, 500_000, action="sell")) == 0


def test_the_step_depends_on_how_it_trades() -> None:
    assert step(leg(1, ONE, 473_000)) == 10 * ONE
    assert step(leg(1, ONE, 470_000)) == ONE
    assert step(leg(1, ONE, 473_000, quote=True)) == step(leg(1, ONE, 473_000, action="sell")) == SIZE_STEP


@given(st.lists(st.tuples(sizes, prices, rates, st.booleans()), min_size=1, max_size=4), cash, cash)
def test_what_is_fitted_never_costs_more_than_it_may(wanted: list[Any], each: int, free: int) -> None:
    group = "g" if len(wanted) > 1 else ""
    legs = [leg(n, size, price, rate, quote=quote, group=group) for n, (size, price, rate, quote) in enumerate(wanted)]
    try:
        fitted = fit(legs, each=each, cash=free, shares={})
    except InvalidInput:
        return
    assert sum(spend(one) for one in fitted) <= free
    for one, asked in zip(fitted, legs, strict=True):
        assert spend(one) <= each
        assert 0 < one.size <= asked.size
        assert one.size % step(one) == 0


@given(sizes, st.lists(prices, min_size=2, max_size=5), cash)
def test_legs_of_equal_size_stay_equal(size: int, at: list[int], free: int) -> None:
    legs = [leg(n, size, price, group="g") for n, price in enumerate(at)]
    try:
        fitted = fit(legs, each=PLENTY, cash=free, shares={})
    except InvalidInput:
        return
    assert len({one.size for one in fitted}) == 1


def test_what_fits_is_left_alone() -> None:
    whole = leg(1, 100 * ONE, 500_000)
    assert fit([whole], each=spend(whole), cash=spend(whole), shares={}) == [whole]


def test_one_leg_is_cut_to_the_most_that_a_decision_may_spend() -> None:
    (cut,) = fit([leg(1, 1000 * ONE, 500_000)], each=100 * ONE, cash=PLENTY, shares={})
    assert cut.size == micro("190.46")
    assert micro("99.98") < spend(cut) <= 100 * ONE


def test_a_sale_is_cut_to_the_shares_that_are_free() -> None:
    (cut,) = fit([leg(1, 100 * ONE, 500_000, action="sell")], each=0, cash=0, shares={"1-yes": micro("12.345")})
    assert cut.size == micro("12.34")


@pytest.mark.parametrize(
    ("changes", "free", "sentence"),
    [
        ({}, 0, "it may spend 0 pUSD on it, and the venue takes 1 or more"),
        ({}, 1_040_000, "it may spend 0.99 pUSD on it, and the venue takes 1 or more"),
        ({"quote": True}, 2_000_000, "it may buy 3.99 shares, and the venue takes 5 or more"),
        ({"action": "sell"}, PLENTY, "it may sell 0 shares, and the venue takes 0.01 or more"),
    ],
)
def test_what_is_too_little_for_the_venue_is_refused(changes: dict[str, Any], free: int, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        fit([leg(1, 100 * ONE, 500_000, **changes)], each=PLENTY, cash=free, shares={})
    assert str(caught.value) == sentence


def test_the_least_take_is_a_dollar() -> None:
    assert LEAST_TAKE == ONE

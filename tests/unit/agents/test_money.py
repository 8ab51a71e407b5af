from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.money import ONE, ceil_to, decimal, fee, floor_to, micro, notional, number, text

amounts = st.integers(min_value=-(10**18), max_value=10**18)
prices = st.integers(min_value=1, max_value=ONE - 1)
sizes = st.integers(min_value=0, max_value=10**12)


@given(amounts)
def test_text_and_decimals_keep_every_millionth(amount: int) -> None:
    assert micro(text(amount)) == amount
    assert micro(decimal(amount)) == amount
    assert "e" not in text(amount).lower()


@pytest.mark.parametrize(("amount", "written"), [(0, "0"), (1, "0.000001"), (-1_500_000, "-1.5"), (2_000_000, "2")])
def test_text_is_plain_and_has_no_trailing_zeros(amount: int, written: str) -> None:
    assert text(amount) == written


@pytest.mark.parametrize(
    ("written", "amount"), [("1", ONE), ("0.000001", 1), ("-2.5", -2_500_000), ("1e-6", 1), ("1E3", 1000 * ONE)]
)
def test_micro_reads_decimal_text(written: str, amount: int) -> None:
    assert micro(written) == amount


@pytest.mark.parametrize("written", ["", "x", "NaN", "sNaN", "inf", "-inf", "1e999999", "0x1", "1,5", "9" * 60 + ".0000001"])
def test_what_is_no_finite_number_or_too_long_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a decimal number"):
        micro(written)


@pytest.mark.parametrize("written", ["0.0000001", "12345678901234567890123.4567891", "1e-7"])
def test_what_would_be_rounded_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="more than six decimals"):
        micro(written)


@given(sizes, prices)
def test_notional_rounds_by_less_than_a_millionth_either_way(size: int, price: int) -> None:
    exact = Decimal(size) * price / ONE
    down, up = notional(size, price), notional(size, price, up=True)
    assert down <= exact <= up
    assert up - down == (0 if down == exact else 1)


def test_the_fee_is_that_of_the_venues_own_example() -> None:
    assert fee(100 * ONE, 500_000, Decimal("0.05")) == micro("1.25")


def test_a_fee_is_never_nothing_where_there_is_a_rate() -> None:
    assert fee(10_000, 1_000, Decimal("0.04")) == 10
    assert fee(10_000, 1_000, Decimal(0)) == 0
    assert fee(0, 500_000, Decimal("0.05")) == 0


@given(sizes, prices, st.sampled_from(["0.03", "0.04", "0.05", "0.07"]))
def test_fees_are_whole_hundred_thousandths_and_alike_for_both_outcomes(size: int, price: int, rate: str) -> None:
    paid = fee(size, price, Decimal(rate))
    assert paid % 10 == 0
    assert paid == fee(size, ONE - price, Decimal(rate))
    assert abs(paid - Decimal(size) * Decimal(rate) * price * (ONE - price) / ONE / ONE) <= 10


def test_the_exponent_shapes_the_fee() -> None:
    assert fee(100 * ONE, 500_000, Decimal("0.05"), 2) == micro("0.3125")


@given(amounts, st.sampled_from([10, 1_000, 2_500, 10_000, ONE]))
def test_rounding_to_a_step_moves_by_less_than_it(amount: int, step: int) -> None:
    down, up = floor_to(amount, step), ceil_to(amount, step)
    assert down % step == up % step == 0
    assert amount - step < down <= amount <= up < amount + step


def test_number_is_for_json() -> None:
    assert number(2_500_000) == 2.5

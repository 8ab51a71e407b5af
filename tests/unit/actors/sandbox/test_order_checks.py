from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.sandbox.order_checks import Terms, check
from actors.sandbox.records import NewOrder, Refused
from agents.model import Side, TimeInForce
from agents.money import ONE, Micro, notional
from tests.unit.actors.sandbox.stage import ALICE, WALL, YES, market


def order(side: Side, maker: Micro, taker: Micro, kind: str = "GTC", *, post_only: bool = False) -> NewOrder:
    return NewOrder("0x1", ALICE, "k", YES, side, maker, taker, TimeInForce(kind), post_only=post_only)


@given(
    tick=st.sampled_from([100_000, 10_000, 5_000, 2_500, 1_000, 100]),
    steps=st.integers(1, 9_999),
    size=st.integers(500, 10_000_000),
    side=st.sampled_from([Side.BUY, Side.SELL]),
)
def test_every_limit_order_on_the_grid_is_understood_exactly(tick: Micro, steps: int, size: int, side: Side) -> None:
    price = steps % (ONE // tick - 1) * tick + tick
    shares = size * 10_000
    cash = notional(shares, price)
    new = order(side, cash, shares) if side is Side.BUY else order(side, shares, cash)
    assert check(new, market(tick=tick), WALL) == Terms(price, shares)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (order(Side.BUY, 4_550_000, 10 * ONE), "Price (0.455) breaks minimum tick size rule: 0.01"),
        (order(Side.BUY, 10 * ONE, 10 * ONE), "Price (1) breaks minimum tick size rule"),
        (order(Side.SELL, 10 * ONE, 40_000), "Price (0.004) breaks minimum tick size rule"),
        (order(Side.BUY, 2 * ONE, 4_990_000), "breaks minimum tick size rule"),
        (order(Side.BUY, 1_996_000, 4_990_000), "Size (4.99) lower than the minimum: 5"),
        (order(Side.BUY, 2_002_000, 5_005_000), "Invalid order payload"),
        (order(Side.BUY, 0, 5 * ONE), "Invalid order payload"),
        (order(Side.BUY, 5 * ONE, 10 * ONE, "FAK", post_only=True), "Invalid order payload"),
        (order(Side.BUY, 5_001_000, 10_002_000, "FOK"), "supports a max accuracy of 2 decimals"),
        (order(Side.BUY, 5 * ONE, 10_000_010, "FOK"), "taker amount a max of 4 decimals"),
        (order(Side.BUY, 990_000, 1_980_000, "FOK"), "invalid amount for a marketable BUY order ($0.99), min size: $1"),
    ],
)
def test_a_wrong_order_is_refused_in_the_venues_words(new: NewOrder, message: str) -> None:
    with pytest.raises(Refused) as refused:
        check(new, market(), WALL)
    assert message in refused.value.message


def test_a_market_that_takes_no_orders_says_so() -> None:
    with pytest.raises(Refused, match="not yet ready"):
        check(order(Side.BUY, 5 * ONE, 10 * ONE), replace(market(), accepting_orders=False), WALL)


def test_the_amounts_of_a_market_buy_may_round_its_price_off_the_grid() -> None:
    # 25 pUSD at most 0.33: 75.7575 shares, cut to four decimals.
    assert check(order(Side.BUY, 25 * ONE, 75_757_500, "FAK"), market(), WALL) == Terms(330_000, 75_757_500, 25 * ONE)
    with pytest.raises(Refused, match="tick size"):
        check(order(Side.BUY, 25 * ONE, int(25 * ONE / Decimal("0.333")) // 100 * 100, "FAK"), market(), WALL)

"""What open orders hold back, and which of them would meet."""

import pytest

from actors.brokerage import orders
from agents.model import Side
from agents.money import ONE, micro
from agents.orders import OrderStatus
from tests.unit.actors.brokerage.desks import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_quote_holds_back_what_it_may_still_spend(bench: Bench) -> None:
    order = bench.order(size=10 * ONE, price=micro("0.4"))
    assert bench.desk.free_cash("a") == 996 * ONE
    order.filled, order.turnover = 4 * ONE, micro("1.6")
    assert bench.desk.free_cash("a") == 1000 * ONE - micro("2.4")
    order.status = OrderStatus.CANCELLED
    bench.desk.orders.refresh(order)
    assert bench.desk.free_cash("a") == 1000 * ONE


def test_a_taker_holds_back_the_worst_fee_too(bench: Bench) -> None:
    bench.order(size=10 * ONE, price=micro("0.4"), post_only=False, order_type="FAK")
    # 5 % of 4 pUSD, whatever price it fills at, and the rounding.
    assert bench.desk.free_cash("a") == 996 * ONE - micro("0.20001")


def test_an_order_to_sell_holds_back_its_shares(bench: Bench) -> None:
    token = bench.market.tokens[0]
    bench.desk.portfolio.book("main", "a").position(token).buy(10 * ONE, 5 * ONE, 0)
    bench.order(Side.SELL, size=7 * ONE)
    assert bench.desk.free_shares("a", token) == 3 * ONE
    assert bench.desk.free_cash("a") == 1000 * ONE


@pytest.mark.parametrize(
    ("side", "outcome", "price", "meets"),
    [
        (Side.SELL, 0, "0.4", True),
        (Side.SELL, 0, "0.41", False),
        (Side.BUY, 0, "0.99", False),
        (Side.BUY, 1, "0.6", True),
        (Side.BUY, 1, "0.59", False),
        (Side.SELL, 1, "0.01", False),
    ],
)
def test_a_resting_buy_meets(bench: Bench, side: Side, outcome: int, price: str, meets: bool) -> None:
    bench.order(price=micro("0.4"))
    reason = bench.desk.orders.crossing(bench.market, bench.market.tokens[outcome], side, micro(price))
    assert (reason is not None) is meets


@pytest.mark.parametrize(("side", "outcome", "price", "meets"), [(Side.SELL, 1, "0.6", True), (Side.SELL, 1, "0.61", False)])
def test_a_resting_sell_meets(bench: Bench, side: Side, outcome: int, price: str, meets: bool) -> None:
    bench.order(Side.SELL, price=micro("0.4"))
    reason = bench.desk.orders.crossing(bench.market, bench.market.tokens[outcome], side, micro(price))
    assert (reason is not None) is meets


def test_orders_that_may_still_change_are_never_forgotten(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "_REMEMBERED", 3)
    resting = bench.order(id="resting")
    settling = bench.order(id="settling", status=OrderStatus.CANCELLED, unsettled={"t1"})
    for n in range(10):
        bench.order(id=f"ended-{n}", status=OrderStatus.CANCELLED)
    assert bench.desk.orders.get("resting") is resting
    assert bench.desk.orders.get("settling") is settling
    assert bench.desk.orders.get("ended-0") is None
    assert bench.desk.orders.get("ended-9") is not None

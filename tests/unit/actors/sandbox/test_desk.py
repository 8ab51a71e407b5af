import pytest

from actors.sandbox.faults import Faults
from actors.sandbox.records import OrderState, OrderUpdated, Refused
from agents.money import ONE
from tests.unit.actors.sandbox.stage import ALICE, BOB, CAROL, NO, YES, Stage, assert_consistent


def test_resting_orders_reserve_cash_and_shares() -> None:
    stage = Stage()
    stage.give(ALICE, "100")
    stage.place(ALICE, "BUY", "0.40", "100")
    stage.place(ALICE, "SELL", "0.60", "70")
    assert stage.exchange.cash(ALICE).available == 860 * ONE
    assert stage.exchange.shares(ALICE, YES).available == 30 * ONE
    with pytest.raises(Refused, match="not enough balance / allowance"):
        stage.place(ALICE, "SELL", "0.70", "30.01")
    with pytest.raises(Refused, match="not enough balance / allowance"):
        stage.place(ALICE, "BUY", "0.10", "8601")
    assert stage.place(ALICE, "SELL", "0.70", "30").status == "live"


def test_cancelling_gives_reservations_back_and_tells_why_not() -> None:
    stage = Stage()
    order = stage.order(ALICE, "BUY", "0.40", "100")
    stage.exchange.place(order)
    result = stage.exchange.cancel(BOB, [order.order_id])
    assert result.canceled == ()
    assert stage.exchange.cancel(ALICE, [order.order_id, "0xdead"]).canceled == (order.order_id,)
    assert stage.exchange.cash(ALICE).reserved == 0
    again = stage.exchange.cancel(ALICE, [order.order_id])
    assert again.not_canceled == {order.order_id: "order can't be found - already canceled or matched"}
    kept = stage.exchange.order(order.order_id)
    assert kept is not None
    assert kept.state is OrderState.CANCELED


def test_orders_are_cancelled_by_market_token_or_all() -> None:
    stage = Stage()
    yes, no = stage.order(ALICE, "BUY", "0.30", "10"), stage.order(ALICE, "BUY", "0.30", "10", NO)
    stage.exchange.place(yes)
    stage.exchange.place(no)
    assert stage.exchange.cancel_market(ALICE, token_id=NO).canceled == (no.order_id,)
    assert stage.exchange.cancel_market(ALICE, "0xother").canceled == ()
    assert stage.exchange.cancel_all(ALICE).canceled == (yes.order_id,)


def test_the_same_order_is_taken_once_even_after_it_ended() -> None:
    stage = Stage()
    order = stage.order(ALICE, "BUY", "0.40", "10")
    stage.exchange.place(order)
    for _ in range(2):
        with pytest.raises(Refused, match=r"Duplicated\."):
            stage.exchange.place(order)
        stage.exchange.cancel_all(ALICE)


def test_a_marketable_order_waits_for_the_taker_delay_and_cannot_be_cancelled_meanwhile() -> None:
    stage = Stage(taker_delay=1000, seconds_delay=1)
    stage.give(BOB, "10")
    stage.place(BOB, "SELL", "0.50", "10")
    order = stage.order(ALICE, "BUY", "0.50", "10")
    assert stage.exchange.place(order).status == "delayed"
    assert stage.exchange.cash(ALICE).reserved == 5 * ONE
    refused = stage.exchange.cancel_all(ALICE)
    assert refused.not_canceled == {order.order_id: "order is delayed and can't be canceled"}
    stage.wall.pass_by(0.999)
    stage.exchange.run_due()
    assert stage.shares(ALICE) == 0
    stage.wall.pass_by(0.001)
    stage.exchange.run_due()
    assert (stage.shares(ALICE), stage.cash(ALICE), stage.exchange.cash(ALICE).reserved) == (10, 995, 0)


def test_a_delayed_order_that_comes_too_late_rests_or_ends_with_a_reason() -> None:
    stage = Stage(taker_delay=1000)
    stage.give(BOB, "10")
    stage.place(BOB, "SELL", "0.50", "10")
    resting = stage.order(ALICE, "BUY", "0.50", "10")
    killed = stage.order(CAROL, "BUY", "0.50", "0", kind="FAK", budget="5")
    stage.exchange.place(resting)
    stage.exchange.place(killed)
    stage.exchange.cancel_all(BOB)
    stage.wall.pass_by(1)
    stage.exchange.run_due()
    assert stage.levels() == ([("0.5", "10")], [])
    ended = stage.exchange.order(killed.order_id)
    assert ended is not None
    assert (ended.state, ended.matched) == (OrderState.CANCELED, 0)
    assert "FAK orders are partially filled or killed" in ended.reason
    assert_consistent(stage.exchange)


def test_an_order_that_does_not_cross_is_not_delayed() -> None:
    stage = Stage(taker_delay=1000)
    assert stage.place(ALICE, "BUY", "0.50", "10").status == "live"


def test_an_order_with_a_time_expires_a_minute_before_it() -> None:
    stage = Stage()
    expiration = int(stage.wall()) + 180
    order = stage.order(ALICE, "BUY", "0.40", "10", kind="GTD", expiration=expiration)
    stage.exchange.place(order)
    stage.wall.pass_by(119.9)
    stage.exchange.run_due()
    assert stage.levels()[0] == [("0.4", "10")]
    stage.changes.clear()
    stage.wall.pass_by(0.1)
    stage.exchange.run_due()
    assert stage.levels()[0] == []
    (update,) = [change for change in stage.changes if isinstance(change, OrderUpdated)]
    assert (update.type, update.order.state, update.order.reason) == ("CANCELLATION", OrderState.EXPIRED, "expired")


@pytest.mark.parametrize(("kind", "seconds"), [("GTD", 60), ("GTD", -5), ("GTC", 500)])
def test_a_wrong_expiration_is_refused(kind: str, seconds: int) -> None:
    stage = Stage()
    with pytest.raises(Refused, match="invalid expiration"):
        stage.place(ALICE, "BUY", "0.40", "10", kind=kind, expiration=int(stage.wall()) + seconds)


def test_resolution_ends_all_orders_and_the_book() -> None:
    stage = Stage(taker_delay=1000)
    stage.give(BOB, "10")
    stage.place(BOB, "SELL", "0.50", "10")
    stage.place(ALICE, "BUY", "0.50", "5")
    stage.place(CAROL, "BUY", "0.30", "10")
    stage.exchange.resolve(stage.listing.record.condition_id, (ONE, 0), at=77)
    assert [stage.exchange.open_orders(user) for user in (ALICE, BOB, CAROL)] == [[], [], []]
    assert [stage.exchange.cash(user).reserved for user in (ALICE, BOB, CAROL)] == [0, 0, 0]
    record = stage.exchange.market(stage.listing.record.condition_id)
    assert record is not None
    assert (record.closed, record.payouts, record.resolved_at) == (True, (ONE, 0), 77)
    with pytest.raises(Refused, match="No orderbook exists"):
        stage.exchange.book_snapshot(YES)
    with pytest.raises(Refused, match="does not exist"):
        stage.place(ALICE, "BUY", "0.50", "5")
    stage.wall.pass_by(5)
    stage.exchange.run_due()
    assert_consistent(stage.exchange)


def test_ten_seconds_without_a_heartbeat_cancel_all_orders() -> None:
    stage = Stage()
    stage.place(ALICE, "BUY", "0.40", "10")
    stage.place(BOB, "BUY", "0.40", "10")
    beat = stage.exchange.heartbeat(ALICE, "")
    stage.wall.pass_by(9)
    stage.exchange.run_due()
    with pytest.raises(Refused, match="Invalid Heartbeat ID"):
        stage.exchange.heartbeat(ALICE, "wrong")
    assert stage.exchange.expected_heartbeat(ALICE) == beat
    stage.exchange.heartbeat(ALICE, beat)
    stage.wall.pass_by(9.9)
    stage.exchange.run_due()
    assert len(stage.exchange.open_orders(ALICE)) == 1
    stage.wall.pass_by(0.1)
    stage.exchange.run_due()
    assert stage.exchange.open_orders(ALICE) == []
    assert len(stage.exchange.open_orders(BOB)) == 1
    assert stage.exchange.expected_heartbeat(ALICE) == ""


def test_a_fault_can_refuse_an_operation() -> None:
    class Closed(Faults):
        def before(self, operation: str, address: str) -> None:
            if operation == "place" and address == ALICE:
                raise Refused("cancel-only", 503)

    stage = Stage()
    stage.exchange.faults = Closed()
    with pytest.raises(Refused, match="cancel-only"):
        stage.place(ALICE.upper().replace("X", "x"), "BUY", "0.40", "10")
    assert stage.place(BOB, "BUY", "0.40", "10").status == "live"

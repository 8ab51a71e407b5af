"""Orders and trades of an account in both of their forms, as recorded."""

from typing import Any

from polymarket.models.clob.account import ClobTrade, OpenOrder
from polymarket.models.clob.user_events import parse_user_event

from actors.brokerage.fills import fills_of
from actors.polymarket.account import VenueOrder, VenueTrade, parse_order, parse_trade
from agents.model import Side
from agents.money import ONE, micro
from tests.unit.actors.polymarket.recordings import recorded

OUR_KEY = "a93a3d32-74fa-dd2b-4b67-98bfa6fc5cb5"


def frame(name: str) -> Any:
    """Return a frame of the user channel as the library hands it on."""
    return parse_user_event(recorded(f"ws/recorded_{name}.json")).payload.model_dump()


def test_a_placement_and_a_cancellation() -> None:
    placed, cancelled = parse_order(frame("order_placement")), parse_order(frame("order_cancel"))
    assert (placed.side, placed.price, placed.size, placed.matched, placed.status) == (Side.BUY, 513_000, 5 * ONE, 0, "LIVE")
    assert (cancelled.matched, cancelled.status) == (5 * ONE, "CANCELED")


def test_a_cancellations_reason_may_stand_where_its_status_belongs() -> None:
    row = recorded("ws/recorded_order_cancel.json")
    assert parse_order(row | {"status": "MARKET RESOLVED"}).status == "CANCELED"
    assert parse_order(row | {"status": "CANCELED_MARKET_RESOLVED"}).status == "CANCELED_MARKET_RESOLVED"
    assert parse_order(row | {"status": "LIVE"}).status == "CANCELED"


def test_an_order_of_rest() -> None:
    row = recorded("ws/recorded_order_placement.json") | {"status": "ORDER_STATUS_LIVE", "created_at": "1725842520"}
    row["associate_trades"] = []
    order = parse_order(OpenOrder.model_validate(row).model_dump())
    assert order == VenueOrder(row["id"], row["market"], row["asset_id"], Side.BUY, 513_000, 5 * ONE, 0, "LIVE")


def test_a_taker() -> None:
    trade = parse_trade(recorded("ws/recorded_user_trade2.json"))
    assert (trade.status, trade.taker.price, trade.maker_only, trade.matched_at) == ("MATCHED", 520_000, False, 1_725_958_681)
    [fill] = fills_of(trade, "3e2c94ca-8124-c4c1-c7ea-be1ea21b71fe", "")
    assert (fill.maker, fill.size, fill.cost, fill.side) == (False, 5 * ONE, micro("2.6"), Side.BUY)


def test_old_frames_leave_a_makers_side_out() -> None:
    trade = parse_trade(recorded("ws/recorded_user_trade1.json"))
    assert [maker.side for maker in trade.makers[:2]] == [Side.BUY, Side.SELL], "the same side on the other token"
    assert sum(maker.size for maker in trade.makers) == trade.taker.size == micro("1096.87")
    [fill] = fills_of(trade, "78132bc3-22af-6aa2-79ae-11929f821cae", "")
    assert (fill.maker, fill.side, fill.size, fill.price) == (True, Side.BUY, 10 * ONE, 482_000)


def test_a_maker_with_two_orders_in_one_trade() -> None:
    fills = fills_of(parse_trade(frame("user_trade4")), OUR_KEY, "")
    assert [(fill.size, fill.price, fill.maker) for fill in fills] == [(5 * ONE, 400_000, True), (5 * ONE, 300_000, True)]
    assert len({fill.key for fill in fills}) == 2
    assert parse_trade(frame("user_trade3")).maker_only


def test_a_trade_of_rest_with_its_prefixed_status() -> None:
    row = recorded("ws/recorded_trades.json")
    row |= {"status": "TRADE_STATUS_CONFIRMED", "trader_side": "TAKER"}
    row["maker_orders"] = [maker | {"side": "SELL"} for maker in row["maker_orders"]]
    trade = parse_trade(ClobTrade.model_validate(row).model_dump())
    assert isinstance(trade, VenueTrade)
    assert (trade.id, trade.status, trade.taker.size, trade.matched_at) == (row["id"], "CONFIRMED", 5 * ONE, 1_726_043_102)
    assert trade == parse_trade(row)


def test_an_average_price_of_many_digits_is_rounded() -> None:
    row = recorded("ws/recorded_user_trade2.json") | {"price": "0.5199999999"}
    assert parse_trade(row).taker.price == 520_000

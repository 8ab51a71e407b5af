"""Books and frames of the market channel, as recorded over the years."""

import json

import pytest

from actors.polymarket import schema
from actors.polymarket.schema import (
    BookFrame,
    Change,
    LastTrade,
    NewMarket,
    PriceChanges,
    Resolved,
    SchemaError,
    TickChange,
    amount,
    frames,
    public_trade,
)
from agents.model import Side
from agents.money import ONE, micro
from tests.unit.actors.polymarket.recordings import read, recorded


def test_the_initial_snapshot_is_an_array_with_the_tick() -> None:
    [frame] = frames(read("ws/ws_market_initial_frame_2026-10-02.json"))
    assert isinstance(frame, BookFrame)
    assert (max(frame.bids), min(frame.asks)) == (micro("0.03"), micro("0.97"))
    assert frame.bids[micro("0.03")] == micro("41666.32")
    assert (frame.tick, frame.last_trade, frame.timestamp) == (10_000, 140_000, 1_790_908_667_676)


def test_a_book_of_rest_is_read_whatever_the_order_of_its_levels() -> None:
    row = recorded("clob/book.json")
    frame = schema.book(row)
    turned = schema.book(row | {"bids": row["bids"][::-1], "asks": row["asks"][::-1]})
    assert frame == turned
    assert max(frame.bids) < min(frame.asks)


def test_verbatim_live_frames_are_read() -> None:
    rows = {row["name"]: row["raw"] for row in map(json.loads, read("ws/live_frames_2026-08-14.jsonl").splitlines())}
    [book] = frames(rows["bookFrame"])
    [change] = frames(rows["priceChangeFrame"])
    [trade] = frames(rows["lastTradeFrame"])
    assert isinstance(book, BookFrame)
    assert isinstance(change, PriceChanges)
    assert isinstance(trade, LastTrade)
    assert book.tick == 1_000
    assert change.changes[0].price == micro("0.06")
    assert change.changes[0].best_bid is not None
    assert trade.price == micro("0.585")
    assert frames(rows["bestBidAskFrame"]) == []
    assert schema.book(json.loads(rows["restBookBody"])).tick is not None


def test_both_shapes_of_a_price_change_are_read() -> None:
    [old] = frames(read("ws/recorded_price_change.json"))
    [new] = frames(read("ws/recorded_price_change_v2.json"))
    assert isinstance(old, PriceChanges)
    assert isinstance(new, PriceChanges)
    assert [(change.side, change.price, change.size) for change in old.changes] == [(Side.SELL, 514_000, micro("21574.08"))]
    assert [change.price for change in new.changes][:3] == [600_000, 500_000, 700_000]
    assert new.changes[0] == Change(new.changes[0].token_id, Side.BUY, 600_000, 3300 * ONE, 600_000, 700_000)


def test_other_recorded_frames_are_read() -> None:
    [tick] = frames(read("ws/recorded_tick_size_change.json"))
    [trade] = frames(read("ws/recorded_last_trade_price.json"))
    [opened] = frames(read("ws/ws_new_market_2026-10-02.json"))
    assert isinstance(tick, TickChange)
    assert tick.tick == 1_000
    assert isinstance(trade, LastTrade)
    assert trade.price == 491_000
    assert isinstance(opened, NewMarket)
    assert (opened.condition_id[:8], len(opened.tokens)) == ("0x9691db", 2)
    assert len(frames(read("ws/recorded_book.json"))) >= 1


def test_the_winner_of_a_resolved_market_is_a_hint_that_may_be_missing() -> None:
    frame = {"event_type": "market_resolved", "market": "0x1", "assets_ids": ["1", "2"], "winning_asset_id": "2"}
    assert frames(json.dumps(frame)) == [Resolved("0x1", "2")]
    del frame["winning_asset_id"]
    assert frames(json.dumps(frame)) == [Resolved("0x1", "")]


def test_unknown_frames_are_left_out_and_broken_ones_are_named() -> None:
    assert frames("[]") == []
    assert frames('{"event_type":"something new","market":"0x1"}') == []
    for text in (
        "INVALID OPERATION",
        '{"event_type":"price_change"}',
        "[1]",
        '{"event_type":"book","market":"0x1","asset_id":"1","bids":[{}]}',
    ):
        with pytest.raises(SchemaError):
            frames(text)


def test_empty_best_prices_are_none() -> None:
    change = {"asset_id": "1", "price": "0.5", "size": "0", "side": "BUY", "best_bid": "", "best_ask": "0"}
    [frame] = frames(json.dumps({"event_type": "price_change", "market": "0x1", "price_changes": [change], "timestamp": "1"}))
    assert isinstance(frame, PriceChanges)
    assert (frame.changes[0].best_bid, frame.changes[0].best_ask, frame.changes[0].size) == (None, 0, 0)


@pytest.mark.parametrize(
    ("value", "expected"), [("0.45", 450_000), (0.45, 450_000), ("9e-6", 9), (1, ONE), ("0.14000000000000001", 140_000)]
)
def test_numbers_come_as_texts_floats_and_exponents(value: object, expected: int) -> None:
    assert amount(value) == expected


@pytest.mark.parametrize("value", ["", "abc", "NaN", "Infinity", None])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(SchemaError, match="is not a number"):
        amount(value)


def test_numbers_in_json_stay_exact() -> None:
    assert amount(schema.loads('{"p": 0.1234565}')["p"]) == 123_456  # Half to even, from the decimal digits themselves.


def test_public_trades_of_either_age_are_read() -> None:
    trades = [public_trade(row) for row in recorded("clob/trades.json")]
    assert (trades[0].side, trades[0].size, trades[0].price, trades[0].outcome_index) == (Side.SELL, micro("5.4"), 998_000, 0)
    row = {"condition_id": "0x1", "token_id": "1", "side": "BUY", "size": 2, "price": 0.5, "timestamp": 1_790_000_000}
    assert public_trade(row | {"outcome_index": 999}).outcome_index is None

"""The other official client (py-clob-client-v2), unmodified, against the simulated venue: its REST part, at tick 0.01."""

import time
from typing import Any

import pytest
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    BookParams,
    MarketOrderArgs,
    OpenOrderParams,
    OrderArgs,
    OrderMarketCancelParams,
    OrderPayload,
    OrderType,
    PostOrdersV2Args,
    PricesHistoryParams,
    TradeParams,
)
from py_clob_client_v2.exceptions import PolyApiException

from agents.money import ONE
from tests.contract.sandbox.served import Served


def connect(served: Served) -> ClobClient:
    wallet = served.wallet()
    client = ClobClient(served.endpoints.clob_url, 137, key=wallet.key)
    client.set_api_creds(client.create_or_derive_api_key())
    return client


@pytest.fixture(scope="module")
def maker(served: Served) -> Any:
    return connect(served)


@pytest.fixture(scope="module")
def taker(served: Served) -> Any:
    return connect(served)


def limit(client: Any, token_id: str, price: float, size: float, side: str = "BUY", **options: Any) -> Any:
    return client.create_and_post_order(OrderArgs(token_id, price, size, side), defer_exec=True, **options)


def test_credentials_are_created_then_derived(maker: Any) -> None:
    assert maker.derive_api_key() == maker.creds
    assert maker.create_or_derive_api_key() == maker.creds
    assert maker.get_api_keys() == {"apiKeys": [maker.creds.api_key]}
    assert maker.get_closed_only_mode() == {"closed_only": False}


def test_it_reads_the_venue(maker: Any, served: Served) -> None:
    assert maker.get_ok() == "OK"
    assert maker.get_version() == 2
    assert abs(maker.get_server_time() - time.time()) < 3
    record = served.market()
    yes, no = record.tokens
    assert maker.get_tick_size(yes) == "0.01"
    assert maker.get_neg_risk(yes) is False
    assert maker.get_fee_rate_bps(yes) == 1000
    assert maker.get_clob_market_info(record.condition_id)["fd"] == {"r": 0.05, "e": 1, "to": True}
    assert maker.get_market(record.condition_id)["market_slug"] == record.slug
    assert record.condition_id in {row["condition_id"] for row in maker.get_simplified_markets()["data"]}
    assert record.condition_id in {row["condition_id"] for row in maker.get_sampling_markets()["data"]}
    limit(maker, yes, 0.4, 10)
    limit(maker, no, 0.5, 10)
    book = maker.get_order_book(yes)
    assert maker.get_order_book_hash(book) == book["hash"]
    assert maker.get_midpoint(yes) == {"mid": "0.45"}
    assert maker.get_price(yes, "BUY") == {"price": "0.4"}
    assert maker.get_spread(yes) == {"spread": "0.1"}
    both = [BookParams(yes, "BUY"), BookParams(no, "SELL")]
    assert maker.get_prices(both) == {yes: {"BUY": "0.4"}, no: {"SELL": "0.6"}}
    assert maker.get_midpoints(both) == {yes: "0.45", no: "0.55"}
    assert {row["asset_id"] for row in maker.get_order_books(both)} == {yes, no}
    assert maker.get_last_trade_price(yes) == {"price": "0.5", "side": ""}


def test_a_limit_order_rests_is_taken_and_cancelled(maker: Any, taker: Any, served: Served) -> None:
    record = served.market()
    yes, no = record.tokens
    placed = limit(maker, yes, 0.4, 100)
    assert (placed["success"], placed["status"], placed["errorMsg"]) == (True, "live", "")
    taken = limit(taker, no, 0.6, 30)
    assert (taken["status"], taken["makingAmount"], taken["takingAmount"]) == ("matched", "18", "30")
    assert taken["transactionsHashes"] == []
    order = maker.get_order(placed["orderID"])
    assert (order["status"], order["size_matched"], order["price"], order["created_at"]) == (
        "LIVE",
        "30",
        "0.4",
        pytest.approx(time.time(), abs=5),
    )
    assert [row["id"] for row in maker.get_open_orders(OpenOrderParams(market=record.condition_id))] == [placed["orderID"]]
    trades = maker.get_trades(TradeParams(market=record.condition_id))
    assert [(row["id"], row["trader_side"]) for row in trades] == [(taken["tradeIDs"][0], "MAKER")]
    assert maker.cancel_order(OrderPayload(placed["orderID"])) == {"canceled": [placed["orderID"]], "not_canceled": {}}
    assert maker.get_open_orders(OpenOrderParams(market=record.condition_id)) == []


def test_a_market_order_takes_the_book_and_its_hashes_resolve(maker: Any, taker: Any, served: Served) -> None:
    record = served.market()
    yes, no = record.tokens
    limit(maker, no, 0.5, 40)
    args = MarketOrderArgs(yes, 10, "BUY", order_type=OrderType.FOK)
    bought = taker.create_and_post_market_order(args, order_type=OrderType.FOK)
    assert (bought["status"], bought["makingAmount"], bought["takingAmount"]) == ("matched", "10", "20")
    assert [len(tx_hash) for tx_hash in bought["transactionsHashes"]] == [66]
    balance = taker.get_balance_allowance(BalanceAllowanceParams(AssetType.CONDITIONAL, yes))
    assert balance["balance"] == str(20 * ONE)
    assert taker.update_balance_allowance(BalanceAllowanceParams(AssetType.COLLATERAL)) == ""
    limit(maker, yes, 0.3, 20)
    args = MarketOrderArgs(yes, 15, "SELL", order_type=OrderType.FAK)
    sold = taker.create_and_post_market_order(args, order_type=OrderType.FAK, defer_exec=True)
    assert (sold["status"], sold["makingAmount"], sold["takingAmount"]) == ("matched", "15", "4.5")


def test_batches_and_the_other_cancels(maker: Any, served: Served) -> None:
    first, second = served.market(), served.market()
    orders = [
        PostOrdersV2Args(maker.create_order(OrderArgs(token_id, 0.2, 10, "BUY")))
        for token_id in (first.tokens[0], first.tokens[1], second.tokens[0])
    ]
    placed = [row["orderID"] for row in maker.post_orders(orders, defer_exec=True)]
    market = maker.cancel_market_orders(OrderMarketCancelParams(market=second.condition_id))
    assert market["canceled"] == placed[2:]
    assert maker.cancel_orders(placed[:1])["canceled"] == placed[:1]
    assert placed[1] in maker.cancel_all()["canceled"]
    assert maker.get_open_orders() == []


def test_gtd_post_only_and_refusals(maker: Any, served: Served) -> None:
    record = served.market()
    yes, no = record.tokens
    expiration = int(time.time()) + 300
    args = OrderArgs(yes, 0.5, 10, "BUY", expiration=expiration)
    resting = maker.create_and_post_order(args, order_type=OrderType.GTD, defer_exec=True)
    assert maker.get_order(resting["orderID"])["expiration"] == str(expiration)
    with pytest.raises(PolyApiException) as refused:
        limit(maker, no, 0.5, 10, post_only=True)
    assert (refused.value.status_code, refused.value.error_msg) == (
        400,
        {"error": "invalid post-only order: order crosses book"},
    )
    with pytest.raises(PolyApiException) as refused:
        maker.create_and_post_order(
            OrderArgs(yes, 0.5, 10, "BUY", expiration=int(time.time()) + 30), order_type=OrderType.GTD, defer_exec=True
        )
    assert refused.value.error_msg == {"error": "invalid expiration"}


def test_heartbeats_and_history(maker: Any, served: Served) -> None:
    beat = maker.post_heartbeat("")["heartbeat_id"]
    assert maker.post_heartbeat(beat)["heartbeat_id"] != beat
    with pytest.raises(PolyApiException) as refused:
        maker.post_heartbeat("wrong")
    assert refused.value.error_msg["error_msg"] == "Invalid Heartbeat ID"
    record = served.run(lambda exchange: next(m for m in exchange.markets() if int(m.id) > 10**6 and not m.closed))
    points = maker.get_prices_history(PricesHistoryParams(record.tokens[0], interval="1h", fidelity=5))["history"]
    assert 12 <= len(points) <= 14
    assert all(0 < point["p"] < 1 for point in points)


def test_a_deleted_key_opens_nothing(served: Served) -> None:
    client = connect(served)
    assert client.delete_api_key() == "OK"
    with pytest.raises(PolyApiException) as refused:
        client.get_api_keys()
    assert (refused.value.status_code, refused.value.error_msg) == (401, {"error": "Unauthorized/Invalid api key"})

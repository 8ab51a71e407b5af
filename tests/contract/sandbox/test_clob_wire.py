"""The CLOB's public side to the letter: shapes, texts, orders of levels, hashes, history rules."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from polymarket import AsyncSecureClient
from py_clob_client_v2.utilities import generate_orderbook_summary_hash, parse_raw_orderbook_summary

from actors.sandbox.api.book_objects import book_hash
from tests.contract.sandbox.served import Served

NO_BOOK = {"error": "No orderbook exists for the requested token id"}


@pytest.fixture
def market(served: Served) -> Any:
    """A market with a book on both sides, made by the background makers."""
    return served.run(
        lambda exchange: next(m for m in exchange.markets() if int(m.id) > 10**6 and not m.closed and m.tick == 10_000)
    )


def test_a_book_lists_the_best_price_last_and_its_hash_recomputes(http: httpx.Client, market: Any) -> None:
    book = http.get("/clob/book", params={"token_id": market.tokens[0]}).json()
    assert list(book) == [
        *("market", "asset_id", "timestamp", "hash", "bids", "asks"),
        *("min_order_size", "tick_size", "neg_risk", "last_trade_price"),
    ]
    assert (book["market"], book["asset_id"]) == (market.condition_id, market.tokens[0])
    assert (book["tick_size"], book["min_order_size"], book["neg_risk"]) == ("0.01", "5", market.neg_risk)
    assert len(book["timestamp"]) == 13
    bids, asks = ([float(level["price"]) for level in book[side]] for side in ("bids", "asks"))
    assert bids == sorted(bids)
    assert asks == sorted(asks, reverse=True)
    assert len(bids) > 1
    assert len(asks) > 1
    assert bids[-1] < asks[-1]
    assert book_hash(book) == book["hash"]


def test_recorded_books_hash_as_the_official_client_hashes_them(recorded: Path) -> None:
    # The recorded books are excerpts, so their own hashes do not recompute; the official client's function is the reference.
    lines = (recorded / "ws" / "live_frames_2026-08-14.jsonl").read_text().splitlines()
    book = next(json.loads(row["raw"]) for row in map(json.loads, lines) if row["name"] == "restBookBody")
    full = json.loads((recorded / "ws" / "recorded_book.json").read_text())
    for levels in (book, full):
        content = book | {"bids": levels["bids"], "asks": levels["asks"]}
        assert book_hash(content) == generate_orderbook_summary_hash(parse_raw_orderbook_summary(content))


def test_our_rest_book_has_the_shape_of_the_recorded_one(http: httpx.Client, market: Any, recorded: Path) -> None:
    lines = (recorded / "ws" / "live_frames_2026-08-14.jsonl").read_text().splitlines()
    theirs = next(json.loads(row["raw"]) for row in map(json.loads, lines) if row["name"] == "restBookBody")
    ours = http.get("/clob/book", params={"token_id": market.tokens[0]}).json()
    assert [(key, type(value)) for key, value in ours.items()] == [(key, type(value)) for key, value in theirs.items()]


def test_an_answer_does_not_wait_for_the_clients_receipt_of_its_head(http: httpx.Client) -> None:
    seconds = sorted(http.get("/clob/time").elapsed.total_seconds() for _ in range(40))
    # The kernel holds a receipt back for 40 ms.
    assert seconds[len(seconds) // 4] < 0.03


def test_the_second_tokens_book_is_the_mirror(http: httpx.Client, served: Served, market: Any) -> None:
    first, second = served.run(lambda exchange: [exchange.book_snapshot(token) for token in market.tokens])
    assert [(10**6 - level.price, level.size) for level in first.bids] == [(level.price, level.size) for level in second.asks]
    assert [(10**6 - level.price, level.size) for level in first.asks] == [(level.price, level.size) for level in second.bids]


@pytest.mark.parametrize("path", ["book", "midpoint", "price", "spread", "last-trade-price"])
def test_an_unknown_token_has_no_book(http: httpx.Client, path: str) -> None:
    answer = http.get(f"/clob/{path}", params={"token_id": "1", "side": "BUY"})
    assert (answer.status_code, answer.json()) == (404, NO_BOOK)


@pytest.mark.parametrize("path", ["books", "midpoints", "prices", "last-trades-prices"])
def test_the_plural_forms_always_fail_by_get(http: httpx.Client, path: str, market: Any) -> None:
    answer = http.get(f"/clob/{path}", params={"token_ids": market.tokens[0]})
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid payload"})


def test_a_resolved_market_has_no_book(http: httpx.Client, served: Served) -> None:
    record = served.market()
    served.run(lambda exchange: exchange.resolve(record.condition_id, (0, 10**6)))
    answer = http.get("/clob/book", params={"token_id": record.tokens[0]})
    assert (answer.status_code, answer.json()) == (404, NO_BOOK)
    tokens = http.get(f"/clob/markets/{record.condition_id}").json()["tokens"]
    assert [(token["price"], token["winner"]) for token in tokens] == [(0, False), (1, True)]


def test_many_books_leave_out_unknown_ones(http: httpx.Client, market: Any) -> None:
    rows = http.post("/clob/books", json=[{"token_id": token} for token in ("1", *market.tokens, "2")]).json()
    assert {row["asset_id"] for row in rows} == set(market.tokens)
    assert http.post("/clob/books", json=[{"token_id": "1"}]).json() == []
    assert http.post("/clob/books", content=b"no json").json() == {"error": "Invalid payload"}
    assert http.post("/clob/books", json={"token_id": "1"}).status_code == 400
    assert http.post("/clob/books", json=[{"token_id": "1"}] * 501).status_code == 400


def test_prices_are_strings_from_the_makers_view(http: httpx.Client, served: Served) -> None:
    empty = served.market().tokens[0]
    assert http.get("/clob/midpoint", params={"token_id": empty}).json() == {"mid": "0.5"}
    assert http.get("/clob/price", params={"token_id": empty, "side": "BUY"}).json() == {"price": "0"}
    assert http.get("/clob/price", params={"token_id": empty, "side": "SELL"}).json() == {"price": "1"}
    assert http.get("/clob/last-trade-price", params={"token_id": empty}).json() == {"price": "0.5", "side": ""}
    wrong = http.get("/clob/price", params={"token_id": empty, "side": "HOLD"})
    assert (wrong.status_code, wrong.json()) == (400, {"error": "Invalid side"})
    assert http.post("/clob/prices", json=[{"token_id": empty}]).json() == {empty: {"SELL": "1"}}
    assert http.post("/clob/spreads", json=[{"token_id": empty}]).json() == {empty: "1"}
    assert http.post("/clob/last-trades-prices", json=[{"token_id": empty}]).json() == []


def test_what_the_clob_says_of_tokens_and_itself(http: httpx.Client, served: Served) -> None:
    record = served.market(neg_risk=True, seconds_delay=1, taker_delay=1000)
    yes = {"token_id": record.tokens[0]}
    assert http.get("/clob/tick-size", params=yes).json() == {"minimum_tick_size": 0.01}
    assert http.get("/clob/neg-risk", params=yes).json() == {"neg_risk": True}
    assert http.get("/clob/fee-rate", params=yes).json() == {"base_fee": 1000}
    by_token = [http.get(f"/clob/markets-by-token/{token}").json() for token in record.tokens]
    assert by_token[0] == by_token[1]
    assert set(by_token[0]) == {"condition_id", "primary_token_id", "secondary_token_id"}
    assert {by_token[0]["primary_token_id"], by_token[0]["secondary_token_id"]} == set(record.tokens)
    terms = http.get(f"/clob/clob-markets/{record.condition_id}").json()
    assert (terms["mos"], terms["mts"], terms["nr"], terms["sd"], terms["ao"]) == (5, 0.01, True, 1, True)
    assert terms["t"] == [{"t": record.tokens[0], "o": "Yes"}, {"t": record.tokens[1], "o": "No"}]
    free = served.market(fee=type(record.fee)())
    assert not {"fd", "nr", "sd", "mbf"} & http.get(f"/clob/clob-markets/{free.condition_id}").json().keys()
    assert http.get("/clob/tick-size", params={"token_id": "1"}).status_code == 404
    assert http.get("/clob/ok").text == '"OK"'
    assert http.get("/clob/time").text.isdecimal()


def test_market_listings_have_the_shape_of_the_recorded_ones(http: httpx.Client, recorded: Path) -> None:
    theirs = json.loads((recorded / "clob" / "markets.json").read_text())["data"][0]
    page = http.get("/clob/markets").json()
    assert (page["limit"], page["next_cursor"], page["count"]) == (1000, "LTE=", len(page["data"]))
    ours = page["data"][0]
    assert ours.keys() == theirs.keys()
    assert ours["tokens"][0].keys() == theirs["tokens"][0].keys()
    assert ours["rewards"] == theirs["rewards"] == {"rates": None, "min_size": 0, "max_spread": 0}
    simplified = http.get("/clob/simplified-markets").json()["data"][0]
    assert set(simplified) == {"condition_id", "rewards", "tokens", "active", "closed", "archived", "accepting_orders"}


def test_history_windows_are_checked(http: httpx.Client, market: Any, served: Served) -> None:
    now = served.server.venue.now // 1000

    def refusal(**query: Any) -> Any:
        answer = http.get("/clob/prices-history", params={"market": market.tokens[0], **query})
        assert answer.status_code == 400
        return answer.json()["error"]

    assert refusal(interval="1m") == "invalid filters: minimum 'fidelity' for '1m' range is 10"
    assert refusal(interval="1w", fidelity=4) == "invalid filters: minimum 'fidelity' for '1w' range is 5"
    too_long = refusal(startTs=now - 15 * 86_400 - 1, endTs=now)
    assert too_long == "invalid filters: 'startTs' and 'endTs' interval is too long"
    assert refusal(endTs=now).startswith("invalid filters")
    assert refusal().startswith("invalid filters")
    assert http.get("/clob/prices-history", params={"market": "1", "interval": "1d"}).json() == {"history": []}
    exactly = http.get(
        "/clob/prices-history",
        params={"market": market.tokens[0], "startTs": now - 15 * 86_400, "endTs": now, "fidelity": 60},
    )
    assert exactly.status_code == 200


def test_a_past_window_ends_with_one_point_of_now(http: httpx.Client, market: Any, served: Served) -> None:
    end = served.server.venue.now // 1000 - 120
    query = {"market": market.tokens[0], "startTs": end - 600, "endTs": end, "fidelity": 1}
    points = http.get("/clob/prices-history", params=query).json()["history"]
    *inside, last = points
    assert [set(point) for point in points] == [{"t", "p"}] * len(points)
    assert all(end - 600 <= point["t"] <= end for point in inside)
    assert [point["t"] % 60 for point in inside] == [0] * len(inside)
    assert len(inside) >= 10
    assert end < last["t"] <= served.server.venue.now // 1000
    batch = http.post(
        "/clob/batch-prices-history",
        json={"markets": list(market.tokens), "start_ts": end - 600, "end_ts": end, "fidelity": 1},
    ).json()["history"]
    assert batch[market.tokens[0]][:-1] == inside
    sums = [round(a["p"] + b["p"], 6) for a, b in zip(*(rows[:-1] for rows in batch.values()), strict=True)]
    assert sums == [1.0] * len(inside)
    assert http.post("/clob/batch-prices-history", json={"markets": ["1"] * 21}).status_code == 400


def test_a_resolved_markets_history_needs_a_coarse_fidelity_or_a_window(http: httpx.Client, served: Served) -> None:
    market = served.run(_resolve_one)
    token = market.tokens[0]
    fine = http.get("/clob/prices-history", params={"market": token, "interval": "max", "fidelity": 60})
    assert fine.json() == {"history": []}
    window = {"startTs": market.resolved_at // 1000 - 3600, "endTs": market.resolved_at // 1000, "fidelity": 1}
    points = http.get("/clob/prices-history", params={"market": token, **window}).json()["history"]
    assert points
    assert points[-1]["t"] <= market.resolved_at // 1000


def _resolve_one(exchange: Any) -> Any:
    record = next(m for m in exchange.markets() if int(m.id) > 10**6)
    exchange.resolve(record.condition_id, (10**6, 0))
    return exchange.market(record.condition_id)


@pytest.mark.asyncio(loop_scope="session")
async def test_an_answer_comes_after_its_commit(client: AsyncSecureClient, served: Served) -> None:
    record = served.market()
    await client.place_limit_order(token_id=record.tokens[0], price="0.20", size="10", side="BUY")
    assert served.run(lambda exchange: exchange.floor.journal.urgent) is False


def test_everything_says_that_it_is_simulated(http: httpx.Client) -> None:
    for path in ("/", "/gamma/markets", "/clob/book", "/data/v2/value", "/nowhere", "/sandbox/stats"):
        assert http.get(path).headers["x-simulated"] == "polyfleet-sandbox"
    assert "simulation" in http.get("/").text
    assert http.get("/").text.count("\n") == 1


def test_statistics_count_requests_by_template_and_sockets(http: httpx.Client, market: Any) -> None:
    def counted(template: str) -> int:
        return int(http.get("/sandbox/stats").json()["requests"].get(template, 0))

    before = counted("/clob/markets/{condition_id}")
    http.get(f"/clob/markets/{market.condition_id}")
    http.get("/clob/markets/0x1")
    assert counted("/clob/markets/{condition_id}") == before + 2
    stats = http.get("/sandbox/stats").json()
    assert stats["connections"] == stats["marketConnections"] + stats["userConnections"]
    assert stats["speed"] == 60
    assert stats["openMarkets"] > 10
    assert stats["venueTime"] > 10**12

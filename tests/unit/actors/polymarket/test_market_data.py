"""Public reads: pages, retries, and the venue's own traps."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from actors.polymarket.market_data import MarketData
from agents.errors import Unavailable
from agents.ports import Endpoints
from tests.unit.actors.polymarket.test_listings import PLAIN

Handler = Callable[[httpx.Request], httpx.Response]

ENDPOINTS = Endpoints("http://v/gamma", "http://v/clob", "http://v/data", "", "", "", "", simulated=True)


class Venue:
    """Answers as a test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.answer: Handler = lambda request: httpx.Response(404)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer(request)


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
async def data(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MarketData]:
    async def at_once(seconds: float) -> None:
        return None

    monkeypatch.setattr("actors.polymarket.market_data.asyncio.sleep", at_once)
    reader = MarketData(ENDPOINTS, httpx.MockTransport(venue))
    yield reader
    await reader.close()


def market(n: int, **changes: Any) -> dict[str, Any]:
    return PLAIN | {"id": str(n), "conditionId": f"0x{n}", "clobTokenIds": f'["{n}1", "{n}2"]'} | changes


def json_of(content: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=content)


async def test_all_pages_of_open_markets_are_read(data: MarketData, venue: Venue) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        cursor = request.url.params.get("after_cursor")
        return json_of({"markets": [market(2)]} if cursor else {"markets": [market(1), {"id": "odd"}], "next_cursor": "c"})

    venue.answer = answer
    assert [item.market.id for item in await data.open_markets()] == ["1", "2"]
    assert [request.url.params["closed"] for request in venue.asked] == ["false", "false"]


async def test_no_more_pages_are_read_than_are_wanted(data: MarketData, venue: Venue) -> None:
    venue.answer = lambda request: json_of({"markets": [market(1), market(2)], "next_cursor": "always more"})
    assert len(await data.open_markets(limit=3)) == 3
    assert len(venue.asked) == 2
    assert venue.asked[0].url.params["order"] == "volume24hr"


async def test_the_clob_is_asked_for_a_fee_that_the_listing_leaves_out(data: MarketData, venue: Venue) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "clob-markets" in request.url.path:
            return json_of({"c": "0x1", "fd": {"r": 0.07, "e": 1}})
        return json_of({"markets": [market(1, feesEnabled=True)]})

    venue.answer = answer
    [item] = await data.open_markets()
    assert str(item.market.fee.rate) == "0.07"
    assert item.fee_known


async def test_closed_markets_are_found_by_their_ids_too(data: MarketData, venue: Venue) -> None:
    venue.answer = lambda request: json_of(
        {"markets": [market(1, closed=True)] if request.url.params["closed"] == "true" else []}
    )
    assert [item.market.closed for item in await data.by_conditions(["0x1"])] == [True]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("0xabc", "/gamma/markets/keyset"),
        ("9" * 77, "/gamma/markets/keyset"),
        ("123", "/gamma/markets/123"),
        ("a-slug", "/gamma/markets/slug/a-slug"),
    ],
)
async def test_a_name_is_looked_up_where_its_form_belongs(data: MarketData, venue: Venue, key: str, path: str) -> None:
    venue.answer = lambda request: json_of({"markets": []} if "keyset" in request.url.path else market(1))
    await data.lookup(key)
    assert venue.asked[0].url.path == path


async def test_a_name_that_is_no_market_may_be_an_event(data: MarketData, venue: Venue) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "/events/slug/" in request.url.path:
            return json_of({"id": "5", "slug": "an-event", "title": "An event", "markets": [market(1), market(2)]})
        return json_of({"error": "slug not found"}, 404)

    venue.answer = answer
    assert [item.market.event_id for item in await data.lookup("an-event")] == ["5", "5"]


async def test_books_are_known_by_their_tokens_and_missing_ones_left_out(data: MarketData, venue: Venue) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        rows = [
            {
                "market": "0x1",
                "asset_id": row["token_id"],
                "timestamp": "1",
                "bids": [{"price": "0.4", "size": "5"}],
                "asks": [],
            }
            for row in json.loads(request.content)
            if row["token_id"] != "gone"
        ]
        return json_of(rows[::-1])

    venue.answer = answer
    books = await data.books(["a", "gone", *(f"t{n}" for n in range(300))])
    assert len(books) == 301
    assert books["a"].bids == {400_000: 5_000_000}
    assert len(venue.asked) == 2


async def test_history_is_cut_at_the_end_of_its_window(data: MarketData, venue: Venue) -> None:
    points = [{"t": 100, "p": 0.5}, {"t": 200, "p": 0.55}, {"t": 999, "p": 0.9}]
    venue.answer = lambda request: json_of({"history": {"t": points}})
    assert await data.histories(["t"], 100_000, 300_000, 60_000) == {"t": [(100_000, 500_000), (200_000, 550_000)]}
    assert json.loads(venue.asked[0].content) == {"markets": ["t"], "start_ts": 100, "end_ts": 300, "fidelity": 1}


async def test_a_window_is_never_longer_than_the_venue_takes(data: MarketData, venue: Venue) -> None:
    venue.answer = lambda request: json_of({"history": {}})
    await data.histories([f"t{n}" for n in range(21)], 0, 10**12, 5_000_000)
    bodies = [json.loads(request.content) for request in venue.asked]
    assert [len(body["markets"]) for body in bodies] == [20, 1]
    assert bodies[0]["end_ts"] - bodies[0]["start_ts"] == 15 * 86_400
    assert bodies[0]["fidelity"] == 83


async def test_only_final_payouts_count(data: MarketData, venue: Venue) -> None:
    rows = [
        {"condition_id": "0x1", "status": "resolved", "payouts": ["1000000", "0"]},
        {"condition_id": "0x2", "status": "proposed", "payouts": ["1000000", "0"]},
    ]
    venue.answer = lambda request: json_of({"data": rows})
    assert await data.payouts(["0x1", "0x2"]) == {"0x1": (1_000_000, 0)}


async def test_markets_of_an_event_are_counted_while_they_are_open(data: MarketData, venue: Venue) -> None:
    venue.answer = lambda request: json_of({"markets": [market(1), market(2, closed=True), market(3, active=False)]})
    assert await data.open_in_event("5") == 2


@pytest.mark.parametrize("status", [425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(data: MarketData, venue: Venue, status: int) -> None:
    venue.answer = lambda request: json_of([], status if len(venue.asked) < 3 else 200)
    assert await data.books(["a"]) == {}
    assert len(venue.asked) == 3


async def test_a_mistake_is_not_tried_again_and_is_told(data: MarketData, venue: Venue) -> None:
    venue.answer = lambda request: json_of({"error": "Invalid payload"}, 400)
    with pytest.raises(Unavailable, match=r"did not serve POST /books: it answered 400: .*Invalid payload"):
        await data.books(["a"])
    assert len(venue.asked) == 1


async def test_an_html_page_with_status_200_is_no_answer(data: MarketData, venue: Venue) -> None:
    venue.answer = lambda request: httpx.Response(200, text="<html>checking your browser</html>")
    with pytest.raises(Unavailable, match="its answer is not JSON"):
        await data.books(["a"])


async def test_a_venue_that_is_away_is_unavailable(data: MarketData, venue: Venue) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    venue.answer = refuse
    with pytest.raises(Unavailable, match="ConnectError connection refused"):
        await data.open_markets()
    assert len(venue.asked) == 3

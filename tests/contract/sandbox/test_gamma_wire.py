"""Gamma to the letter: pagination, filters, refusals, traps of its fields."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.sandbox.records import NewOrder
from agents.model import Side, TimeInForce
from agents.money import ONE
from tests.contract.sandbox.served import Served


def listed(http: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    answer = http.get("/gamma/markets/keyset", params=query)
    assert answer.status_code == 200
    rows: list[dict[str, Any]] = answer.json()["markets"]
    return rows


def test_a_market_has_fields_of_the_recorded_ones_with_their_types(http: httpx.Client, served: Served, recorded: Path) -> None:
    theirs = json.loads((recorded / "gamma" / "gamma_market_open_negrisk_2026-10-02.json").read_text())
    record = served.market(neg_risk=True, neg_risk_market_id="0x" + "12" * 32)
    served.run(lambda exchange: exchange.fund("0x" + "1" * 40, ONE))
    ours = listed(http, condition_ids=record.condition_id)[0]
    assert ours.keys() - theirs.keys() == {"category"}
    for name in ours.keys() & theirs.keys():
        number = isinstance(theirs[name], int | float) and not isinstance(theirs[name], bool)
        assert isinstance(ours[name], int | float if number else type(theirs[name])), name
    for name in ("outcomes", "outcomePrices", "clobTokenIds", "umaResolutionStatuses"):
        assert isinstance(json.loads(ours[name]), list)
    assert json.loads(ours["clobTokenIds"]) == list(record.tokens)
    assert ours["feeSchedule"].keys() == theirs["feeSchedule"].keys()
    assert ours["events"][0]["id"] == record.event_id
    assert ours["version"] == "v1"
    assert "tags" not in ours


def test_what_is_not_there_is_absent_rather_than_null(http: httpx.Client, served: Served) -> None:
    record = served.market(end=None, fee=type(served.market().fee)())
    ours = listed(http, condition_ids=record.condition_id)[0]
    absent = {"endDate", "bestBid", "lastTradePrice", "volume24hr", "feeSchedule", "umaResolutionStatus", "closedTime"}
    assert not absent & ours.keys()
    assert None not in ours.values()
    assert ours["feesEnabled"] is False


def test_a_resolved_market_is_closed_active_and_left_out_unless_asked_for(
    http: httpx.Client, served: Served, recorded: Path
) -> None:
    record = served.market()
    served.run(lambda exchange: exchange.resolve(record.condition_id, (ONE, 0)))
    assert listed(http, slug=record.slug) == []
    ours = listed(http, slug=record.slug, closed="true")[0]
    theirs = json.loads((recorded / "gamma" / "gamma_market_resolved_2026-10-02.json").read_text())
    for name in ("active", "closed", "acceptingOrders", "umaResolutionStatus", "outcomePrices", "archived"):
        assert ours[name] == theirs[name], name
    assert len(ours["closedTime"]) == len(theirs["closedTime"]) == len("2026-09-09 14:25:04+00")
    assert "liquidity" not in ours
    assert http.get(f"/gamma/markets/{record.id}").json()["closed"] is True
    assert http.get(f"/gamma/markets/slug/{record.slug}").json()["closed"] is True


def test_keyset_pages_meet_without_gap_or_overlap_and_the_last_has_no_cursor(http: httpx.Client, served: Served) -> None:
    for ascending in ("true", "false"):
        query: dict[str, str | int] = {"limit": 4, "order": "createdAt", "ascending": ascending}
        ids: list[str] = []
        while True:
            page = http.get("/gamma/markets/keyset", params=query).json()
            ids.extend(row["id"] for row in page["markets"])
            if "next_cursor" not in page:
                break
            query["after_cursor"] = page["next_cursor"]
        everything = [row["id"] for row in listed(http, limit=100, order="createdAt", ascending=ascending)]
        assert ids == everything
        assert len(ids) == len(set(ids)) > 8


def test_limits_are_clamped_and_unknown_parameters_ignored(http: httpx.Client) -> None:
    assert len(listed(http, limit=0)) == 1
    assert len(listed(http, limit=100_000)) <= 100
    plain = [row["id"] for row in listed(http, limit=3)]
    assert [row["id"] for row in listed(http, active="false", archived="true", nonsense="1", limit=3)] == plain


@pytest.mark.parametrize(
    ("path", "query", "error"),
    [
        ("/markets/keyset", {"offset": "1"}, None),
        ("/markets/keyset", {"order": "volume_num"}, "order fields are not valid"),
        ("/markets", {"order": "volume_num"}, "order fields are not valid"),
        ("/events/keyset", {"order": "end_date"}, "order fields are not valid"),
        ("/markets", {"offset": "2001"}, "offset too large, use /markets/keyset for deeper pagination"),
        ("/events", {"offset": "2001"}, "offset too large, use /events/keyset for deeper pagination"),
        ("/markets/keyset", {"limit": "many"}, None),
        ("/markets/keyset", {"after_cursor": "nonsense"}, None),
        ("/markets/keyset", {"end_date_min": "tomorrow"}, None),
        ("/markets/keyset", {"volume_num_min": "much"}, None),
        ("/markets/keyset", {"closed": "maybe"}, None),
    ],
)
def test_wrong_parameters_are_422(http: httpx.Client, path: str, query: dict[str, str], error: str | None) -> None:
    answer = http.get("/gamma" + path, params=query)
    assert answer.status_code == 422
    assert answer.json()["type"] == "validation error"
    assert error in (None, answer.json()["error"])


def test_the_legacy_listing_warns_and_pages_by_offset(http: httpx.Client) -> None:
    first = http.get("/gamma/markets", params={"limit": 3, "order": "id"})
    assert first.headers["deprecation"] == "true"
    assert first.headers["sunset"] == "Fri, 01 May 2026 00:00:00 GMT"
    second = http.get("/gamma/markets", params={"limit": 3, "offset": 2, "order": "id"}).json()
    assert first.json()[2]["id"] == second[0]["id"]


def test_filters_select(http: httpx.Client, served: Served) -> None:
    early = served.market(end=1_800_000_000_000)
    late = served.market(end=1_950_000_000_000, uma_status="proposed", accepting_orders=False)

    def ids(**query: Any) -> set[str]:
        return {row["id"] for row in listed(http, limit=100, **query)}

    both = [early.condition_id, late.condition_id]
    assert ids(condition_ids=both) == {early.id, late.id}
    assert ids(condition_ids=both, end_date_max="2027-06-01") == {early.id}
    assert ids(condition_ids=both, end_date_min="2030-01-01T00:00:00Z") == {late.id}
    assert ids(clob_token_ids=[early.tokens[1], late.tokens[0]]) == {early.id, late.id}
    assert ids(id=[early.id]) == {early.id}
    assert ids(condition_ids=both, uma_resolution_status="proposed") == {late.id}
    assert ids(condition_ids=both, volume_num_min="1") == set()
    assert ids(condition_ids=both, version="v2") == set()
    assert ids(condition_ids=both, decimalized="true") == set()
    assert listed(http, id=late.id)[0]["acceptingOrders"] is False


def test_ordering_by_volume_is_by_its_text(http: httpx.Client, served: Served) -> None:
    rows = listed(http, limit=100, order="volume", ascending="true")
    texts = [row["volume"] for row in rows]
    assert texts == sorted(texts)
    numbers = [row["volumeNum"] for row in listed(http, limit=100, order="volumeNum", ascending="true")]
    assert numbers == sorted(numbers)


def test_look_ups_that_find_nothing_are_404(http: httpx.Client) -> None:
    for path, error in (
        ("/markets/1", "id not found"),
        ("/markets/slug/none", "slug not found"),
        ("/events/1", "id not found"),
    ):
        answer = http.get("/gamma" + path)
        assert (answer.status_code, answer.json()) == (404, {"type": "not found error", "error": error})


def test_an_optimized_search_has_another_shape(http: httpx.Client, served: Served) -> None:
    record = served.market(event_title="Quokka census", question="Will the quokkas be counted?")
    plain = http.get("/gamma/public-search", params={"q": "quokka census"}).json()
    assert plain["pagination"] == {"hasMore": False, "totalResults": 1}
    assert isinstance(plain["events"][0]["markets"][0]["outcomes"], str)
    slim = http.get("/gamma/public-search", params={"q": "quokkas counted", "optimized": "true"}).json()
    assert slim.keys() == {"events", "hasMore"}
    assert slim["events"][0]["id"] == record.event_id
    assert slim["events"][0]["markets"][0]["outcomes"] == ["Yes", "No"]
    assert "clobTokenIds" not in slim["events"][0]["markets"][0]


def test_some_best_prices_are_stale(http: httpx.Client, served: Served) -> None:
    stale, fresh = served.market(id="7000007"), served.market(id="7000008")
    for record in (stale, fresh):
        assert "bestBid" not in listed(http, id=record.id)[0]
        served.run(partial(_quote, token_id=record.tokens[0]))
    assert "bestBid" not in listed(http, id=stale.id)[0]
    assert listed(http, id=fresh.id)[0]["bestBid"] == 0.3


def _quote(exchange: Any, token_id: str) -> None:
    owner = "0x" + "5" * 40
    exchange.fund(owner, 100 * ONE)
    order = NewOrder(f"0x{token_id[-40:]:>064}", owner, "key", token_id, Side.BUY, 3 * ONE, 10 * ONE, TimeInForce.GTC)
    exchange.place(order)

"""Gamma's markets, with each trap of the venue's fields; recorded objects where there is one."""

from decimal import Decimal
from typing import Any

import pytest

from actors.polymarket.schema import (
    Listing,
    SchemaError,
    clob_fee,
    event_listings,
    listing,
    loads,
    millis,
    payouts,
    readable,
    strings,
)
from agents.model import FeeSchedule
from agents.money import ONE
from tests.unit.actors.polymarket.recordings import recorded

#: 2026-10-10.
NOW = 1_791_590_400_000

PLAIN: dict[str, Any] = {
    "id": "7",
    "conditionId": "0x7",
    "question": "Will it?",
    "outcomes": '["Yes", "No"]',
    "clobTokenIds": '["11", "22"]',
    "active": True,
    "closed": False,
    "acceptingOrders": True,
    "enableOrderBook": True,
}


def plain(**changes: Any) -> Listing:
    return listing(PLAIN | changes)


def gamma(name: str) -> Listing:
    return listing(recorded(f"gamma/{name}.json"))


def test_a_market_as_the_venue_lists_it_today() -> None:
    item = gamma("gamma_market_open_negrisk_2026-10-02")
    market = item.market
    assert (market.id, market.condition_id[:8], market.outcomes) == ("2589812", "0xdf9bf2", ("Yes", "No"))
    assert [len(token) for token in market.tokens] == [78, 77]
    assert (market.tick, market.min_size, market.neg_risk, market.fee) == (
        10_000,
        5 * ONE,
        True,
        FeeSchedule(Decimal("0.05"), 1),
    )
    assert (market.event_id, market.end) == ("606422", 1_793_246_340_000)
    assert item.tradable(NOW)


@pytest.mark.parametrize("value", ['["a", "b"]', ["a", "b"], ("a", "b")])
def test_lists_come_as_text_or_as_arrays(value: Any) -> None:
    assert strings(value) == ("a", "b")
    assert plain(outcomes=value).market.outcomes == ("a", "b")


def test_a_text_that_is_no_list_is_refused() -> None:
    with pytest.raises(SchemaError, match="is not a list"):
        plain(outcomes="Yes, No")


def test_position_ids_are_the_tokens_of_a_v2_market_only() -> None:
    ids = ["888", "889"]
    assert plain(version="v2", positionIds=ids).market.tokens == ("888", "889")
    assert plain(version="v1", positionIds=ids).market.tokens == ("11", "22")
    assert gamma("gamma_market_resolved_2026-10-02").market.tokens[0].startswith("448717")


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        ("gamma_market", ("Up", "Down")),
        ("gamma_market_resolved_2026-10-02", ("Over", "Under")),
        ("gamma_market_sports_market_money_line", ("FaZe", "illwill")),
    ],
)
def test_outcomes_have_any_name_and_go_by_index(name: str, outcomes: tuple[str, str]) -> None:
    market = gamma(name).market
    assert market.outcomes == outcomes
    assert market.outcome(market.tokens[1]) == outcomes[1]


def test_figures_that_are_absent_or_texts_do_not_matter() -> None:
    assert plain(volume="12.5", liquidity="not a number", bestBid=None).market.tick == 10_000
    assert plain(orderPriceMinTickSize="0.001", orderMinSize=15).market.tick == 1_000
    assert plain(orderMinSize=15).market.min_size == 15 * ONE


def test_best_prices_of_a_listing_are_not_used() -> None:
    assert plain(bestBid=0.1, bestAsk=0.2) == plain(bestBid=0.8, bestAsk=0.9)


def test_an_end_date_is_no_cut_off_but_nothing_is_begun_after_it() -> None:
    item = plain(endDate="2026-10-01T00:00:00Z")
    assert not item.market.closed
    assert not item.tradable(NOW)
    assert item.tradable(1_790_000_000_000)
    assert plain().tradable(NOW), "some have none"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-09-09 14:25:04+00", 1_788_963_904_000),
        ("2026-09-09T14:25:04Z", 1_788_963_904_000),
        ("2026-09-09T14:25:04.123456Z", 1_788_963_904_123),
        ("2026-09-09T14:25:04.5Z", 1_788_963_904_500),
        ("2026-09-09", 1_788_912_000_000),
        ("1788963904", 1_788_963_904_000),
        (1_788_963_904, 1_788_963_904_000),
        ("1788963904123", 1_788_963_904_123),
        ("N/A", None),
        ("", None),
        (None, None),
    ],
)
def test_times_come_in_many_forms(text: Any, moment: int | None) -> None:
    assert millis(text) == moment


@pytest.mark.parametrize(
    "changes",
    [
        {"active": False},
        {"closed": True},
        {"acceptingOrders": False},
        {"enableOrderBook": False},
        {"umaResolutionStatus": "proposed"},
        {"umaResolutionStatus": "disputed"},
        {"negRiskOther": True},
        {"acceptingOrders": None},
    ],
)
def test_every_one_of_the_venues_switches_must_allow_trading(changes: dict[str, Any]) -> None:
    assert plain().tradable(NOW)
    assert not plain(**changes).tradable(NOW)


def test_an_empty_oracle_status_is_none() -> None:
    assert plain(umaResolutionStatus="").tradable(NOW)
    assert plain(resolutionStatus="active").tradable(NOW)


def test_a_resolved_market_stays_active_and_has_its_payouts() -> None:
    item = gamma("gamma_market_resolved_2026-10-02")
    assert (item.active, item.market.closed, item.market.payouts) == (True, True, (ONE, 0))
    assert not item.tradable(0)


def test_a_market_that_is_closed_and_not_resolved_has_no_payouts() -> None:
    assert gamma("gamma_market_closed_nonbinary_legacy").market.payouts is None
    assert gamma("gamma_market_closed_zero_zero_legacy").market.payouts is None
    assert plain(closed=True, outcomePrices='["1", "0"]', umaResolutionStatus="proposed").market.payouts is None


def test_a_market_that_accepts_no_orders_any_more() -> None:
    item = gamma("gamma_market_closed_binary_accepting_false")
    assert (item.market.accepting_orders, item.market.payouts, item.market.tick) == (False, (0, ONE), 1_000)


def test_payouts_may_be_fractions() -> None:
    halves = plain(closed=True, umaResolutionStatus="resolved", outcomePrices='["0.5", "0.5"]')
    assert halves.market.payouts == (500_000, 500_000)
    assert payouts({"condition_id": "0x7", "status": "resolved", "payouts": [333_333, "666667"]}) == ("0x7", (333_333, 666_667))
    assert payouts({"condition_id": "0x7", "status": "proposed", "payouts": [1_000_000, 0]}) is None
    assert payouts({"condition_id": "0x7", "status": "resolved", "payouts": None}) is None


def test_the_fee_is_the_schedules_and_never_the_legacy_fields() -> None:
    assert gamma("gamma_market_resolved_2026-10-02").market.fee.rate == Decimal("0.05")
    without = plain(feesEnabled=False, makerBaseFee=1000, takerBaseFee=1000)
    assert (without.market.fee.rate, without.fee_known) == (0, True)
    # Fees without a schedule: the CLOB must be asked.
    assert not gamma("gamma_market").fee_known
    assert clob_fee({"fd": {"r": 0.07, "e": 1, "to": True}}) == FeeSchedule(Decimal("0.07"), 1)
    assert clob_fee({}) == FeeSchedule(Decimal(0), 1)


def test_ids_are_kept_as_texts() -> None:
    market = plain(id=7, clobTokenIds=f'["{10**77}", "{10**76 + 1}"]').market
    assert (market.id, market.tokens) == ("7", (str(10**77), str(10**76 + 1)))


def test_an_event_lists_its_markets_and_the_odd_ones_are_left_out() -> None:
    [event] = recorded("gamma/gamma_event.json")
    items = event_listings(event)
    assert {item.market.event_id for item in items} == {"30829"}
    assert len(items) == len(event["markets"])
    assert "world-elections" in items[0].market.tags
    assert readable([PLAIN, {"id": "8"}, PLAIN | {"outcomes": '["A", "B", "C"]'}, PLAIN | {"clobTokenIds": ""}]) == [plain()]


def test_searches_hold_listings_too() -> None:
    events = recorded("gamma/search_response.json")["events"]
    assert sum(len(event_listings(event)) for event in events) > 0


def test_half_a_character_is_a_question_mark_and_a_whole_one_stays() -> None:
    cut = loads(b'{"question": "Will it? \\ud83d", "tags": ["\\uD83D\\uDE00", 1.5]}')
    assert cut == {"question": "Will it? ?", "tags": ["\U0001f600", Decimal("1.5")]}
    assert loads('"\\\\ud83d"') == "\\ud83d"

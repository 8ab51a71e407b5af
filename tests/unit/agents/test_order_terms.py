from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import InvalidInput
from agents.model import Decision, TimeInForce
from agents.money import ONE, micro
from agents.order_terms import check_terms, on_grid, placeable, stated_expiration
from agents.risk import spend
from tests.unit.agents.worlds import decision, market

WALL = 1_795_000_000.0


@pytest.mark.parametrize(
    ("changes", "kind", "rests"),
    [
        ({}, TimeInForce.FAK, False),
        ({"quote": True}, TimeInForce.GTC, True),
        ({"quote": True, "expires": 9}, TimeInForce.GTD, True),
        ({"expires": 9}, TimeInForce.GTD, True),
        ({"time_in_force": TimeInForce.GTC}, TimeInForce.GTC, True),
        ({"time_in_force": TimeInForce.FOK}, TimeInForce.FOK, False),
    ],
)
def test_what_a_decision_asks_for(changes: dict[str, Any], kind: TimeInForce, rests: bool) -> None:
    wanted = decision(market(1), **changes)
    assert (wanted.order_type, wanted.rests) == (kind, rests)
    check_terms(wanted, now=8)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"quote": True, "time_in_force": TimeInForce.FAK},
            "a quote rests, and a FAK order does not; give up one of the two",
        ),
        ({"time_in_force": TimeInForce.GTD}, "a GTD order needs a time at which it expires"),
        ({"expires": 10}, "it was good until 10, and the venue's clock is at 10"),
        ({"time_in_force": TimeInForce.GTC, "expires": 11}, "a GTC order does not expire; only GTD does"),
        ({"action": "sell", "max_spend": ONE}, "a sell has no cap of 1 pUSD; expected a buy and more than 0"),
        ({"max_spend": 0}, "a buy has no cap of 0 pUSD; expected a buy and more than 0"),
    ],
)
def test_what_cannot_be_had_together(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_terms(decision(market(1), **changes), now=10)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("action", "price", "tick", "expected"),
    [
        ("buy", "0.456", "0.01", "0.45"),
        ("sell", "0.456", "0.01", "0.46"),
        ("buy", "0.9999", "0.01", "0.99"),
        ("sell", "0.0001", "0.01", "0.01"),
        ("buy", "0.4567", "0.0025", "0.455"),
        ("sell", "0.4567", "0.005", "0.46"),
        ("buy", "0.45", "0.1", "0.4"),
    ],
)
def test_a_price_is_moved_to_the_safe_side(action: str, price: str, tick: str, expected: str) -> None:
    assert on_grid(decision(market(1), action, price=price), micro(tick)).price == micro(expected)


def test_a_cap_cuts_the_size_until_the_fee_fits_too() -> None:
    wanted = decision(market(1), price="0.5", size="1000", max_spend=25 * ONE)
    cut = placeable(wanted, 10_000)
    assert 24 * ONE < spend(cut) <= 25 * ONE
    assert placeable(decision(market(1), price="0.5", size="10", max_spend=25 * ONE), 10_000).size == 10 * ONE
    with pytest.raises(InvalidInput, match=r"it may spend 0\.9\d? pUSD on it, and the venue takes 1 or more"):
        placeable(decision(market(1), price="0.5", size="1000", max_spend=ONE), 10_000)


@given(
    ahead=st.integers(-1_000_000, 10**12),
    speed=st.floats(0.01, 10_000) | st.floats(0.95, 1.05),
    now=st.integers(0, 2 * 10**12),
)
def test_a_stated_end_is_one_that_the_venue_takes_and_not_before_its_time(ahead: int, speed: float, now: int) -> None:
    stated = stated_expiration(now + ahead, now, speed, WALL)
    alike = 0.9 < speed < 1.1
    left = ahead / 1000 if alike else ahead / 1000 / speed
    if stated:
        assert stated >= WALL + 180, "or the library and the venue refuse it"
        assert stated - 60 >= WALL + left, "the venue ends it a minute before: not too early then"
        assert stated - 60 <= WALL + (left if alike else 2 * left) + 1
    else:
        assert left + 60 < 185


@pytest.mark.parametrize("speed", [None, 0.0])
def test_while_the_clock_stands_no_end_is_stated(speed: float | None) -> None:
    assert stated_expiration(10**13, 0, speed, WALL) == 0


def test_what_is_placeable_goes_by_the_present_grid() -> None:
    wanted: Decision = decision(market(1, tick=1_000), price="0.123", size="107")
    placed = placeable(wanted, 10_000)
    assert (placed.price, placed.size, placed.market.tick) == (micro("0.12"), micro("107"), 10_000)

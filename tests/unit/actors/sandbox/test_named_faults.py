"""What each named fault does at the points where the venue asks, and how the names are read."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from actors.sandbox.faults import Faults, Mishap
from actors.sandbox.named_faults import KNOWN, NamedFaults, parse_faults
from agents.errors import InvalidInput
from agents.money import ONE
from tests.unit.actors.sandbox.stage import ALICE, BOB, NO, Stage, Wall, market

QUOTE = json.dumps({"order": {}, "postOnly": True}).encode()
TAKER = json.dumps({"order": {}, "postOnly": False}).encode()


class Injected:
    """Named faults on a clock that is driven by hand."""

    def __init__(self, **on: object) -> None:
        self.wall = Wall()
        self.faults = NamedFaults(7, self.wall)
        self.faults.switch({name.replace("_", "-"): value for name, value in on.items()})

    def ask(self, method: str, path: str, body: bytes = TAKER) -> tuple[int, Any, Mapping[str, str]] | None:
        trouble = self.faults.trouble(method, path, body)
        return None if trouble is None else (trouble.status, trouble.content, trouble.headers)


def test_a_restart_refuses_all_order_requests_then_all_but_quotes_then_nothing() -> None:
    venue = Injected(restart="10")
    venue.wall.pass_by(0.5)
    for method, path in (("POST", "/order"), ("POST", "/orders"), ("DELETE", "/order"), ("DELETE", "/cancel-all")):
        answer = venue.ask(method, path, QUOTE)
        assert answer is not None
        assert (answer[0], answer[2]["Retry-After"]) == (425, "10")
    assert venue.ask("GET", "/data/orders") is None
    venue.wall.pass_by(10)
    assert venue.ask("POST", "/order", QUOTE) is None
    assert venue.ask("DELETE", "/orders") is None
    assert venue.ask("POST", "/orders", b"[" + QUOTE + b"," + TAKER + b"]") == (
        503,
        {
            "error": "post-only mode: only post-only orders and cancels are allowed",
            "code": "post_only_mode",
            "retry_after_seconds": 40,
        },
        {"Retry-After": "40", "Content-Type": "application/json"},
    )
    venue.wall.pass_by(40)
    assert venue.ask("POST", "/order") is None


def test_a_window_comes_back_as_often_as_its_value_says() -> None:
    venue = Injected(cancel_only="2/10")
    seen = []
    for _ in range(20):
        seen.append(venue.ask("POST", "/order", QUOTE) is not None)
        assert venue.ask("DELETE", "/orders") is None
        venue.wall.pass_by(1)
    assert seen == ([True] * 2 + [False] * 8) * 2


@pytest.mark.parametrize(
    ("name", "method", "path", "status", "handled", "silent"),
    [
        ("unavailable", "GET", "/data/trades", 503, False, False),
        ("timeout-before", "POST", "/order", 500, False, False),
        ("timeout-after", "POST", "/order", 500, True, False),
        ("forbidden", "POST", "/v1/heartbeats", 403, False, False),
        ("hang", "GET", "/book", 504, False, True),
        ("hang-after", "DELETE", "/orders", 504, True, True),
    ],
)
def test_troubles_of_chance(name: str, method: str, path: str, status: int, handled: bool, silent: bool) -> None:
    venue = Injected(**{name: "1"})
    trouble = venue.faults.trouble(method, path, b"")
    assert trouble is not None
    assert (trouble.status, trouble.handled, trouble.silent) == (status, handled, silent)
    assert venue.faults.struck == {name: 1}
    if name in ("timeout-before", "timeout-after", "hang-after"):
        assert venue.faults.trouble("GET", "/data/orders", b"") is None


def test_chance_follows_from_the_seed_and_falls_as_often_as_its_value_says() -> None:
    def strikes(seed: int) -> list[bool]:
        faults = NamedFaults(seed, Wall())
        faults.switch({"timeout-after": "0.2"})
        return [faults.trouble("POST", "/order", b"") is not None for _ in range(1000)]

    assert strikes(1) == strikes(1) != strikes(2)
    assert 150 < sum(strikes(1)) < 250


def test_what_becomes_of_a_trade_is_the_same_when_asked_again() -> None:
    stage = Stage()
    stage.place(ALICE, "BUY", "0.40", "10")
    stage.place(BOB, "BUY", "0.60", "10", NO)
    (trade,) = stage.exchange.trades(ALICE)
    faults = Injected(failed="0.5", retrying="0.5").faults
    assert len({tuple(faults.settle(trade)) for _ in range(20)}) == 1
    assert Injected(failed="1").faults.settle(trade)[-1][1] == "FAILED"
    assert [status for _, status in Injected(retrying="1").faults.settle(trade)] == ["RETRYING", "MINED", "CONFIRMED"]
    assert Injected().faults.settle(trade) == Faults.settlement


def test_sockets_open_at_a_moment_are_frozen_and_later_ones_are_not() -> None:
    venue = Injected(silent_user="30", frozen_market="")
    opened = venue.wall()
    venue.wall.pass_by(1)
    assert venue.faults.frozen("user", opened)
    assert venue.faults.frozen("market", opened)
    later = venue.wall()
    assert not venue.faults.frozen("user", later)
    venue.wall.pass_by(30)
    assert venue.faults.frozen("user", later), "it comes again every 30 seconds"
    assert not venue.faults.frozen("market", later), "once"


def test_frames_are_late_doubled_or_lost() -> None:
    assert Injected().faults.deliveries("user", "trade") == (0.0,)
    assert Injected(repeated="1").faults.deliveries("user", "trade") == (0.0, 0.5)
    assert Injected(reordered="1").faults.deliveries("user", "order") == (0.5,)
    assert Injected(unannounced="1").faults.deliveries("market", "market_resolved") == ()
    assert Injected(unannounced="1").faults.deliveries("user", "trade") == (0.0,)


def test_mishaps_come_once_or_again_and_wait_for_a_market_with_orders() -> None:
    venue = Injected(close="", tick_change="10", revoked="")
    assert venue.faults.mishaps([]) == [Mishap("revoke")]
    assert venue.faults.mishaps([]) == []
    open_market = market()
    [closing] = venue.faults.mishaps([open_market])
    assert (closing.kind, closing.condition_id, sum(closing.payouts)) == ("close", open_market.condition_id, ONE)
    assert venue.faults.mishaps([open_market]) == [Mishap("tick", open_market.condition_id, tick=1_000)]
    assert venue.faults.mishaps([open_market]) == []
    venue.wall.pass_by(10)
    assert [mishap.kind for mishap in venue.faults.mishaps([open_market])] == ["tick"]


def test_a_market_is_closed_under_an_order_and_pays_half_and_keys_are_gone() -> None:
    stage = Stage()
    faults = NamedFaults(1, stage.wall)
    faults.switch({"close": "", "split": "1"})
    stage.exchange.faults = faults
    stage.exchange.run_due()
    record = stage.listing.record
    assert not record.closed, "no user has an order yet"
    order = stage.place(ALICE, "BUY", "0.40", "10")
    stage.exchange.run_due()
    assert stage.listing.record.payouts == (ONE // 2, ONE // 2)
    closed = stage.exchange.order(order.order_id)
    assert closed is not None
    assert (closed.state, closed.reason) == ("CANCELED", "market resolved")


@pytest.mark.parametrize("name", KNOWN)
def test_every_fault_can_be_switched_on_and_off_by_its_name_alone(name: str) -> None:
    faults = NamedFaults(1, Wall())
    faults.switch(parse_faults(name))
    assert list(faults.values) == [name]
    faults.switch({name: None})
    assert faults.values == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("restrat", "there is no fault 'restrat'; known are restart, "),
        ("restart=never", "fault restart has the value 'never'; expected SECONDS"),
        ("restart=5/2", "expected SECONDS, or SECONDS/EVERY"),
        ("failed=2", "a number above 0 and at most 1"),
        ("failed=0.1/5", "a number above 0"),
        ("close=-1", "nothing (once) or the seconds"),
        ("hang=nan", "a number above 0"),
        ("restart=inf", "SECONDS"),
    ],
)
def test_wrong_faults_are_refused_and_change_nothing(text: str, words: str) -> None:
    faults = NamedFaults(1, Wall())
    faults.switch({"hang": "0.5"})
    with pytest.raises(InvalidInput) as caught:
        faults.switch(parse_faults(f"hang=1,{text}"))
    assert words in str(caught.value)
    assert faults.values["hang"] == "0.5"

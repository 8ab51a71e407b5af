from collections.abc import Iterable
from typing import Any

import pytest

from supervisor.chaos import invariants
from supervisor.chaos.evidence import Change, Log, Venue, read_log
from supervisor.chaos.invariants import Finding, most_starting, recoveries


def event(seq: int, type: str, id: str | None = None, agent: str = "a", **data: Any) -> dict[str, Any]:
    return {"seq": seq, "id": id or f"x/1/{seq}", "type": type, "agentId": agent, "timestamp": seq * 100, "data": data}


def signed(seq: int, order: str, decision: str) -> dict[str, Any]:
    return event(seq, "order", status="signed", orderId=order, decisionId=decision)


def trade(seq: int, trade: str, order: str, size: str = "5") -> dict[str, Any]:
    return event(seq, "trade", tradeId=trade, orderId=order, size=size)


FINE = [
    event(1, "decision", "agent:a/1/1"),
    signed(2, "0x1", "agent:a/1/1"),
    event(3, "order", status="live", orderId="0x1", decisionId="agent:a/1/1"),
    trade(4, "t1", "0x1"),
    trade(5, "t2", "0x1"),
]


def venue(orders: Iterable[str] = ("0x1",), **sizes: int) -> Venue:
    found = Venue(sizes={(trade, "0x1"): size for trade, size in (sizes or {"t1": 5_000_000, "t2": 5_000_000}).items()})
    found.orders.update(orders)
    return found


def failed(findings: Iterable[Finding]) -> dict[str, str]:
    return {finding.name: finding.detail for finding in findings if not finding.ok}


def everything(log: Log, venue: Venue) -> dict[str, str]:
    return failed([*invariants.of_log(log), *invariants.of_orders(log, venue), *invariants.of_fills(log, venue)])


def test_a_log_that_agrees_with_the_venue_passes() -> None:
    assert everything(read_log(FINE), venue()) == {}


def test_a_gap_and_an_id_twice_are_found() -> None:
    log = read_log([event(1, "info", "x/1/1"), event(2, "info", "x/1/1"), event(4, "info")])
    assert failed(invariants.of_log(log)) == {"`seq` has no gap": "1: 4", "every event id is in the log once": "1: x/1/1"}


def test_a_set_paid_twice_or_never_begun_and_a_forecast_told_twice_are_found() -> None:
    told = {"conditionId": "0xm", "samplesId": "s1"}
    fine = [event(1, "forecast", kind="begun"), event(2, "forecast", kind="samples")]
    fine = [each | {"data": each["data"] | {"id": "s1"}, "id": f"f/1/{n}"} for n, each in enumerate(fine)]
    forecast = event(3, "forecast", "f/1/9", **told)
    assert failed(invariants.of_forecasts(read_log([*fine, forecast]))) == {}
    assert failed(invariants.of_forecasts(read_log([*fine, fine[1], forecast, forecast]))) == {
        "every set of samples was begun and paid for once": "1: s1",
        "no agent was told of a forecast twice": "1: ('a', '0xm', 's1')",
    }
    assert failed(invariants.of_forecasts(read_log(fine[1:]))) == {"every set of samples was begun and paid for once": "1: s1"}


def test_a_decision_with_two_orders_and_an_order_without_a_decision_are_found() -> None:
    log = read_log([*FINE, signed(6, "0x2", "agent:a/1/1"), signed(7, "0x3", "agent:a/1/9")])
    assert failed(invariants.of_log(log)) == {
        "no decision led to two orders": "1: agent:a/1/1",
        "every order follows from a decision in the log": "1: agent:a/1/9",
    }


@pytest.mark.parametrize("orders", [("0x1", "0x1"), ("0x1", "0x9")])
def test_an_order_that_the_venue_took_twice_or_that_nobody_signed_is_found(orders: tuple[str, ...]) -> None:
    assert len(everything(read_log(FINE), venue(orders))) == 1


def test_a_signed_order_that_never_reached_the_venue_is_fine() -> None:
    log = read_log([*FINE, event(6, "decision", "agent:a/1/2"), signed(7, "0x2", "agent:a/1/2")])
    assert everything(log, venue()) == {}


def test_a_missing_a_doubled_and_an_invented_fill_are_found() -> None:
    name = "every fill of the venue is in the log exactly once"
    assert everything(read_log(FINE), venue(t1=5_000_000, t2=5_000_000, t3=1)) == {name: "1: ('t3', '0x1')"}
    assert everything(read_log(FINE), venue(t1=5_000_000)) == {name: "1: ('t2', '0x1')"}
    assert everything(read_log([*FINE, trade(6, "t1", "0x1")]), venue()) == {name: "1: ('t1', '0x1')"}


def test_a_fill_that_failed_at_the_venue_may_be_missing() -> None:
    found = venue(t1=5_000_000, t2=5_000_000, t3=1)
    found.failed.add(("t3", "0x1"))
    assert everything(read_log(FINE), found) == {}


def test_a_fill_of_another_size_is_found() -> None:
    assert list(everything(read_log(FINE), venue(t1=5_000_000, t2=4_999_999))) == ["fills have the venue's sizes"]


def test_books_that_differ_and_a_check_that_was_not_made_are_found() -> None:
    wallet = {"ledgerCash": "1", "positions": [], "differences": []}
    assert failed(invariants.of_books({"ok": True, "wallets": [wallet]})) == {}
    assert failed(invariants.of_books({"ok": False, "wallets": [wallet | {"differences": [{"asset": "cash"}]}]}))
    assert failed(invariants.of_books({"ok": False, "wallets": []}))


def changes(*states: tuple[int, str, str, int]) -> list[Change]:
    return [Change(n, at, agent, state, life) for n, (at, agent, state, life) in enumerate(states, 1)]


def test_a_life_that_comes_again_is_found() -> None:
    log = Log(changes=changes((1, "a", "starting", 1), (2, "a", "running", 1), (3, "a", "starting", 1)))
    assert failed(invariants.of_lives(log, 2, ())) == {"an agent's incarnations strictly increase": "1: a 1 after 1 at seq 3"}
    log = Log(changes=changes((1, "a", "starting", 2), (2, "a", "running", 1)))
    assert len(failed(invariants.of_lives(log, 2, ()))) == 1


def test_one_more_may_start_at_once_than_configured_but_not_two() -> None:
    three = changes(*((n, f"agent-{n}", "starting", 1) for n in range(3)))
    assert failed(invariants.of_lives(Log(changes=three), 2, ())) == {}
    assert list(failed(invariants.of_lives(Log(changes=three), 1, ())).values()) == ["3 at seq 3, 1 configured"]


def test_an_agent_that_has_started_or_whose_node_died_starts_no_more() -> None:
    assert most_starting(changes((1, "a", "starting", 1), (2, "a", "running", 1), (3, "b", "starting", 1)), ()) == (1, 1)
    both = changes((1, "a", "starting", 1), (5, "b", "starting", 1))
    assert most_starting(both, ()) == (2, 2)
    assert most_starting(both, (3,)) == (1, 1)


def test_agents_and_services_that_do_not_run_are_found() -> None:
    agents = [
        {"id": "a", "state": "running", "spec": {"enabled": True}},
        {"id": "b", "state": "quarantined", "spec": {"enabled": True}},
        {"id": "c", "state": "stopped", "spec": {"enabled": False}},
    ]
    services = [{"name": "ledger", "state": "restarting", "restarts": 1}]
    assert failed(invariants.of_agents(agents, services)) == {
        "every agent that should run runs": "1: b is quarantined",
        "every service runs": "1: ledger is restarting",
    }


@pytest.mark.parametrize(("code", "left", "ended"), [(1, 0, ()), (0, 2, ()), (0, 0, ("it is gone",))])
def test_an_end_in_disorder_is_found(code: int, left: int, ended: tuple[str, ...]) -> None:
    assert failed(invariants.of_end(0, 0, ())) == {}
    assert len(failed(invariants.of_end(code, left, ended))) == 1


def test_a_recovery_is_timed_from_the_kill_to_the_next_change_and_to_running() -> None:
    log = changes(
        (50, "a", "running", 1),
        (110, "a", "backing_off", 1),
        (300, "a", "pending", 1),
        (400, "b", "running", 1),
        (500, "a", "starting", 2),
        (900, "a", "running", 2),
    )
    assert recoveries(log, [("a", 100)]) == ([10], [800])
    assert recoveries(log, [("b", 450)]) == ([], [])


def test_money_that_was_booked_to_nobody_after_the_first_balance_is_found() -> None:
    first, later = (event(n, "info", kind="deposit", wallet="main", message=f"message {n}") for n in (1, 2))
    assert failed(invariants.of_deposits(read_log([first]))) == {}
    assert list(failed(invariants.of_deposits(read_log([first, later]))).values()) == ["1: seq 2: message 2"]

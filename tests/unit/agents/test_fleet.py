import pickle
from dataclasses import replace
from typing import Any

from agents import facts
from agents.events import Event, Type
from agents.fleet import AgentRecord, FleetState, ServiceRecord, agent_data
from agents.forecasting.track import TrackRecord
from agents.model import Side
from agents.money import ONE, micro
from agents.sell_out import Left, SellOut, sell_out_data
from agents.spec import AgentSpec, AgentState, Desired
from tests.unit.agents.worlds import decision, event, market, spec

RECORD = AgentRecord(
    AgentSpec(id="a", strategy="momentum"),
    state=AgentState.BACKING_OFF,
    desired=Desired.RUNNING,
    reason="it crashed",
    incarnation=3,
    pid=77,
    restarts=2,
    restart_times=(10, 20),
    failures=2,
    started_at=5,
    last_error="boom",
)


def state_with(*records: AgentRecord) -> FleetState:
    state = FleetState()
    for record in records:
        state.apply(event(state.seq + 1, Type.AGENT, record.spec.id, agent_data(record, "created", with_spec=True)))
    return state


def trade(agent: str, profit: int = 0) -> dict[str, Any]:
    return facts.trade_data(
        trade_id="t",
        order_id="o",
        decision_id="d",
        wallet="main",
        market=market(),
        token_id="1-yes",
        side=Side.BUY,
        size=10 * ONE,
        price=500_000,
        fee=micro("0.125"),
        profit=profit,
        maker=False,
        tx_hash="0x",
        timestamp=0,
        venue_time=0,
    )


def test_an_agents_record_is_what_was_logged() -> None:
    assert state_with(RECORD).agents == {"a": RECORD}


def test_a_change_of_state_keeps_the_spec() -> None:
    state = state_with(RECORD)
    later = replace(RECORD, state=AgentState.RUNNING, reason="restarted", restarts=3, pid=78)
    state.apply(event(2, Type.AGENT, "a", agent_data(later, "state")))
    assert state.agents["a"] == later


def test_a_changed_spec_moves_the_budget() -> None:
    state = state_with(RECORD)
    changed = replace(RECORD, spec=spec(budget=250))
    state.apply(event(2, Type.AGENT, "a", agent_data(changed, "updated", with_spec=True)))
    assert state.agents["a"].spec.budget == 250
    assert state.portfolio.book("main", "a").cash == micro("250")


def test_a_late_word_on_a_deleted_agent_changes_nothing() -> None:
    state = state_with(RECORD)
    state.apply(event(2, Type.AGENT, "a", agent_data(RECORD, "deleted", with_spec=True)))
    state.apply(event(3, Type.AGENT, "a", agent_data(RECORD, "state")))
    assert (state.agents, state.seq) == ({}, 3)


def test_an_event_counts_once() -> None:
    state = state_with(RECORD)
    told = event(2, Type.TRADE, "a", trade("a"))
    state.apply(told)
    state.apply(told)
    assert state.agents["a"].total_trades == 1
    assert state.profit("a") == state.total_profit == micro("-0.125")


def test_decisions_are_counted_by_who_made_them() -> None:
    state = state_with(RECORD)
    data = facts.decision_data(decision(market()), id="d", timestamp=0, venue_time=0)
    state.apply(event(2, Type.DECISION, "a", data))
    state.apply(replace(event(3, Type.DECISION, "a", data), source="user"))
    assert state.agents["a"].total_decisions == 1


def test_a_kill_switch_is_thrown_and_lifted() -> None:
    state = FleetState()
    state.apply(event(1, Type.RISK, None, {"kind": "kill_switch", "on": True, "reason": "drill"}))
    assert state.halted == "drill"
    state.apply(event(2, Type.RISK, None, {"kind": "kill_switch", "on": False, "reason": "over"}))
    assert state.halted is None


def test_the_kill_switch_sells_out_from_when_it_was_told_to_until_it_is_lifted() -> None:
    def thrown(seq: int, **data: Any) -> Event:
        return event(seq, Type.RISK, None, {"kind": "kill_switch", "on": True, "reason": "drill"} | data)

    state = FleetState()
    state.apply(thrown(1))
    assert state.flattening == 0
    state.apply(thrown(2, flatten=True))
    state.apply(thrown(3, by="breaker"))
    state.apply(thrown(4, flatten=True))
    assert state.flattening == 2
    known = SellOut({"1-yes": micro("0.36")}, (Left("a", "1-yes", ONE, "Will it rain?", "Yes", "nobody bids for them"),))
    state.apply(event(5, Type.RISK, None, sell_out_data("main", 2, known)))
    assert state.sell_outs == {"main": known}
    state.apply(event(6, Type.RISK, None, {"kind": "kill_switch", "on": False, "reason": "over"}))
    assert (state.flattening, state.sell_outs) == (0, {})
    # What a wallet says of an earlier time that it sold out counts no more.
    state.apply(event(7, Type.RISK, None, sell_out_data("main", 2, known)))
    state.apply(thrown(8, flatten=True))
    state.apply(event(9, Type.RISK, None, sell_out_data("main", 2, known)))
    assert (state.flattening, state.sell_outs) == (8, {})


def test_an_agent_is_blocked_and_freed() -> None:
    state = state_with(RECORD)
    state.apply(event(2, Type.RISK, "a", {"blocked": "daily loss"}))
    assert state.agents["a"].blocked == "daily loss"
    state.apply(event(3, Type.RISK, "a", {"blocked": None}))
    assert state.agents["a"].blocked is None


def test_resolutions_services_and_addresses_are_kept() -> None:
    state = FleetState()
    ended = market(payouts=(0, ONE), closed=True)
    state.apply(event(1, Type.RESOLUTION, None, facts.resolution_data(ended, venue_time=0)))
    state.apply(event(2, Type.INFO, None, {"kind": "service", "name": "ledger", "state": "running", "restarts": 1, "pid": 5}))
    state.apply(event(3, Type.INFO, None, facts.deposit_data(wallet="main", address="0xw", cash=ONE, reason="")))
    assert state.resolutions == {"0x1": {"1-yes": "0", "1-no": "1"}}
    assert state.services == {"ledger": ServiceRecord("running", 1, 5)}
    assert (state.addresses, state.portfolio.cash("main")) == ({"main": "0xw"}, ONE)


def test_a_state_crosses_processes() -> None:
    state = state_with(RECORD)
    assert pickle.loads(pickle.dumps(state)) == state


def test_events_of_no_concern_only_move_the_seq() -> None:
    state = FleetState()
    state.apply(Event("x/1/1", Type.ERROR, "x", None, 1, 0, {"code": "y"}, seq=9))
    assert state == FleetState(seq=9)


def told(condition: str = "0x1", token: str = "1-yes") -> dict[str, Any]:
    names = {"strategy": "llm", "model": "m", "category": "tech", "event": "e", "conditionId": condition, "tokenId": token}
    chances = {"pooled": 0.6, "calibrated": 0.6, "blended": 0.6, "marketPrice": 0.5}
    return names | chances | {"venueTime": 0}


def test_forecasts_are_counted_and_scored_and_go_with_their_agent() -> None:
    state = state_with(RECORD)
    state.apply(event(2, Type.FORECAST, "a", told()))
    state.apply(event(3, Type.FORECAST, "a", told("0x2", "2-yes")))
    state.apply(event(4, Type.RESOLUTION, None, facts.resolution_data(market(payouts=(0, ONE), closed=True), venue_time=0)))
    assert state.agents["a"].total_forecasts == 2
    assert [entry.outcome for entry in state.record.of("a")] == [0.0]
    assert state.record.waiting == 1
    state.apply(event(5, Type.AGENT, "a", agent_data(RECORD, "deleted", with_spec=True)))
    state.apply(event(6, Type.FORECAST, "a", told("0x3", "3-yes")))
    assert state.record == TrackRecord()

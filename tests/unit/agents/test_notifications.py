"""What the seed's clients are told of each event; the texts are those of its code."""

from typing import Any

import pytest

from agents.events import Event, Type
from agents.fleet import AgentRecord, agent_data
from agents.notifications import notification, socket_event, socket_payload
from agents.spec import AgentSpec, AgentState

NOW = 1_764_000_000_000


def event(type: Type, data: dict[str, Any], agent: str | None = "default") -> Event:
    return Event("agent:default/1/1", type, "agent:default", agent, 1, NOW, data, 7)


def note(type: Type, data: dict[str, Any], agent: str | None = "default") -> dict[str, Any]:
    made = notification(event(type, data, agent))
    assert made is not None
    return made


TRADE = {
    "id": "t1/o1",
    "timestamp": NOW - 5,
    "token": "Will it rain?",
    "action": "buy",
    "side": "BUY",
    "amount": 1.5,
    "price": 0.25,
    "profitLoss": -0.5,
    "size": "6",
}


def test_a_trade() -> None:
    assert note(Type.TRADE, TRADE) == {
        "id": "agent:default/1/1",
        "type": "trade",
        "title": "Trade Executed: BUY Will it rain?",
        "message": "BUY 1.5000 Will it rain? @ $0.2500",
        "timestamp": NOW,
        "priority": "high",
        "agentId": "default",
        "data": {
            "tradeId": "t1/o1",
            "action": "BUY",
            "token": "Will it rain?",
            "amount": 1.5,
            "price": 0.25,
            "profitLoss": -0.5,
        },
    }


def test_the_typed_event_carries_all_of_the_data() -> None:
    traded = event(Type.TRADE, TRADE)
    assert (socket_event(traded), socket_payload(traded)) == ("trade", TRADE | {"agentId": "default"})
    decided = event(Type.DECISION, {"action": "buy"})
    assert socket_event(decided) == "ai-decision"
    assert socket_payload(decided) == {"id": "agent:default/1/1", "timestamp": NOW, "agentId": "default", "action": "buy"}


@pytest.mark.parametrize(("action", "priority"), [("buy", "medium"), ("sell", "medium"), ("hold", "low")])
def test_a_decision(action: str, priority: str) -> None:
    data = {"market": "Will it rain?", "action": action, "side": action.upper(), "confidence": 0.854, "reasoning": "clouds"}
    made = note(Type.DECISION, data)
    assert (made["type"], made["priority"]) == ("ai-decision", priority)
    assert made["title"] == f"AI Decision: {action.upper()} Will it rain?"
    assert made["message"] == "clouds (85.4% confident)"
    assert made["data"] == {"token": "Will it rain?", "action": action.upper(), "confidence": 0.854, "reasoning": "clouds"}


@pytest.mark.parametrize(("percent", "priority"), [(5, "medium"), (5.01, "high")])
def test_an_opportunity(percent: float, priority: str) -> None:
    made = note(Type.OPPORTUNITY, {"source": "dex", "description": "cheap", "profitPercent": percent}, None)
    assert (made["title"], made["message"]) == ("New Opportunity: dex", f"cheap - {percent:.2f}% profit")
    assert (made["type"], made["priority"]) == ("opportunity", priority)


@pytest.mark.parametrize(("percent", "priority"), [(2, "medium"), (2.5, "high")])
def test_an_arbitrage_between_chains(percent: float, priority: str) -> None:
    data = {"tokenSymbol": "BNB", "sourceChain": "bsc", "targetChain": "eth", "profitPercent": percent, "netProfit": 12.345}
    made = note(Type.CROSSCHAIN, data, None)
    assert (made["title"], made["message"]) == ("Cross-Chain Arbitrage: BNB", f"bsc → eth: +{percent:.2f}% ($12.35)")
    assert (made["type"], made["priority"], made["data"]) == ("crosschain", priority, data)


@pytest.mark.parametrize(
    ("status", "title", "priority"), [("sent", "Telegram Message Sent", "low"), ("failed", "Telegram Message Failed", "high")]
)
def test_a_telegram_message(status: str, title: str, priority: str) -> None:
    made = note(Type.TELEGRAM, {"messageId": "m", "message": "hi", "status": status, "chatId": "c"}, None)
    assert (made["type"], made["title"], made["message"], made["priority"]) == ("telegram", title, "hi", priority)


def test_an_error() -> None:
    made = note(Type.ERROR, {"message": "it broke", "code": "E1"})
    assert (made["type"], made["message"], made["priority"], made["data"]) == ("error", "it broke", "high", {"code": "E1"})


def agent(state: AgentState, reason: str, id: str = "default") -> dict[str, Any]:
    record = AgentRecord(AgentSpec(id=id, strategy="momentum"), state=state, reason=reason, incarnation=2)
    return note(Type.AGENT, agent_data(record, "state"), id)


def test_the_seeds_agent_starts_and_stops_with_the_seeds_words() -> None:
    made = agent(AgentState.RUNNING, "started")
    assert (made["type"], made["title"]) == ("info", "Agent Started")
    assert made["message"] == "Polymarket trading agent is now running"
    made = agent(AgentState.STOPPED, "stopped by an operator")
    assert (made["title"], made["message"]) == ("Agent Stopped", "Polymarket trading agent has been stopped")
    assert agent(AgentState.RUNNING, "started", "b")["message"] == "Polymarket trading agent b is now running"


@pytest.mark.parametrize("state", AgentState)
def test_an_agent_that_crashed_or_is_quarantined_is_an_error(state: AgentState) -> None:
    made = agent(state, "it did")
    bad = state in (AgentState.BACKING_OFF, AgentState.QUARANTINED)
    assert (made["type"], made["priority"]) == (("error", "high") if bad else ("info", "low"))
    assert made["data"]["state"] == state
    assert made["message"].endswith(": it did") == (state not in (AgentState.RUNNING, AgentState.STOPPED))


def test_risk_resolution_and_info_are_info() -> None:
    for type, data, title, message in (
        (Type.RISK, {"kind": "kill_switch", "on": True, "reason": "storm"}, "Kill Switch On", "All trading is stopped: storm"),
        (Type.RISK, {"kind": "kill_switch", "on": False, "reason": "x"}, "Kill Switch Off", "Trading is allowed again"),
        (Type.RISK, {"blocked": "daily loss"}, "Risk: default", "Blocked: daily loss"),
        (Type.RISK, {"blocked": None}, "Risk: default", "No longer blocked"),
        (Type.RESOLUTION, {"marketQuestion": "Rain?", "outcome": "Yes", "payouts": {}}, "Market Resolved", "Rain?: Yes"),
        (Type.RESOLUTION, {"marketQuestion": "Rain?", "outcome": "Yes", "redeemed": []}, "Position Redeemed", "Rain?: Yes"),
        (Type.INFO, {"kind": "service", "name": "ledger", "state": "running"}, "Service", "ledger is running"),
        (Type.INFO, {"message": "hello"}, "Info", "hello"),
    ):
        made = note(type, data)
        assert (made["type"], made["title"], made["message"]) == ("info", title, message)


def test_orders_and_forecasts_are_events_and_no_notifications() -> None:
    for type in (Type.ORDER, Type.FORECAST):
        assert notification(event(type, {"status": "live"})) is None
        assert socket_event(event(type, {})) == str(type)


@pytest.mark.parametrize("type", Type)
def test_an_event_without_any_data_breaks_nothing(type: Type) -> None:
    made = notification(event(type, {}, None))
    assert made is None or made.keys() == {"id", "type", "title", "message", "timestamp", "priority", "agentId", "data"}

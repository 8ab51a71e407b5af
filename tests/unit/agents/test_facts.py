from typing import Any

import pytest

from agents import facts
from agents.events import Event, Type, parse_event
from agents.model import Side
from agents.money import ONE, micro
from agents.orders import OrderStatus
from tests.unit.agents.worlds import decision, market

#: What the seed's document and code call the fields.
DECISION = "id timestamp market marketId marketQuestion outcome action side confidence reasoning suggestedAmount"
TRADE = (
    "id timestamp type token market marketId marketQuestion outcome action side amount price profit profitLoss status txHash"
    " transactionHash"
)


def trade(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "trade_id": "t",
        "order_id": "o",
        "decision_id": "d",
        "wallet": "main",
        "market": market(),
        "token_id": "1-no",
        "side": Side.SELL,
        "size": 10 * ONE,
        "price": micro("0.25"),
        "fee": micro("0.09375"),
        "profit": micro("-0.5"),
        "maker": False,
        "tx_hash": "0xabc",
        "timestamp": 5,
        "venue_time": 6,
    }
    return facts.trade_data(**fields | changes)


def test_an_event_survives_json() -> None:
    told = Event("agent:a/2/7", Type.DECISION, "agent:a", "a", 2, 1000, {"x": "y"}).numbered(12)
    assert parse_event(told.json()) == told
    assert told.json()["agentId"] == "a"


def test_a_decision_has_every_name_of_the_seed() -> None:
    data = facts.decision_data(decision(market(), price="0.45"), id="x", timestamp=1, venue_time=2)
    assert set(DECISION.split()) <= set(data)
    assert (data["action"], data["side"], data["suggestedAmount"], data["size"]) == ("buy", "BUY", 4.5, "10")


def test_a_decision_can_be_logged_as_a_hold() -> None:
    data = facts.decision_data(decision(market()), id="x", timestamp=1, venue_time=2, action="hold")
    assert (data["action"], data["side"]) == ("hold", "HOLD")


def test_a_trade_has_every_name_of_the_seed_and_exact_amounts_beside() -> None:
    data = trade()
    assert set(TRADE.split()) <= set(data)
    assert (data["type"], data["token"], data["outcome"]) == ("polymarket", "Question 1?", "No")
    assert (data["amount"], data["price"], data["profitLoss"]) == (2.5, 0.25, -0.5)
    assert (data["size"], data["exactPrice"], data["cost"], data["fee"]) == ("10", "0.25", "2.5", "0.09375")
    assert data["id"] == "t/o"


def test_a_trade_with_several_makers_says_what_it_really_cost() -> None:
    assert trade(cost=micro("2.500001"))["cost"] == "2.500001"


def test_an_orders_settlement_is_told_only_where_there_is_one() -> None:
    fields: dict[str, Any] = {
        "order_id": "o",
        "decision_id": "d",
        "wallet": "main",
        "market": market(),
        "token_id": "1-yes",
        "side": Side.BUY,
        "price": 500_000,
        "size": ONE,
        "filled": 0,
        "status": OrderStatus.LIVE,
        "order_type": "GTC",
        "post_only": True,
        "venue_time": 1,
    }
    assert "tradeStatus" not in facts.order_data(**fields)
    settled = facts.order_data(**fields, trade_id="t", trade_status="failed")
    assert (settled["tradeId"], settled["tradeStatus"]) == ("t", "failed")


@pytest.mark.parametrize(("payouts", "outcome"), [((ONE, 0), "Yes"), ((0, ONE), "No"), ((ONE // 2, ONE // 2), "split")])
def test_a_resolution_names_its_outcome(payouts: tuple[int, int], outcome: str) -> None:
    data = facts.resolution_data(market(payouts=payouts), venue_time=3)
    assert data["outcome"] == outcome
    assert [micro(paid) for paid in data["payouts"].values()] == list(payouts)

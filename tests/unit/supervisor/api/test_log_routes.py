from typing import Any

import httpx

from agents.events import Event, Type
from agents.notifications import notification
from supervisor.api.context import FleetContext
from tests.unit.supervisor.api.stand import AgentStand, Stand

Api = httpx.AsyncClient


async def test_the_log_is_read_from_a_cursor_oldest_first(api: Api, stand: Stand) -> None:
    await AgentStand(stand.ledger).log(Type.DECISION, Type.TRADE, Type.INFO)
    await AgentStand(stand.ledger, "b").log(Type.DECISION, Type.TRADE)
    page = (await api.get("/api/events", params={"limit": 2})).json()
    assert [event["seq"] for event in page["events"]] == [1, 2]
    assert page["next"] == 2
    page = (await api.get("/api/events", params={"after": page["next"]})).json()
    assert ([event["seq"] for event in page["events"]], page["next"]) == ([3, 4, 5], 5)
    assert (await api.get("/api/events", params={"after": 5})).json() == {"events": [], "next": 5}
    assert (await api.get("/api/events", params={"after": 99})).json() == {"events": [], "next": 99}
    page = (await api.get("/api/events", params={"agent": "b", "type": "trade"})).json()
    assert ([event["seq"] for event in page["events"]], page["next"]) == ([5], 5)
    assert (await api.get("/api/events", params={"agent": "nobody", "after": 2})).json() == {"events": [], "next": 2}
    assert (await api.get("/api/events", params={"type": "gossip"})).status_code == 422
    assert (await api.get("/api/events", params={"after": -1})).status_code == 422


async def test_several_types_can_be_asked_for(api: Api, stand: Stand) -> None:
    await AgentStand(stand.ledger).log(Type.DECISION, Type.TRADE, Type.INFO)
    page = (await api.get("/api/events", params={"type": ["trade", "info"]})).json()
    assert [event["type"] for event in page["events"]] == ["trade", "info"]


async def test_half_a_character_of_a_title_is_a_question_mark(api: Api, stand: Stand) -> None:
    await AgentStand(stand.ledger).log(Type.DECISION, marketQuestion="Will it? \ud83d", outcome="Yes \U0001f600")
    [event] = (await api.get("/api/events")).json()["events"]
    assert (event["data"]["marketQuestion"], event["data"]["outcome"]) == ("Will it? ?", "Yes \U0001f600")


async def test_an_event_is_shown_whole(api: Api, stand: Stand) -> None:
    [event] = AgentStand(stand.ledger).events(Type.INFO)
    await stand.ledger.append([event])
    assert (await api.get("/api/events")).json()["events"] == [
        {
            "seq": 1,
            "id": "agent:default/1/1",
            "type": "info",
            "source": "agent:default",
            "agentId": "default",
            "incarnation": 1,
            "timestamp": event.timestamp,
            "data": {"message": "hello"},
        }
    ]


async def test_a_service_has_a_log_too(api: Api, stand: Stand) -> None:
    lines = [{"message": f"line {n}"} for n in range(3)]
    stand.logs["supervisor"] = lines
    answer = await api.get("/api/services/supervisor/logs", params={"limit": 2})
    assert answer.json() == {"logs": lines[1:], "note": None}
    refused = await api.get("/api/services/gossip/logs")
    assert (refused.status_code, refused.json()) == (404, {"error": "There is no service 'gossip', but supervisor"})


async def publish(api: Api, **body: Any) -> httpx.Response:
    return await api.post("/api/notifications", json=body)


async def events_of(stand: Stand) -> list[Event]:
    """Return what was logged but for who asked for it."""
    return [event for event in (await stand.ledger.poll(0)).events if event.type is not Type.AUDIT]


async def test_what_is_published_is_in_the_log_with_the_seeds_text(api: Api, stand: Stand) -> None:
    opportunity = {"source": "dex", "description": "BNB is cheap", "profitPercent": 6.5, "confidence": 0.9}
    answer = await publish(api, type="opportunity", data=opportunity)
    assert (answer.status_code, answer.json()) == (201, {"success": True, "id": "api:replica/1/1", "seq": 1})
    await publish(api, type="success", title="Trade Executed", message="Successfully bought 1.5 WBNB")
    first, second = await events_of(stand)
    assert (first.type, first.agent_id, first.data) == (Type.OPPORTUNITY, None, opportunity)
    shown = notification(first)
    assert shown
    assert (shown["title"], shown["priority"]) == ("New Opportunity: dex", "high")
    assert shown["message"] == "BNB is cheap - 6.50% profit"
    shown = notification(second)
    assert shown
    assert (shown["type"], shown["title"], shown["message"]) == ("success", "Trade Executed", "Successfully bought 1.5 WBNB")


async def test_every_type_of_the_seed_can_be_published(api: Api, stand: Stand) -> None:
    published: list[tuple[dict[str, Any], str, str]] = [
        (
            {"type": "trade", "data": {"token": "WBNB", "action": "buy", "amount": 1.5, "price": 2, "profitLoss": 0.25}},
            "Trade Executed: BUY WBNB",
            "BUY 1.5000 WBNB @ $2.0000",
        ),
        (
            {"type": "ai-decision", "data": {"market": "BTC?", "action": "hold", "confidence": 0.85, "reasoning": "flat"}},
            "AI Decision: HOLD BTC?",
            "flat (85.0% confident)",
        ),
        ({"type": "telegram", "data": {"message": "hi", "status": "failed"}}, "Telegram Message Failed", "hi"),
        (
            {
                "type": "crosschain",
                "data": {"tokenSymbol": "BNB", "sourceChain": "bsc", "targetChain": "eth", "profitPercent": 1, "netProfit": 3},
            },
            "Cross-Chain Arbitrage: BNB",
            "bsc → eth: +1.00% ($3.00)",
        ),
        ({"type": "error", "title": "Feed", "message": "gone"}, "Feed", "gone"),
        ({"type": "info", "title": "News", "message": "all is well"}, "News", "all is well"),
    ]
    for body, _, _ in published:
        assert (await publish(api, **body)).status_code == 201
    events = await events_of(stand)
    shown = [notification(event) or {} for event in events]
    assert [(note["type"], note["title"], note["message"]) for note in shown] == [
        (body["type"], title, message) for body, title, message in published
    ]


async def test_the_seeds_own_shapes_are_taken_and_become_the_union(api: Api, stand: Stand) -> None:
    await publish(
        api, type="trade", data={"tradeId": 7, "side": "SELL", "marketQuestion": "BTC?", "amount": 2, "profitLoss": -1}
    )
    await publish(api, type="ai-decision", data={"token": "BTC?", "action": "HOLD", "confidence": 0.5, "reasoning": "flat"})
    await publish(api, type="error", title="Feed", message="gone", data={"code": 503.0, "details": {"host": "a"}})
    trade, decision, error = (event.data for event in await events_of(stand))
    moment = trade.pop("timestamp")
    assert trade == {
        "id": "7",
        "type": "dex",
        "token": "BTC?",
        "market": "BTC?",
        "marketId": "",
        "marketQuestion": "BTC?",
        "outcome": "",
        "action": "sell",
        "side": "SELL",
        "amount": 2,
        "price": 0,
        "profit": -1,
        "profitLoss": -1,
        "status": "EXECUTED",
        "txHash": "",
        "transactionHash": "",
    }
    assert moment > 1_700_000_000_000
    assert decision["id"].startswith("api:")
    assert (decision["action"], decision["side"], decision["marketQuestion"]) == ("hold", "HOLD", "BTC?")
    assert (error["message"], error["code"], error["details"]) == ("gone", 503, {"host": "a"})


async def test_a_publication_reaches_no_book_and_no_count(api: Api, stand: Stand, context: FleetContext) -> None:
    await stand.supervisor.create({"id": "default", "strategy": "momentum", "enabled": False})
    await publish(api, type="trade", data={"token": "t", "action": "buy", "amount": 1})
    await publish(api, type="ai-decision", data={"market": "m", "action": "buy", "confidence": 1, "reasoning": "r"})
    await context.settle(await stand.ledger.head())
    record = context.state.agents["default"]
    assert (record.total_trades, record.total_decisions) == (0, 0)
    assert context.state.portfolio.pending == {}
    forgeries: tuple[dict[str, Any], ...] = (
        {"size": "5"},
        {"kind": "deposit"},
        {"redeemed": []},
        {"spec": {}},
        {"tradeStatus": "failed"},
    )
    for forged in forgeries:
        answer = await publish(api, type="trade", data={"token": "t", "action": "buy", "amount": 1} | forged)
        assert answer.status_code == 422


async def test_what_is_no_notification_is_refused(api: Api, stand: Stand) -> None:
    for body in (
        {"type": "gossip", "title": "x", "message": "y"},
        {"title": "x", "message": "y"},
        {"type": "opportunity", "data": {}},
        {"type": "info", "title": "x"},
        {"type": "trade", "data": {"token": "t", "action": "steal", "amount": 1}},
        {"type": "trade", "data": {"token": "t", "action": "buy", "amount": "1"}},
        {"type": "info", "title": "x", "message": "y" * 4001},
    ):
        answer = await publish(api, **body)
        assert answer.status_code == 422, body
        assert answer.json()["details"]
    assert await stand.ledger.head() == 0

import httpx

from agents.events import Type
from supervisor.api.context import FleetContext
from tests.unit.supervisor.api.stand import NOW, Stand, asking

Api = httpx.AsyncClient


async def ask(stand: Stand, context: FleetContext, key: str = "ask", **changes: str) -> None:
    await context.settle(await stand.supervisor.store(Type.ORDER, asking("a", key) | changes, "a"))


async def test_what_waits_is_listed_and_approved_once(api: Api, stand: Stand, context: FleetContext) -> None:
    assert (await api.get("/api/approvals")).json() == {"approvals": [], "total": 0}
    await ask(stand, context)
    listed = (await api.get("/api/approvals")).json()
    assert listed["total"] == 1
    [trade] = listed["approvals"]
    [order] = trade.pop("orders")
    event = next(iter(context.state.waiting.values()))
    assert trade == {"id": "ask", "agentId": "a", "wallet": "main", "askedAt": event.asked, "expiresAt": NOW + 900_000}
    assert order == {
        "orderId": "order-ask",
        "marketId": "1",
        "marketQuestion": "Will it rain on day 1?",
        "outcome": "Yes",
        "side": "BUY",
        "price": "0.5",
        "size": "20",
        "amount": "10",
        "quote": False,
        "reasoning": "clouds gather",
        "confidence": 0.85,
    }
    answer = await api.post("/api/approvals/ask/approve")
    orders = [{"orderId": "order-ask", "status": "live", "reason": ""}]
    assert answer.json() == {"success": True, "id": "ask", "approved": True, "orders": orders}
    assert (await api.get("/api/approvals")).json()["total"] == 0
    again = await api.post("/api/approvals/ask/approve")
    assert (again.status_code, again.json()) == (
        404,
        {"error": "Nothing waits under 'ask'; GET /api/approvals lists what does"},
    )
    approval = (await stand.ledger.order("order-ask") or {})["approval"]
    assert (approval["by"], approval["approved"]) == ("anyone", True)
    audits = (await stand.ledger.poll(0, types=[Type.AUDIT])).events
    assert [(event.data["by"], event.data["path"]) for event in audits] == [("anyone", "/api/approvals/ask/approve")]


async def test_what_is_rejected_says_by_whom(api: Api, stand: Stand, context: FleetContext) -> None:
    await ask(stand, context)
    answer = await api.post("/api/approvals/ask/reject")
    assert answer.json()["orders"] == [{"orderId": "order-ask", "status": "rejected", "reason": "anyone rejected it"}]


async def test_the_legs_of_a_trade_are_one_approval(api: Api, stand: Stand, context: FleetContext) -> None:
    await ask(stand, context)
    await ask(stand, context, orderId="second", size="10")
    await ask(stand, context, key="other")
    found = (await api.get("/api/approvals")).json()["approvals"]
    assert [(trade["id"], [order["amount"] for order in trade["orders"]]) for trade in found] == [
        ("ask", ["10", "5"]),
        ("other", ["10"]),
    ]

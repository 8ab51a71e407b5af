from dataclasses import replace

import httpx
import pytest

from agents import facts
from agents.events import Type
from agents.model import MarketView, Side
from agents.money import ONE
from agents.orders import OrderStatus
from supervisor.api.context import FleetContext
from tests.unit.agents.worlds import market, seen
from tests.unit.supervisor.api.stand import AgentStand, Stand

Api = httpx.AsyncClient


@pytest.fixture
async def resting(api: Api, stand: Stand, context: FleetContext) -> dict[str, tuple[str, str]]:
    """Let two agents have orders on two markets, and the log know of one that has ended."""
    views: list[MarketView] = [seen(market(1)), seen(market(2))]
    stand.feed.views = views
    for agent_id in "ab":
        await stand.supervisor.create({"id": agent_id, "strategy": "momentum", "budget": 10, "enabled": False})
    stand.brokers["main"].resting = {"o1": ("a", "0x1"), "o2": ("a", "0x2"), "o3": ("b", "0x1"), "o4": ("b", "0x2")}
    trader = AgentStand(stand.ledger, "a")
    for order_id, status in (("o1", OrderStatus.LIVE), ("o9", OrderStatus.CONFIRMED)):
        [event] = trader.events(Type.ORDER)
        data = facts.order_data(
            order_id=order_id,
            decision_id=f"d-{order_id}",
            wallet="main",
            market=market(1),
            token_id="1-yes",
            side=Side.BUY,
            price=ONE // 2,
            size=5 * ONE,
            filled=0,
            status=status,
            order_type="GTC",
            post_only=True,
            venue_time=0,
        )
        [seq] = await stand.ledger.append([replace(event, data=data)])
    await context.settle(seq)
    return stand.brokers["main"].resting


async def test_one_order_is_cancelled(api: Api, resting: dict[str, tuple[str, str]]) -> None:
    assert (await api.post("/api/orders/o1/cancel")).json() == {"success": True, "cancelled": 1}
    assert set(resting) == {"o2", "o3", "o4"}
    ended = await api.post("/api/orders/o9/cancel")
    assert (ended.status_code, ended.json()["error"]) == (
        409,
        "Order o9 is confirmed; only an order that rests can be cancelled",
    )
    strange = await api.post("/api/orders/o7/cancel")
    assert (strange.status_code, strange.json()["error"].startswith("There is no order 'o7'")) == (404, True)


@pytest.mark.parametrize(
    ("path", "body", "left"),
    [
        ("/api/agents/a/cancel", None, {"o3", "o4"}),
        ("/api/orders/cancel", {"agent": "b"}, {"o1", "o2"}),
        ("/api/orders/cancel", {"market": "question-1"}, {"o2", "o4"}),
        ("/api/orders/cancel", {"market": "2-no", "agent": "a"}, {"o1", "o3", "o4"}),
        ("/api/orders/cancel", {}, set()),
    ],
)
async def test_those_that_are_named_are_cancelled(
    api: Api, resting: dict[str, tuple[str, str]], path: str, body: dict[str, str] | None, left: set[str]
) -> None:
    answer = await api.post(path, json=body) if body is not None else await api.post(path)
    assert (answer.status_code, answer.json()) == (200, {"success": True, "cancelled": 4 - len(left)})
    assert set(resting) == left


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/agents/nobody/cancel", {}, 404),
        ("/api/orders/cancel", {"agent": "nobody"}, 404),
        ("/api/orders/cancel", {"market": "nowhere"}, 404),
        ("/api/orders/cancel", {"markte": "0x1"}, 422),
    ],
)
async def test_what_is_not_there_cancels_nothing(
    api: Api, resting: dict[str, tuple[str, str]], path: str, body: dict[str, str], status: int
) -> None:
    assert (await api.post(path, json=body)).status_code == status
    assert len(resting) == 4

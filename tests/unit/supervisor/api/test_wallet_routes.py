"""Books that differ from the venue, as clients see them: who is blocked, what is not ready, and how it is put right."""

import httpx
import pytest

from agents.events import Type
from agents.facts import deposit_data, reconciliation_data
from agents.money import ONE
from supervisor.api.context import FleetContext
from tests.unit.supervisor.api.stand import Stand

Api = httpx.AsyncClient

SENTENCE = "wallet main places no orders: its books differ from the venue by 5 pUSD"


@pytest.fixture
async def differing(api: Api, stand: Stand, context: FleetContext) -> None:
    """Let wallet "main" hold 5 pUSD more than its books."""
    await stand.supervisor.store(Type.INFO, deposit_data(wallet="main", address="0xw", cash=1000 * ONE, reason="found"))
    await stand.supervisor.create({"id": "default", "strategy": "momentum", "budget": 100, "enabled": False})
    await _tell(stand, context, [{"asset": "cash", "venue": "1005", "ledger": "1000"}], SENTENCE)


async def _tell(stand: Stand, context: FleetContext, differences: list[dict[str, str]], message: str) -> None:
    data = reconciliation_data(wallet="main", address="0xw", differences=differences, message=message)
    await stand.supervisor.store(Type.RISK, data)
    await context.settle(await stand.ledger.head())


@pytest.mark.usefixtures("differing")
async def test_a_difference_blocks_the_wallets_agents_and_is_not_ready(api: Api, stand: Stand, context: FleetContext) -> None:
    assert (await api.get("/api/agents/default")).json()["blocked"] == SENTENCE
    answer = await api.get("/ready")
    assert (answer.status_code, answer.json()["wallets"], answer.json()["error"]) == (503, False, SENTENCE)
    await _tell(stand, context, [], "the books of wallet main agree with the venue again")
    assert (await api.get("/api/agents/default")).json()["blocked"] is None
    assert (await api.get("/ready")).status_code == 200


@pytest.mark.usefixtures("differing")
async def test_a_difference_is_booked_as_an_operator_says(api: Api, stand: Stand) -> None:
    body = {"reason": "found on the street", "cash": "5", "shares": {"101": "-0.000001"}, "agentId": "default"}
    answer = await api.post("/api/wallets/main/adjust", json=body)
    assert (answer.status_code, answer.json()) == (
        200,
        {"success": True, "wallet": "main", "cash": "5", "shares": {"101": "-0.000001"}},
    )
    assert stand.brokers["main"].adjusted == [(5 * ONE, {"101": -1}, "found on the street", "default")]


@pytest.mark.usefixtures("differing")
@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("main", {"cash": "5"}, 422),
        ("main", {"reason": "x", "cash": "5.0000001"}, 422),
        ("main", {"reason": "x", "cash": "much"}, 422),
        ("main", {"reason": "x", "cash": 5}, 422),
        ("main", {"reason": "x", "shares": {"101": "nan"}}, 422),
        ("main", {"reason": "x", "extra": 1}, 422),
        ("other", {"reason": "x", "cash": "5"}, 404),
    ],
)
async def test_a_wrong_adjustment_is_refused(api: Api, stand: Stand, path: str, body: dict[str, object], status: int) -> None:
    answer = await api.post(f"/api/wallets/{path}/adjust", json=body)
    assert (answer.status_code, "error" in answer.json()) == (status, True)
    assert stand.brokers["main"].adjusted == []

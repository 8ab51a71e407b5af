import re
from typing import Any

import httpx
import pytest

Api = httpx.AsyncClient

#: Design section 3, but for what comes with later parts.
ROUTES = """
POST /api/polymarket-agent/start
POST /api/polymarket-agent/stop
GET /api/polymarket-agent/status
GET /api/polymarket-agent/decisions
GET /api/polymarket-agent/trades
GET /api/settings
POST /api/settings
GET /health
GET /api/agents
POST /api/agents
GET /api/agents/{agent_id}
PATCH /api/agents/{agent_id}
DELETE /api/agents/{agent_id}
POST /api/agents/{agent_id}/start
POST /api/agents/{agent_id}/stop
POST /api/agents/{agent_id}/pause
POST /api/agents/{agent_id}/resume
POST /api/agents/{agent_id}/restart
GET /api/agents/{agent_id}/decisions
GET /api/agents/{agent_id}/trades
GET /api/agents/{agent_id}/orders
GET /api/agents/{agent_id}/logs
GET /api/agents/{agent_id}/positions
GET /api/agents/{agent_id}/forecasts
GET /api/agents/{agent_id}/events
GET /api/events
GET /api/fleet
POST /api/fleet/reload
POST /api/fleet/kill-switch
DELETE /api/fleet/kill-switch
GET /api/markets
GET /api/markets/{market_id}
GET /api/portfolio
GET /api/scores
GET /api/ledger/check
POST /api/notifications
GET /ready
GET /metrics
"""


@pytest.fixture
async def described(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get("/openapi.json")).json()
    return found


async def test_every_route_is_described_and_no_other(described: dict[str, Any]) -> None:
    found = {f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods}
    assert found == set(ROUTES.split("\n")) - {""}


async def test_every_answer_and_refusal_has_a_shape(described: dict[str, Any]) -> None:
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            responses = route["responses"]
            for code in ("4XX", "5XX"):
                shape = responses[code]["content"]["application/json"]["schema"]
                assert shape == {"$ref": "#/components/schemas/ErrorBody"}
            assert responses.get("422", responses["4XX"])["content"] == responses["4XX"]["content"]
            [success] = [code for code in responses if re.fullmatch("2..", code)]
            assert success == ("201" if (method, path) in {("post", "/api/agents"), ("post", "/api/notifications")} else "200")
            if path != "/metrics":
                assert responses[success]["content"]["application/json"]["schema"], (method, path)
            assert route["description"], (method, path)


async def test_an_agents_status_is_described_field_by_field(described: dict[str, Any]) -> None:
    status = described["components"]["schemas"]["AgentStatus"]
    assert set(status["required"]) == {
        "id", "strategy", "state", "reason", "blocked", "incarnation", "pid", "restarts", "startedAt", "uptime",
        "lastHeartbeat", "lastError", "totalDecisions", "totalTrades", "totalProfit", "spec",
    }  # fmt: skip
    assert set(described["components"]["schemas"]["AgentSpec-Input"]["required"]) == {"id", "strategy"}

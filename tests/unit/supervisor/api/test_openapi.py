import re
from typing import Any

import httpx
import pytest

from actors.ledger import LedgerService
from supervisor.api.access import Access, digest
from supervisor.api.asgi import rest_app
from tests.unit.supervisor.api.stand import Stand

Api = httpx.AsyncClient

#: Design section 3, but for what comes with later parts.
ROUTES = """
POST /api/polymarket-agent/start
POST /api/polymarket-agent/stop
GET /api/polymarket-agent/status
GET /api/polymarket-agent/decisions
GET /api/polymarket-agent/trades
GET /api/telegram/config
POST /api/telegram/config
GET /api/telegram/messages
POST /api/telegram/send
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
POST /api/agents/{agent_id}/kill
GET /api/agents/{agent_id}/decisions
GET /api/agents/{agent_id}/trades
GET /api/agents/{agent_id}/orders
GET /api/agents/{agent_id}/logs
GET /api/agents/{agent_id}/positions
GET /api/agents/{agent_id}/forecasts
GET /api/agents/{agent_id}/events
GET /api/events
GET /api/services/{name}/logs
GET /api/fleet
GET /api/approvals
POST /api/approvals/{approval_id}/approve
POST /api/approvals/{approval_id}/reject
POST /api/fleet/reload
POST /api/agents/{agent_id}/cancel
POST /api/orders/cancel
POST /api/orders/{order_id}/cancel
POST /api/fleet/kill-switch
DELETE /api/fleet/kill-switch
GET /api/risk
POST /api/risk/resume
GET /api/markets
GET /api/markets/{market_id}
GET /api/portfolio
GET /api/portfolio.csv
GET /api/portfolio/equity
GET /api/portfolio/trades.csv
GET /api/scores
GET /api/ledger/check
POST /api/wallets/{wallet}/adjust
GET /api/checks
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
            refusals = {"400", "403", "404", "422", "500", "503", "504"}
            refusals |= {"409", "413"} if method != "get" else set()
            refusals |= {"401", "429"} if path not in {"/ready", "/metrics"} else set()
            assert refusals <= responses.keys(), (method, path)
            for code in refusals - ({"503"} if path == "/ready" else set()):
                assert responses[code]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
            for response in responses.values():
                assert "X-Correlation-ID" in response["headers"]
            [success] = [code for code in responses if re.fullmatch("2..", code)]
            assert success == ("201" if (method, path) in {("post", "/api/agents"), ("post", "/api/notifications")} else "200")
            if path.endswith(".csv"):
                assert responses[success]["content"] == {"text/csv": {"schema": {"type": "string"}}}
            elif path != "/metrics":
                assert responses[success]["content"]["application/json"]["schema"], (method, path)
            assert route["description"], (method, path)


async def test_a_token_is_asked_for_only_where_one_is_set(ledger: LedgerService, described: dict[str, Any]) -> None:
    assert "securitySchemes" not in described["components"]
    app = rest_app(Stand(ledger).context(), Access(token_digest=digest("s3cret")))
    async with Api(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        guarded = (await client.get("/openapi.json")).json()
    assert guarded["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    open_to_all = {path for path, methods in guarded["paths"].items() if not any("security" in one for one in methods.values())}
    assert open_to_all == {"/health", "/ready", "/metrics"}
    assert "Needs the scope `control`" in guarded["paths"]["/api/agents/{agent_id}/start"]["post"]["description"]


async def test_an_agents_status_is_described_field_by_field(described: dict[str, Any]) -> None:
    status = described["components"]["schemas"]["AgentStatus"]
    assert set(status["required"]) == {
        "id", "strategy", "state", "reason", "blocked", "incarnation", "pid", "restarts", "startedAt", "uptime",
        "lastHeartbeat", "lastError", "totalDecisions", "totalTrades", "totalProfit", "spec",
    }  # fmt: skip
    assert set(described["components"]["schemas"]["AgentSpec-Input"]["required"]) == {"id", "strategy"}

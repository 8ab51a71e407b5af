from collections.abc import AsyncIterator

import httpx
import pytest

from actors.ledger import LedgerService
from supervisor.api.access import Access, Caller, digest
from supervisor.api.asgi import rest_app
from supervisor.api.context import FleetContext
from supervisor.api.scopes import OPEN_PATHS, Scope, required
from tests.unit.supervisor.api.stand import Stand, lifespan

Api = httpx.AsyncClient

#: What may be done without a change of what the fleet consists of. Everything else that changes something is admin's.
CONTROL = {
    "POST /api/polymarket-agent/start",
    "POST /api/polymarket-agent/stop",
    "POST /api/agents/{agent_id}/start",
    "POST /api/agents/{agent_id}/stop",
    "POST /api/agents/{agent_id}/pause",
    "POST /api/agents/{agent_id}/resume",
    "POST /api/agents/{agent_id}/restart",
    "POST /api/agents/{agent_id}/kill",
    "POST /api/fleet/kill-switch",
    "DELETE /api/fleet/kill-switch",
    "POST /api/notifications",
    "POST /api/telegram/send",
}

TOKENS = Access(
    token_digest=digest("all"),
    tokens=tuple((Caller(f"{scope}er", scope), digest(str(scope))) for scope in Scope),
)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def guarded(ledger: LedgerService) -> AsyncIterator[Api]:
    context: FleetContext = Stand(ledger, {"POLYFLEET_RATE_LIMIT_CONTROL": "off"}).context()
    app = rest_app(context, TOKENS)
    async with lifespan(app), Api(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        await context.follower.reached(0, 5.0)
        yield client


async def test_every_route_needs_the_scope_of_its_kind_and_refuses_those_below(guarded: Api) -> None:
    await guarded.post("/api/agents", json={"id": "default", "strategy": "momentum", "enabled": False}, headers=bearer("all"))
    paths = (await guarded.get("/openapi.json")).json()["paths"]
    routes = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    assert len(routes) > 30
    for method, path in routes:
        expected = Scope.READ if method == "GET" else Scope.CONTROL if f"{method} {path}" in CONTROL else Scope.ADMIN
        called = path.replace("{agent_id}", "nobody").replace("{market_id}", "1")
        assert required(method, called) == (None if path in OPEN_PATHS else expected), (method, path)
        if path in OPEN_PATHS:
            continue
        assert (await guarded.request(method, called)).status_code == 401
        for scope in Scope:
            answer = await guarded.request(method, called, headers=bearer(str(scope)))
            assert (answer.status_code == 403) == (scope < expected), (method, path, scope)
            if scope < expected:
                sentence = f"The token '{scope}er' has the scope {scope}; {method} {called} needs {expected}"
                assert answer.json() == {"error": sentence}


def test_what_is_not_known_needs_the_most() -> None:
    assert required("POST", "/api/agents/a/explode") is Scope.ADMIN
    assert required("PUT", "/api/agents/a/start") is Scope.ADMIN
    assert required("POST", "/api/agents/a/b/start") is Scope.ADMIN
    assert required("DELETE", "/api/nothing") is Scope.ADMIN
    assert required("HEAD", "/api/fleet") is Scope.READ


async def test_control_of_the_default_agent_cannot_change_its_limits_or_create_it(guarded: Api) -> None:
    start, admin = "/api/polymarket-agent/start", bearer("all")
    assert (await guarded.post(start, headers=bearer("control"))).status_code == 403
    assert (await guarded.post(start, headers=admin)).status_code == 200
    assert (await guarded.post("/api/polymarket-agent/stop", headers=bearer("control"))).status_code == 200
    answer = await guarded.post(start, headers=bearer("control"), json={"maxTradeAmount": 1_000_000})
    assert (answer.status_code, "admin" in answer.json()["error"]) == (403, True)
    assert (await guarded.post(start, headers=bearer("control"))).status_code == 200

"""Canaries: no value of a secret setting comes back in any answer, event or log line."""

import logging
import os
import re
from pathlib import Path

import httpx
import pytest

from actors.config import SystemConfig
from actors.ledger import LedgerService
from agents.events import Type
from supervisor.api.access import access_from
from supervisor.api.asgi import rest_app
from supervisor.api.rate_limits import limits_from
from supervisor.api.seed_routes import defaults_from
from supervisor.secrets import is_secret, leave_providers
from tests.unit.supervisor.api.stand import AgentStand, Stand, lifespan

EXAMPLE = Path(__file__).parents[4] / ".env.example"

NAMES = {name for name in re.findall(r"^#?([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE) if is_secret(name)} | {
    "POLYGON_WALLET_PRIVATE_KEY",
    "TELEGRAM_BOT_TOKEN",
    "ANTHROPIC_API_KEY",
    "NEWSAPI_API_KEY",
}

CANARY = "canary4711"
JSON = {"Content-Type": "application/json"}

VALUES = {name: f"{CANARY}-{name}" for name in NAMES} | {
    "DATABASE_URL": f"postgresql://fleet:{CANARY}@127.0.0.1:1/log",
    "POLYFLEET_API_TOKENS": f"monitor:read:{CANARY}-read,bot:control:{CANARY}-control",
}


async def test_no_answer_event_or_log_line_has_a_secret(
    ledger: LedgerService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert {"OPENAI_API_KEY", "TAVILY_API_KEY", "NEWS_API_KEY", "POLYFLEET_API_TOKEN", "POLYFLEET_API_TOKENS"} <= NAMES
    caplog.set_level(logging.DEBUG)
    for name, value in VALUES.items():
        monkeypatch.setenv(name, value)
    leave_providers(SystemConfig(str(tmp_path)), os.environ)
    limits_from(os.environ)
    defaults_from(os.environ)
    context = Stand(ledger, {"POLYFLEET_RATE_LIMIT_READ": "off", "POLYFLEET_RATE_LIMIT_CONTROL": "off"}).context()
    app = rest_app(context, access_from(os.environ))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    answers: list[httpx.Response] = []
    async with lifespan(app), httpx.AsyncClient(transport=transport, base_url="http://localhost") as api:
        await context.follower.reached(0, 5.0)
        tokens: tuple[dict[str, str], ...] = (
            {"Authorization": f"Bearer {VALUES['POLYFLEET_API_TOKEN']}"},
            {"Authorization": f"Bearer {CANARY}-read"},
            {},
        )
        admin = tokens[0]
        created = await api.post("/api/agents", json={"id": "default", "strategy": "momentum"}, headers=admin)
        assert created.status_code == 201
        await AgentStand(ledger).log(Type.DECISION, Type.ORDER, Type.TRADE, Type.FORECAST)
        paths = (await api.get("/openapi.json")).json()["paths"]
        routes = [path for path, methods in paths.items() if "get" in methods]
        for path in [*routes, "/", "/docs", "/openapi.json", "/api/nothing", "/api/events?limit=x"]:
            called = path.replace("{agent_id}", "default").replace("{market_id}", "1")
            answers += [await api.get(called, headers=headers) for headers in tokens]
        for headers in tokens:
            answers.append(await api.post("/api/fleet/reload", headers=headers))
            answers.append(await api.post("/api/agents", content=b"{", headers=headers | JSON))
        answers.append(await api.post("/api/agents/default/stop", headers=admin | {"Idempotency-Key": f"{CANARY}-key"}))
    assert {answer.status_code for answer in answers} >= {200, 307, 401, 403, 404, 422, 400}
    for answer in answers:
        said = answer.text + str(answer.headers)
        assert CANARY not in said, (answer.request.url, answer.status_code)
    events = (await ledger.poll(0)).events
    assert {event.type for event in events} >= {Type.AUDIT, Type.AGENT}
    assert CANARY not in str(events)
    assert CANARY not in caplog.text

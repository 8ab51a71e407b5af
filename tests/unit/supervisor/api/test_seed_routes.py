import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from agents.events import Type
from agents.spec import AgentState
from supervisor.api.context import FleetContext
from tests.unit.supervisor.api.stand import NOW, AgentStand, Stand

Api = httpx.AsyncClient


async def start(api: Api, **body: Any) -> httpx.Response:
    return await api.post("/api/polymarket-agent/start", json=body)


async def test_start_creates_the_default_agent_with_the_seeds_answer(api: Api) -> None:
    answer = await start(api, maxTradeAmount=50, minConfidence=0.75)
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "message": "Polymarket trading agent started successfully",
        "config": {"maxTradeAmount": 50, "minConfidence": 0.75},
    }
    [agent] = (await api.get("/api/agents")).json()["agents"]
    assert (agent["id"], agent["strategy"], agent["spec"]["maxTradeAmount"]) == ("default", "momentum", 50)


async def test_start_without_a_body_takes_the_defaults(api: Api) -> None:
    answer = await api.post("/api/polymarket-agent/start")
    assert answer.json()["config"] == {"maxTradeAmount": 100, "minConfidence": 0.7}


async def test_after_start_every_read_shows_it_running(api: Api) -> None:
    await start(api)
    status = (await api.get("/api/polymarket-agent/status")).json()
    assert status["isRunning"] is True


async def test_status_has_the_seeds_fields(api: Api, stand: Stand, context: FleetContext) -> None:
    await start(api)
    await stand.supervisor.settled()
    [*_, seq] = await AgentStand(stand.ledger).log(Type.DECISION, Type.DECISION, Type.TRADE)
    await context.settle(seq)
    assert (await api.get("/api/polymarket-agent/status")).json() == {
        "isRunning": True,
        "startedAt": NOW,
        "uptime": 0,
        "totalDecisions": 2,
        "totalTrades": 1,
        "totalProfit": -0.01,
        "config": {"maxTradeAmount": 100, "minConfidence": 0.7},
    }


async def test_what_is_running_has_a_time_since_when(api: Api, stand: Stand, context: FleetContext) -> None:
    await start(api)
    await stand.supervisor.settled()
    record = context.state.agents["default"]
    assert record.since
    for state in (AgentState.STARTING, AgentState.BACKING_OFF):
        context.state.agents["default"] = replace(record, state=state, started_at=None, since=NOW - 5000)
        status = (await api.get("/api/polymarket-agent/status")).json()
        assert (status["isRunning"], status["startedAt"], status["uptime"]) == (True, NOW - 5000, 5000)


async def test_status_of_no_agent(api: Api) -> None:
    assert (await api.get("/api/polymarket-agent/status")).json() == {
        "isRunning": False,
        "startedAt": None,
        "uptime": 0,
        "totalDecisions": 0,
        "totalTrades": 0,
        "totalProfit": 0,
        "config": {"maxTradeAmount": 100, "minConfidence": 0.7},
    }


async def test_a_second_start_is_refused_as_the_seed_does(api: Api) -> None:
    await start(api)
    answer = await start(api)
    assert (answer.status_code, answer.json()) == (400, {"error": "Polymarket agent is already running"})


async def test_an_agent_that_waits_for_its_turn_counts_as_started(api: Api, stand: Stand, context: FleetContext) -> None:
    stand.supervisor.hold(True)
    await context.settle(await stand.supervisor.create({"id": "default", "strategy": "momentum"}))
    answer = await start(api)
    assert (answer.status_code, answer.json()) == (400, {"error": "Polymarket agent is already running"})
    assert (await api.get("/api/polymarket-agent/status")).json()["isRunning"] is False
    assert (await api.post("/api/polymarket-agent/stop")).status_code == 200


async def test_stop_of_what_does_not_run_is_refused_as_the_seed_does(api: Api) -> None:
    answer = await api.post("/api/polymarket-agent/stop")
    assert (answer.status_code, answer.json()) == (400, {"error": "Polymarket agent is not running"})


async def test_stop_answers_when_the_agent_has_stopped(api: Api, stand: Stand, context: FleetContext) -> None:
    await start(api)
    await stand.supervisor.settled()
    stand.supervisor.hold(True)
    stopping = asyncio.create_task(api.post("/api/polymarket-agent/stop"))
    assert await context.until(lambda state: state.agents["default"].state == "stopping", 5.0)
    assert not stopping.done()
    stand.supervisor.hold(False)
    answer = await stopping
    assert (answer.status_code, answer.json()) == (
        200,
        {"success": True, "message": "Polymarket trading agent stopped successfully"},
    )
    assert (await api.get("/api/agents/default")).json()["state"] == "stopped"


async def test_a_stop_that_takes_too_long_is_not_called_a_success(
    api: Api, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.api.seed_routes.STOP_TIMEOUT", 0.0)
    await start(api)
    await stand.supervisor.settled()
    stand.supervisor.hold(True)
    answer = await api.post("/api/polymarket-agent/stop")
    assert answer.status_code == 503
    assert answer.json() == {"error": "The agent is still stopping; ask for its status in a moment"}


async def test_start_again_takes_the_settings_that_are_given_and_keeps_the_others(api: Api) -> None:
    await start(api, maxTradeAmount=50, minConfidence=0.75)
    await api.post("/api/polymarket-agent/stop")
    assert (await start(api, minConfidence=0.8)).json()["config"] == {"maxTradeAmount": 50, "minConfidence": 0.8}


async def test_start_refuses_what_is_no_number_in_bounds(api: Api) -> None:
    for body in ({"maxTradeAmount": "100"}, {"maxTradeAmount": -1}, {"maxTradeAmount": True}, {"minConfidence": 1.1}):
        answer = await api.post("/api/polymarket-agent/start", json=body)
        [field] = body
        assert answer.status_code == 422
        assert answer.json()["error"].startswith(f"{field}: ")
        assert answer.json()["details"][0]["field"] == field
    assert (await api.get("/api/agents")).json()["total"] == 0


async def test_decisions_and_trades_are_newest_first_with_their_totals(api: Api, stand: Stand, context: FleetContext) -> None:
    await start(api)
    agent = AgentStand(stand.ledger)
    for n in range(25):
        await agent.log(Type.DECISION, id=f"d{n}")
    [seq] = await agent.log(Type.TRADE)
    await AgentStand(stand.ledger, "other").log(Type.DECISION, Type.TRADE)
    await context.settle(seq)
    decisions = (await api.get("/api/polymarket-agent/decisions")).json()
    assert [found["id"] for found in decisions["decisions"]] == [f"d{n}" for n in range(24, 4, -1)]
    assert decisions["total"] == 25
    assert len((await api.get("/api/polymarket-agent/decisions?limit=3")).json()["decisions"]) == 3
    trades = (await api.get("/api/polymarket-agent/trades")).json()
    assert (trades["total"], trades["totalProfit"]) == (1, -0.01)
    assert trades["trades"][0]["transactionHash"] == "0xt"


async def test_a_limit_beyond_1_to_1000_is_refused(api: Api) -> None:
    await start(api)
    for path in ("polymarket-agent/decisions", "polymarket-agent/trades", "events", "markets", "agents/default/orders"):
        for limit in ("0", "1001", "-5", "x", "1.5", ""):
            answer = await api.get(f"/api/{path}", params={"limit": limit})
            assert answer.status_code == 422, (path, limit)
            assert answer.json()["details"][0]["field"] == "limit"
        assert (await api.get(f"/api/{path}", params={"limit": "1000"})).status_code == 200


async def test_health(api: Api, context: FleetContext) -> None:
    expected = {"status": "ok", "timestamp": NOW, "botRunning": False, "polymarketAgentRunning": False}
    assert (await api.get("/health")).json() == expected
    await api.post("/api/agents", json={"id": "other", "strategy": "momentum"})
    assert await context.until(lambda state: state.agents["other"].state == "running", 5.0)
    assert (await api.get("/health")).json() == expected | {"botRunning": True}


async def test_settings_are_the_seeds_until_others_are_stored(api: Api) -> None:
    assert (await api.get("/api/settings")).json() == {
        "theme": "dark",
        "defaultRiskLevel": "MEDIUM",
        "autoTrading": False,
        "notifications": {"desktop": True, "sound": True},
        "trading": {"defaultSlippage": 0.5, "maxTradeAmount": 1.0, "stopLoss": 10, "takeProfit": 20},
        "display": {"currency": "USD", "decimals": 4, "chartType": "candlestick"},
    }
    answer = await api.post("/api/settings", json={"theme": "light", "x": [1, {"y": None}]})
    stored = {"theme": "light", "x": [1, {"y": None}], "updatedAt": NOW}
    assert answer.json() == {"success": True, "message": "Settings saved successfully", "settings": stored}
    assert (await api.get("/api/settings")).json() == stored


async def test_settings_that_are_no_json_object_are_refused(api: Api) -> None:
    bodies = (b"", b"[1]", b"3", b"{", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b"\xff", b"[" * 9000)
    for body in bodies:
        answer = await api.post("/api/settings", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), body
        assert answer.json()["error"]
    assert (await api.get("/api/settings")).json()["theme"] == "dark"

import asyncio
import re

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.events import Type
from agents.money import ONE
from agents.ports import Beat
from supervisor.api.context import FleetContext
from tests.unit.supervisor.api.stand import AgentStand, Stand

Api = httpx.AsyncClient


async def test_a_browser_is_sent_to_the_documentation(api: Api) -> None:
    answer = await api.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/dashboard/")
    assert (await api.get("/docs")).status_code == 200


async def test_the_documentation_asks_nobody_else(api: Api) -> None:
    answer = await api.get("/docs")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "//" not in re.sub(r"<!--.*?-->", "", answer.text).replace("</", "")
    assert 'fetch("openapi.json")' in answer.text


async def test_requests_are_counted_by_route_method_and_status(api: Api, context: FleetContext) -> None:
    await api.get("/api/agents/a")
    await api.get("/api/agents/b")
    await api.head("/health")
    await api.post("/api/agents/a/start")
    await api.request("BREW", "/api/" + "x" * 50)
    counts = {
        tuple(sample.labels[name] for name in ("route", "method", "status")): sample.value
        for family in text_string_to_metric_families((await api.get("/metrics")).text)
        for sample in family.samples
        if sample.name == "polyfleet_http_requests_total"
    }
    assert counts == {
        ("/api/agents/{agent_id}", "GET", "404"): 2.0,
        ("/health", "GET", "200"): 1.0,
        ("/api/agents/{agent_id}/start", "POST", "404"): 1.0,
        ("none", "other", "404"): 1.0,
    }
    text = (await api.get("/metrics")).text
    assert 'polyfleet_http_request_seconds_count{method="GET",replica="replica",route="/api/agents/{agent_id}"} 2.0' in text
    assert 'status="200"' in text


async def test_ready_says_what_is_missing(api: Api, stand: Stand) -> None:
    ready = {"ready": True, "wallets": True, "log": True, "agents": True, "seq": 0, "head": 0, "error": None}
    answer = await api.get("/ready")
    assert (answer.status_code, answer.json()) == (200, ready)
    stand.supervisor.readiness = {"wallets": True, "agents": False}
    answer = await api.get("/ready")
    assert (answer.status_code, answer.json()) == (503, ready | {"ready": False, "agents": False})
    stand.supervisor.gone = True
    answer = await api.get("/ready")
    assert answer.status_code == 503
    assert answer.json() == ready | {
        "ready": False,
        "wallets": False,
        "agents": False,
        "error": "supervisor is not running now",
    }


async def test_metrics_are_what_prometheus_reads(api: Api, stand: Stand, context: FleetContext) -> None:
    await stand.supervisor.create({"id": "default", "strategy": "momentum", "enabled": False, "budget": 100})
    [*_, seq] = await AgentStand(stand.ledger).log(Type.DECISION, Type.TRADE, Type.TRADE)
    await context.settle(seq)
    beat = Beat(pid=7, loop_lag=0.25, since_progress=1.5, rounds=9, memory=54.0, outbox=3)
    stand.supervisor.last_beats = {"default": (context.clock() - 2500, beat)}
    stand.queues = {
        "ledger": {"commits": 4},
        "broker:main": {"log": 2, "orders": 1, "updates": 0},
        "rest:1a": {"log": 5},
        "rest:2b": {"log": 9},
    }
    answer = await api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    assert f"polyfleet_log_seq {float(seq)}" in lines
    assert 'polyfleet_agents{state="stopped"} 1.0' in lines
    assert 'polyfleet_agents{state="running"} 0.0' in lines
    assert 'polyfleet_decisions_total{agent="default"} 1.0' in lines
    assert 'polyfleet_trades_total{agent="default"} 2.0' in lines
    assert "polyfleet_halted 0.0" in lines
    assert "polyfleet_log_lag 0.0" in lines
    assert 'polyfleet_heartbeat_age_seconds{agent="default"} 2.5' in lines
    assert 'polyfleet_loop_lag_seconds{agent="default"} 0.25' in lines
    assert 'polyfleet_round_seconds{agent="default"} 1.5' in lines
    assert 'polyfleet_private_memory_bytes{agent="default"} 5.4e+07' in lines
    assert 'polyfleet_failures{agent="default"} 0.0' in lines
    assert 'polyfleet_outbox{agent="default"} 3.0' in lines
    depths = [line.removeprefix("polyfleet_queue_depth") for line in lines if line.startswith("polyfleet_queue_depth")]
    assert depths == [
        '{queue="commits",service="ledger"} 4.0',
        '{queue="log",service="broker:main"} 2.0',
        '{queue="orders",service="broker:main"} 1.0',
        '{queue="updates",service="broker:main"} 0.0',
        '{queue="log",service="rest"} 9.0',
    ]
    cash = context.state.portfolio.cash("main") / ONE
    assert f'polyfleet_wallet_cash{{wallet="main"}} {cash}' in lines


async def test_figures_come_while_the_ledger_hangs(api: Api, context: FleetContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.api.probe_routes._PATIENCE", 0.0)
    monkeypatch.setattr(context.ledger, "head", asyncio.Event().wait)
    answer = await api.get("/metrics")
    assert "polyfleet_halted 0.0" in answer.text.splitlines()
    assert "polyfleet_log_lag" not in answer.text

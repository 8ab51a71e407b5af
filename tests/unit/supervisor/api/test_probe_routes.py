import httpx

from agents.events import Type
from agents.money import ONE
from supervisor.api.context import FleetContext
from tests.unit.supervisor.api.stand import AgentStand, Stand

Api = httpx.AsyncClient


async def test_a_browser_is_sent_to_the_documentation(api: Api) -> None:
    answer = await api.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
    assert (await api.get("/docs")).status_code == 200


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
    answer = await api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    assert f"polyfleet_log_seq {float(seq)}" in lines
    assert 'polyfleet_agents{state="stopped"} 1.0' in lines
    assert 'polyfleet_agents{state="running"} 0.0' in lines
    assert 'polyfleet_decisions_total{agent="default"} 1.0' in lines
    assert 'polyfleet_trades_total{agent="default"} 2.0' in lines
    assert "polyfleet_halted 0.0" in lines
    cash = context.state.portfolio.cash("main") / ONE
    assert f'polyfleet_wallet_cash{{wallet="main"}} {cash}' in lines

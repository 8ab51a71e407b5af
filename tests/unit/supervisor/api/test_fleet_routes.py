import asyncio
from dataclasses import replace

import httpx
import pytest

from agents.events import Type
from agents.facts import deposit_data, stuck_data
from agents.fleet import FleetState
from agents.money import ONE
from agents.sell_out import Left, SellOut, sell_out_data
from agents.spec import AgentState
from supervisor.api import agent_views
from supervisor.api.access import Access
from supervisor.api.asgi import rest_app
from supervisor.api.context import FleetContext
from tests.unit.supervisor.api.stand import NOW, VENUE, AgentStand, Stand, lifespan

Api = httpx.AsyncClient


async def trade(stand: Stand, context: FleetContext) -> None:
    """Create the default agent with 100 pUSD, of which it spends 2.51."""
    cash = deposit_data(wallet="main", address="0xw", cash=1000 * ONE, reason="found")
    await stand.supervisor.store(Type.INFO, cash)
    await stand.supervisor.create({"id": "default", "strategy": "momentum", "budget": 100, "enabled": False})
    [seq] = await AgentStand(stand.ledger).log(Type.TRADE)
    await context.settle(seq)


async def test_the_fleet_at_a_glance(api: Api, stand: Stand, context: FleetContext) -> None:
    await trade(stand, context)
    await stand.supervisor.store(Type.INFO, {"kind": "service", "name": "ledger", "state": "running", "restarts": 1, "pid": 7})
    await context.settle(await stand.ledger.head())
    assert (await api.get("/api/fleet")).json() == {
        "mode": "sandbox",
        "simulated": True,
        "seq": 4,
        "halted": None,
        "flatten": None,
        "agents": {"total": 1, "byState": {str(state): int(state is AgentState.STOPPED) for state in AgentState}},
        "totalDecisions": 0,
        "totalTrades": 1,
        "totalProfit": -0.01,
        "exposure": 2.5,
        "services": [
            {"name": "ledger", "state": "running", "restarts": 1},
            {"name": "supervisor", "state": "running", "restarts": 0},
        ],
        "venue": {
            "gammaUrl": "http://venue/gamma",
            "clobUrl": "http://venue/clob",
            "dataUrl": "http://venue/data",
            "relayerUrl": "http://venue/relayer",
            "rpcUrl": "http://venue/rpc",
            "marketWsUrl": "ws://venue/market",
            "userWsUrl": "ws://venue/user",
            "newsUrl": "http://venue/news",
            "openaiUrl": "http://venue/openai/v1",
        },
    }


async def test_a_supervisor_that_does_not_answer_is_restarting(api: Api, stand: Stand) -> None:
    stand.supervisor.gone = True
    assert (await api.get("/api/fleet")).json()["services"] == [{"name": "supervisor", "state": "restarting", "restarts": 0}]


async def test_the_portfolio_adds_up(api: Api, stand: Stand, context: FleetContext) -> None:
    await trade(stand, context)
    portfolio = (await api.get("/api/portfolio")).json()
    sums = {
        "cash": "997.49",
        "confirmedCash": "1000",
        "pendingCash": "-2.51",
        "cost": "2.5",
        "value": "2.4",
        "equity": "999.89",
        "realised": "-0.01",
        "unrealised": "-0.1",
        "redeemable": "0",
        "fees": "0.01",
        "unpriced": 0,
        "drawdown": None,
    }
    assert (portfolio["seq"], portfolio["total"]) == (3, sums)
    [wallet] = portfolio["wallets"]
    assert (wallet["wallet"], wallet["address"], wallet["equity"]) == ("main", "0xw", "999.89")
    assert [(book["agentId"], book["unallocated"], book["budget"], book["cash"]) for book in wallet["books"]] == [
        (None, True, "0", "900"),
        ("default", False, "100", "97.49"),
    ]
    assert [position["tokenId"] for position in wallet["books"][1]["positions"]] == ["101"]
    at_stake = {"cost": "2.5", "value": "2.4", "positions": 1}
    assert portfolio["exposure"] == {
        "byEvent": [{"eventId": "0xc1", "eventTitle": "Will it rain on day 1?"} | at_stake],
        "byCategory": [{"category": "weather"} | at_stake],
    }


async def test_a_position_without_a_price_counts_at_its_cost_and_is_said_so(
    api: Api, stand: Stand, context: FleetContext
) -> None:
    await trade(stand, context)
    stand.feed.gone = True
    portfolio = (await api.get("/api/portfolio")).json()
    assert (portfolio["total"]["value"], portfolio["total"]["unpriced"]) == ("2.5", 1)
    assert portfolio["wallets"][0]["books"][1]["positions"][0]["price"] is None


async def test_a_resolved_market_is_worth_what_it_paid(api: Api, stand: Stand, context: FleetContext) -> None:
    await trade(stand, context)
    await stand.supervisor.store(Type.RESOLUTION, {"conditionId": "0xc1", "payouts": {"101": "1", "102": "0"}})
    await context.settle(await stand.ledger.head())
    portfolio = (await api.get("/api/portfolio")).json()
    assert (portfolio["total"]["value"], portfolio["total"]["redeemable"]) == ("5", "5")
    assert portfolio["exposure"] == {"byEvent": [], "byCategory": []}
    unpaid = {"wallet": "main", "conditionId": "0xc1", "marketQuestion": "Will it rain on day 1?", "redeemable": "5"}
    assert portfolio["redemptions"] == [unpaid | {"reason": None, "attempts": 0, "since": None}]
    stuck = stuck_data(wallet="main", condition_id="0xc1", question="Will it rain?", attempts=4, reason="no gas")
    await context.settle(await stand.supervisor.store(Type.INFO, stuck))
    [told] = (await api.get("/api/portfolio")).json()["redemptions"]
    assert (told["reason"], told["attempts"], told["since"] > 0) == ("no gas", 4, True)
    stand.feed.gone = True
    assert (await api.get("/api/portfolio")).json()["total"]["value"] == "5"


async def test_markets_are_listed_and_found_by_any_of_their_names(api: Api) -> None:
    markets = (await api.get("/api/markets")).json()
    assert (markets["total"], [found["id"] for found in markets["markets"]]) == (2, ["1", "2"])
    assert (await api.get("/api/markets?closed=true")).json()["markets"][0]["outcomes"][0] == {
        "outcome": "Yes",
        "tokenId": "201",
        "bid": "0.48",
        "ask": "0.52",
        "price": "1",
        "payout": "1",
    }
    assert (await api.get("/api/markets?closed=false")).json()["total"] == 1
    assert len((await api.get("/api/markets?limit=1")).json()["markets"]) == 1
    for name in ("1", "rain-1", "0xc1", "101", "102"):
        found = (await api.get(f"/api/markets/{name}")).json()
        assert (found["conditionId"], found["endDate"]) == ("0xc1", NOW + 86_400_000)
        assert (found["feeRate"], found["tick"]) == ("0.05", "0.01")
        assert found["outcomes"][1]["bids"] == [{"price": "0.48", "size": "50"}]
        assert found["outcomes"][1]["asks"] == [{"price": "0.52", "size": "100"}]
        assert found["prices"] == [{"timestamp": NOW - 60_000, "price": "0.4"}]
    answer = await api.get("/api/markets/nowhere")
    assert (answer.status_code, answer.json()) == (404, {"error": "There is no market 'nowhere'; GET /api/markets lists them"})


def test_the_key_of_a_real_node_is_not_shown() -> None:
    real = replace(VENUE, rpc_url="https://me:secret@node.example:8545/v2/secret?key=secret", simulated=False)
    shown = agent_views.fleet(FleetState(), "live", real, supervised=True)["venue"]
    assert shown is not None
    assert shown["rpcUrl"] == "https://node.example:8545"


async def test_the_books_are_compared_with_the_venue(api: Api, stand: Stand, context: FleetContext) -> None:
    await trade(stand, context)
    wallet = await stand.brokers["main"].check()
    assert (await api.get("/api/ledger/check")).json() == {"ok": True, "wallets": [wallet]}
    stand.brokers["main"].differences.append({"tokenId": "101", "venue": "5", "ledger": "4"})
    answer = (await api.get("/api/ledger/check")).json()
    assert (answer["ok"], answer["wallets"][0]["differences"]) == (False, [{"tokenId": "101", "venue": "5", "ledger": "4"}])


async def test_what_must_be_right_for_trading_is_told(api: Api, stand: Stand, context: FleetContext) -> None:
    await trade(stand, context)
    [found] = stand.brokers["main"].findings
    assert (await api.get("/api/checks")).json() == {"ok": True, "findings": [{"wallet": "main"} | found]}
    stand.brokers["main"].findings = [found | {"ok": False, "remedy": "set it by NTP"}]
    answer = (await api.get("/api/checks")).json()
    assert (answer["ok"], answer["findings"][0]["remedy"]) == (False, "set it by NTP")


async def test_a_comparison_that_takes_too_long_is_given_up(
    api: Api, stand: Stand, context: FleetContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trade(stand, context)
    monkeypatch.setattr("supervisor.api.fleet_routes._CHECK_TIMEOUT", 0.01)
    monkeypatch.setattr(stand.brokers["main"], "check", asyncio.Event().wait)
    answer = await api.get("/api/ledger/check")
    assert answer.status_code == 503
    assert answer.json() == {"error": "The books could not be compared with the venue within 0.01 s"}


async def test_the_kill_switch_is_thrown_and_lifted(api: Api) -> None:
    answer = await api.post("/api/fleet/kill-switch", json={"reason": "storm", "flatten": False})
    assert (answer.status_code, answer.json()) == (200, {"success": True, "halted": "storm", "flatten": None})
    assert (await api.get("/api/fleet")).json()["halted"] == "storm"
    assert (await api.delete("/api/fleet/kill-switch")).json() == {"success": True, "halted": None, "flatten": None}
    for wrong in ({"flatten": False}, {"reason": "x", "flatten": "yes"}, {"reason": "x", "flatten": True, "now": True}):
        assert (await api.post("/api/fleet/kill-switch", json=wrong)).status_code == 422
    assert (await api.get("/api/fleet")).json()["halted"] is None


async def test_selling_out_tells_what_is_left_and_why(api: Api, stand: Stand, context: FleetContext) -> None:
    answer = await api.post("/api/fleet/kill-switch", json={"reason": "storm", "flatten": True})
    assert answer.json() == {"success": True, "halted": "storm", "flatten": []}
    left = (Left("a", "101", 5 * ONE, "Will it rain?", "Yes", "nobody bids for them"),)
    since = context.state.flattening
    await context.settle(await stand.supervisor.store(Type.RISK, sell_out_data("main", since, SellOut({}, left))))
    unsold = {
        "agentId": "a",
        "tokenId": "101",
        "size": "5",
        "marketQuestion": "Will it rain?",
        "outcome": "Yes",
        "reason": "nobody bids for them",
    }
    assert (await api.get("/api/fleet")).json()["flatten"] == [{"wallet": "main", "left": [unsold]}]
    # Thrown once more without it, it goes on.
    answer = await api.post("/api/fleet/kill-switch", json={"reason": "still", "flatten": False})
    assert answer.json()["flatten"] == [{"wallet": "main", "left": [unsold]}]
    assert (await api.delete("/api/fleet/kill-switch")).json()["flatten"] is None


async def test_the_fleet_file_is_read_again_or_refused_with_its_sentence(api: Api, stand: Stand) -> None:
    response = await api.post("/api/fleet/reload")
    assert (response.status_code, response.json()) == (200, {"success": True, "created": ["new"], "changed": []})
    stand.supervisor.broken_file = "fleet file f.yaml: agent 2 (b): budget: expected a number"
    response = await api.post("/api/fleet/reload")
    assert (response.status_code, response.json()["error"]) == (
        400,
        "fleet file f.yaml: agent 2 (b): budget: expected a number",
    )


async def test_control_is_seen_by_every_replica(stand: Stand) -> None:
    """What one replica has answered, each other one shows at once."""
    one, two = stand.context("one"), stand.context("two")
    apps = rest_app(one, Access()), rest_app(two, Access())
    async with lifespan(apps[0]), lifespan(apps[1]):
        await one.follower.reached(0, 5.0)
        await two.follower.reached(0, 5.0)
        clients = [Api(transport=httpx.ASGITransport(app), base_url="http://localhost") for app in apps]
        spec = {"id": "a", "strategy": "momentum", "enabled": False}
        for n in range(10):
            first, second = clients[n % 2], clients[1 - n % 2]
            assert (await first.post("/api/agents", json=spec)).status_code == 201
            assert (await second.get("/api/agents/a")).status_code == 200
            assert (await second.delete("/api/agents/a")).status_code == 200
            assert (await first.get("/api/agents/a")).status_code == 404


async def test_a_part_that_is_away_is_told_with_503(api: Api, stand: Stand) -> None:
    stand.supervisor.gone = True
    answer = await api.post("/api/agents", json={"id": "a", "strategy": "momentum"})
    assert (answer.status_code, answer.json()) == (503, {"error": "supervisor is not running now"})
    assert answer.headers["retry-after"] == "1"
    assert (await api.get("/api/agents")).status_code == 200


async def test_before_the_log_is_read_only_health_answers(context: FleetContext) -> None:
    app = rest_app(context, Access())
    async with Api(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        for path in ("/api/polymarket-agent/status", "/api/fleet", "/api/agents", "/metrics"):
            answer = await client.get(path)
            assert answer.status_code == 503, path
            assert answer.json() == {"error": "The log is still being read; try again in a moment"}
        assert (await client.get("/health")).json()["status"] == "ok"


async def test_an_error_of_ours_is_a_500_with_a_sentence(api: Api, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand.feed, "market", None)
    answer = await api.get("/api/markets/1")
    assert answer.status_code == 500
    assert answer.json() == {"error": "The request failed here (TypeError); the fleet's log says more"}

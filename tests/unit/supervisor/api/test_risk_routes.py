import httpx

from agents.events import Type
from agents.facts import deposit_data
from agents.limits.settings import RiskSettings
from agents.limits.state import Mark, Rule, Stop, limits_data, marks_data, stop_data
from agents.money import ONE, micro
from supervisor.api.context import FleetContext
from tests.unit.supervisor.api.stand import AgentStand, Stand

Api = httpx.AsyncClient

STOP = Stop(Rule.DRAWDOWN, "50", "51", "maxDrawdown: agent:default fell", 3, -ONE)


async def stopped(stand: Stand, context: FleetContext) -> None:
    """Create the default agent with 100 pUSD, 2.51 of them spent, an order that may cost 2.6, and a drawdown."""
    await stand.supervisor.store(Type.INFO, deposit_data(wallet="main", address="0xw", cash=1000 * ONE, reason="found"))
    spec = {"id": "default", "strategy": "momentum", "budget": 100, "enabled": False, "risk": {"maxExposure": "10%"}}
    await stand.supervisor.create(spec)
    agent = AgentStand(stand.ledger)
    await agent.log(Type.TRADE)
    await agent.log(Type.ORDER, orderId="o2", conditionId="0xc1", eventId="e", tokenId="101", filled="0", mayCost="2.6")
    await stand.supervisor.store(Type.INFO, marks_data({"agent:default": Mark(3, 0, micro("0.5"))}, 0))
    await stand.supervisor.store(Type.RISK, stop_data("agent:default", STOP, 0), "default")
    stand.supervisor.stopped["agent:default"] = [Rule.DRAWDOWN]
    await context.settle(await stand.ledger.head())


async def test_limits_and_what_is_used_up_of_them(api: Api, stand: Stand, context: FleetContext) -> None:
    await stopped(stand, context)
    answer = (await api.get("/api/risk")).json()
    assert answer["limits"] == RiskSettings().wire()
    assert [scope["scope"] for scope in answer["scopes"]] == ["fleet", "wallet:main", "agent:default"]
    agent = answer["scopes"][2]
    price = next(token for token in (await api.get("/api/markets/0xc1")).json()["outcomes"] if token["tokenId"] == "101")["bid"]
    result = 5 * micro(price) - micro("2.51")
    assert agent["capital"] == "100"
    assert micro(agent["result"]) == result
    assert agent["blocked"] == STOP.message
    assert agent["stops"] == [{"rule": "maxDrawdown", "limit": "50", "figure": "51", "message": STOP.message}]
    uses = {use["rule"]: (use["used"], use["limit"]) for use in agent["uses"]}
    assert uses["maxExposure"] == ("5.1", "10")
    assert uses["maxMarketExposure"] == ("5.1", "40")
    assert uses["maxEventExposure"] == ("5.1", "60")
    assert (micro(uses["maxDailyLoss"][0]), uses["maxDailyLoss"][1]) == (max(-result, 0), "25")
    assert (micro(uses["maxDrawdown"][0]), uses["maxDrawdown"][1]) == (max(micro("0.5") - result, 0), "50")
    assert uses["maxOpenOrders"] == ("1", "200")
    fleet = {use["rule"]: (use["used"], use["limit"]) for use in answer["scopes"][0]["uses"]}
    assert fleet["maxExposure"] == ("5.1", "900")
    assert fleet["maxDailyLoss"] == (None, "150"), "it is not known yet where the day began"


async def test_a_stop_blocks_an_agent_until_it_is_resumed(api: Api, stand: Stand, context: FleetContext) -> None:
    await stopped(stand, context)
    assert (await api.get("/api/agents/default")).json()["blocked"] == STOP.message
    resumed = await api.post("/api/risk/resume", json={"scope": "agent:default"})
    assert (resumed.status_code, resumed.json()["blocked"], resumed.json()["stops"]) == (200, None, [])
    assert (await api.get("/api/agents/default")).json()["blocked"] is None
    assert (await api.post("/api/risk/resume", json={"scope": "agent:default"})).status_code == 409
    assert (await api.post("/api/risk/resume", json={"scope": ""})).status_code == 422


async def test_limits_that_cannot_be_read_are_told(api: Api, stand: Stand, context: FleetContext) -> None:
    await stopped(stand, context)
    torn = limits_data(RiskSettings()) | {"limits": {"fleet": 3}}
    await context.settle(await stand.supervisor.store(Type.RISK, torn))
    answer = (await api.get("/api/risk")).json()
    assert answer["limits"] is None
    assert "the limits in the log cannot be read" in answer["unreadable"]
    assert {use["limit"] for scope in answer["scopes"] for use in scope["uses"]} == {None}

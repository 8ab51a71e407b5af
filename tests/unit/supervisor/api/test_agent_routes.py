from dataclasses import replace
from typing import Any

import httpx

from agents.events import Type
from agents.ports import Beat
from agents.spec import AgentSpec
from supervisor.api.context import FleetContext
from tests.unit.supervisor.api.stand import NOW, AgentStand, Stand

Api = httpx.AsyncClient

MOMENTUM = {"id": "a", "strategy": "momentum", "enabled": False}


async def create(api: Api, **fields: Any) -> httpx.Response:
    return await api.post("/api/agents", json=MOMENTUM | fields)


async def test_an_agent_is_created_and_shown_at_once(api: Api) -> None:
    answer = await create(api, params={"window": 20}, budget="250.5")
    assert answer.status_code == 201
    assert answer.json() == {
        "id": "a",
        "strategy": "momentum",
        "state": "stopped",
        "reason": "created",
        "blocked": None,
        "incarnation": 0,
        "pid": None,
        "restarts": 0,
        "startedAt": None,
        "uptime": 0,
        "lastHeartbeat": None,
        "lastError": None,
        "totalDecisions": 0,
        "totalTrades": 0,
        "totalProfit": 0,
        "spec": AgentSpec.model_validate(MOMENTUM | {"params": {"window": 20}, "budget": "250.5"}).wire(),
    }
    assert (await api.get("/api/agents")).json() == {"agents": [answer.json()], "total": 1}
    assert (await api.get("/api/agents/a")).json() == answer.json()


async def test_an_enabled_agent_starts(api: Api, context: FleetContext, stand: Stand) -> None:
    stand.supervisor.last_beats = {"a": (NOW + 1, Beat(pid=7, loop_lag=0, since_progress=0, rounds=1))}
    assert (await create(api, enabled=True)).json()["state"] in ("pending", "starting", "running")
    assert await context.until(lambda state: state.agents["a"].state == "running", 5.0)
    shown = (await api.get("/api/agents/a")).json()
    assert (shown["incarnation"], shown["pid"], shown["startedAt"], shown["lastHeartbeat"]) == (1, 4001, NOW, NOW + 1)


async def test_an_id_is_taken_once(api: Api) -> None:
    await create(api)
    answer = await create(api)
    assert (answer.status_code, answer.json()) == (409, {"error": "id: there is an agent 'a' already"})


async def test_a_wrong_spec_names_its_fields(api: Api) -> None:
    answer = await create(api, id="A!", budget=-1, nonsense=1)
    assert answer.status_code == 422
    assert {detail["field"] for detail in answer.json()["details"]} == {"id", "budget", "nonsense"}
    assert answer.json()["error"].startswith("id: String should match pattern")
    assert answer.json()["error"].endswith("(and 2 more)")
    unknown = await create(api, strategy="astrology")
    assert (unknown.status_code, "astrology" in unknown.json()["error"]) == (400, True)
    wrong = await create(api, params={"window": "long"})
    assert (wrong.status_code, wrong.json()["error"].startswith("params.window: ")) == (400, True)
    assert [detail["field"] for detail in wrong.json()["details"]] == ["params.window"]
    assert [detail["field"] for detail in unknown.json()["details"]] == ["strategy"]
    assert (await api.get("/api/agents")).json()["total"] == 0


async def test_a_body_that_is_no_spec_is_refused_in_one_sentence(api: Api) -> None:
    for content, type, status in (
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"", "application/json", 422),
        (b'{"id":"a","strategy":"momentum"}', "text/plain", 422),
    ):
        answer = await api.post("/api/agents", content=content, headers={"Content-Type": type})
        assert answer.status_code == status
        assert answer.json()["error"].startswith("The body ")


async def test_a_spec_changes_while_the_agent_runs(api: Api, context: FleetContext) -> None:
    await create(api, enabled=True)
    await context.until(lambda state: state.agents["a"].state == "running", 5.0)
    answer = await api.patch("/api/agents/a", json={"params": {"window": 30}, "maxTradeAmount": 7})
    assert answer.status_code == 200
    answer = await api.patch("/api/agents/a", json={"min_confidence": 0.8})
    spec = answer.json()["spec"]
    assert (spec["params"], spec["maxTradeAmount"], spec["minConfidence"]) == ({"window": 30}, 7, 0.8)
    assert answer.json()["state"] == "running"


async def test_a_change_that_makes_no_valid_spec_changes_nothing(api: Api) -> None:
    await create(api)
    for changes, status, field in (
        ({"budget": "much"}, 422, "budget"),
        ({"surprise": 5}, 422, "surprise"),
        ({"restart": {"factor": 0}}, 422, "restart.factor"),
        ({}, 400, "The body names no field"),
        ({"id": "B"}, 422, "id"),
    ):
        answer = await api.patch("/api/agents/a", json=changes)
        assert (answer.status_code, answer.json()["error"][: len(field)]) == (status, field), answer.json()
    assert (await api.get("/api/agents/a")).json()["spec"] == AgentSpec.model_validate(MOMENTUM).wire()


async def test_control_moves_an_agent_through_its_states(api: Api, context: FleetContext) -> None:
    await create(api)
    await api.post("/api/agents/a/start")
    assert await context.until(lambda state: state.agents["a"].state == "running", 5.0)
    assert (await api.post("/api/agents/a/pause")).json()["state"] == "paused"
    assert (await api.post("/api/agents/a/resume")).json()["state"] == "running"
    assert (await api.post("/api/agents/a/restart")).status_code == 200
    assert await context.until(lambda state: state.agents["a"].incarnation == 2 and state.agents["a"].pid == 4002, 5.0)
    assert (await api.post("/api/agents/a/stop")).json()["state"] == "stopped"


async def test_a_killed_process_comes_back_as_the_next_life(api: Api, context: FleetContext) -> None:
    await create(api)
    assert (await api.post("/api/agents/a/kill")).status_code == 409
    await api.post("/api/agents/a/start")
    assert await context.until(lambda state: state.agents["a"].state == "running", 5.0)
    assert (await api.post("/api/agents/a/kill")).json()["state"] == "backing_off"
    assert await context.until(lambda state: state.agents["a"].state == "running", 5.0)
    assert (await api.get("/api/agents/a")).json()["incarnation"] == 2


async def test_a_control_that_the_state_does_not_allow_is_a_conflict(api: Api) -> None:
    await create(api)
    for action in ("stop", "pause", "resume", "restart"):
        answer = await api.post(f"/api/agents/a/{action}")
        assert answer.status_code == 409
        assert answer.json() == {"error": f"agent a is stopped, and cannot be asked to {action} now"}


async def test_a_deleted_agent_is_gone(api: Api) -> None:
    await create(api)
    assert (await api.delete("/api/agents/a")).json() == {"success": True, "id": "a"}
    assert (await api.get("/api/agents")).json() == {"agents": [], "total": 0}
    assert (await api.delete("/api/agents/a")).status_code == 404


async def test_what_is_not_there_is_a_404_with_a_sentence(api: Api) -> None:
    nobody = {"error": "There is no agent 'x'; GET /api/agents lists them"}
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/start"),
        ("GET", "/orders"),
        ("GET", "/positions"),
    ):
        answer = await api.request(method, f"/api/agents/x{path}", json={"budget": 1} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()) == (404, nobody)
    answer = await api.post("/api/agents/x/explode")
    assert answer.status_code == 404
    assert answer.json()["error"] == "There is nothing at /api/agents/x/explode; /docs lists what there is"
    answer = await api.put("/api/agents/x")
    assert answer.status_code == 405
    assert answer.json()["error"] == "/api/agents/x does not take PUT; it takes GET, HEAD, PATCH, DELETE"
    assert answer.headers["allow"] == "GET, HEAD, PATCH, DELETE"


async def test_history_is_paged_newest_first(api: Api, stand: Stand, context: FleetContext) -> None:
    await create(api, id="default")
    agent = AgentStand(stand.ledger)
    for n in range(5):
        await agent.log(Type.DECISION, id=f"d{n}")
        await AgentStand(stand.ledger, f"other{n}").log(Type.DECISION)
    await context.settle(await stand.ledger.head())
    seen, before = [], None
    while True:
        query = {"limit": 2} | ({"before": before} if before else {})
        page = (await api.get("/api/agents/default/decisions", params=query)).json()
        assert page["total"] == 5
        seen += [found["id"] for found in page["decisions"]]
        before = page["next"]
        if before is None:
            break
    assert seen == ["d4", "d3", "d2", "d1", "d0"]


async def test_each_kind_of_history_has_its_own_name(api: Api, stand: Stand, context: FleetContext) -> None:
    await create(api, id="default")
    agent = AgentStand(stand.ledger)
    await agent.log(Type.DECISION, Type.TRADE, Type.ORDER)
    await agent.log(Type.ORDER, status="matched")
    await context.settle(await stand.ledger.head())
    pages = {
        name: (await api.get(f"/api/agents/default/{name}")).json()
        for name in ("decisions", "trades", "orders", "positions", "forecasts", "events")
    }
    assert {name: page["total"] for name, page in pages.items()} == {
        "decisions": 1,
        "trades": 1,
        "orders": 1,
        "positions": 1,
        "forecasts": 0,
        "events": 5,
    }
    assert pages["orders"]["orders"][0]["status"] == "matched"
    assert pages["forecasts"] == {"forecasts": [], "total": 0, "next": None}
    events = pages["events"]["events"]
    assert [event["type"] for event in events] == ["order", "order", "trade", "decision", "agent"]
    assert events[1].keys() == {"seq", "id", "type", "source", "agentId", "incarnation", "timestamp", "data"}


async def test_logs_are_the_newest_lines_and_it_is_told_when_they_are_of_an_earlier_life(
    api: Api, stand: Stand, context: FleetContext
) -> None:
    await create(api)
    assert (await api.get("/api/agents/a/logs")).json() == {"logs": [], "note": None}
    await api.post("/api/agents/a/start")
    assert await context.until(lambda state: state.agents["a"].state == "running", 5.0)
    lines = [{"message": f"line {n}", "life": 1} for n in range(5)]
    stand.logs["agent:a"] = lines
    assert (await api.get("/api/agents/a/logs", params={"limit": 2})).json() == {"logs": lines[3:], "note": None}
    await api.post("/api/agents/a/restart")
    assert await context.until(lambda state: state.agents["a"].incarnation == 2, 5.0)
    assert await context.until(lambda state: state.agents["a"].state == "running", 5.0)
    answer = (await api.get("/api/agents/a/logs")).json()
    assert answer["logs"] == lines
    assert answer["note"].startswith("life 2 of a does not answer and has logged nothing on the machine of the data directory")
    assert (await api.get("/api/agents/b/logs")).status_code == 404


async def test_positions_are_exact_and_priced(api: Api, stand: Stand, context: FleetContext) -> None:
    await create(api, id="default")
    await AgentStand(stand.ledger).log(Type.TRADE)
    await context.settle(await stand.ledger.head())
    assert (await api.get("/api/agents/default/positions")).json()["positions"] == [
        {
            "agentId": "default",
            "wallet": "main",
            "tokenId": "101",
            "conditionId": "0xc1",
            "marketId": "1",
            "marketQuestion": "Will it rain on day 1?",
            "outcome": "Yes",
            "size": "5",
            "confirmed": "0",
            "pending": "5",
            "cost": "2.5",
            "averagePrice": "0.5",
            "price": "0.5",
            "value": "2.5",
            "realised": "-0.01",
            "unrealised": "0",
            "fees": "0.01",
            "seq": 3,
        }
    ]


async def test_positions_are_paged_newest_first(api: Api, stand: Stand, context: FleetContext) -> None:
    await create(api, id="default")
    for token in ("1", "2", "3"):
        await AgentStand(stand.ledger, f"a{token}").log(Type.INFO)
        trade = AgentStand(stand.ledger).events(Type.TRADE, tokenId=token, tradeId=token)[0]
        await stand.ledger.append([replace(trade, id=f"agent:default/1/{token}")])
    await context.settle(await stand.ledger.head())
    path = "/api/agents/default/positions"
    first = (await api.get(path, params={"limit": 2})).json()
    assert ([position["tokenId"] for position in first["positions"]], first["total"]) == (["3", "2"], 3)
    rest = (await api.get(path, params={"limit": 2, "before": first["next"]})).json()
    assert ([position["tokenId"] for position in rest["positions"]], rest["next"]) == (["1"], None)

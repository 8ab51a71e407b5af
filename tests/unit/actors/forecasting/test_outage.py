"""Models that are down for a while, and budgets that are used up: who waits, what is said, and what is paid."""

from dataclasses import replace

import pytest

from agents.events import Type
from agents.forecasting.breaker import SHORTEST
from agents.money import micro
from tests.unit.actors.forecasting.model_server import ModelServer, serving
from tests.unit.actors.forecasting.world import RECIPE, World, asked, question
from tests.unit.agents.worlds import market

PRICED = {"POLYFLEET_LLM_PRICES": "gpt-5-mini=1/10"}


def risks(world: World, agent: str) -> list[tuple[str, object]]:
    return [(event.data["kind"], event.data["blocked"]) for event in world.log.of(Type.RISK, agent)]


@pytest.mark.parametrize("moved", [False, True])
async def test_with_the_endpoint_down_agents_wait_say_so_once_and_go_on(world: World, moved: bool) -> None:
    reason = "the model openai:gpt-5-mini does not answer: it cannot be reached"
    async with serving(ModelServer()) as server:
        world.server = server
        port = int(server.url.split(":")[2].split("/")[0])
    service = await world.ready()
    markets = [question(market(n)) for n in range(10, 20)]
    for agent in "abc":
        await asked(service, agent, RECIPE, *markets)
    model = "openai:gpt-5-mini"
    assert service._models
    breaker = service._models.breaker(model)
    await world.until(lambda: bool(breaker.reason))
    await world.until(lambda: not service._workshop._running if service._workshop else False)
    begun = len(world.log.of(Type.FORECAST, kind="begun"))
    for _ in range(3):
        for agent in "abc":
            assert (await asked(service, agent, RECIPE, *markets)).waiting == reason
    assert [risks(world, agent) for agent in "abc"] == [[("model", reason)]] * 3
    # A probe that fails lets nobody else begin, and does not cost anything.
    world.seconds += SHORTEST + 0.1
    await world.until(lambda: len(world.log.of(Type.FORECAST, kind="samples")) == begun + 1)
    assert len(world.log.of(Type.FORECAST, kind="begun")) == begun + 1
    assert (await asked(service, "a", RECIPE, *markets)).waiting == reason
    async with serving(ModelServer(), 0 if moved else port) as world.server:
        world.seconds += 60
        await world.until(lambda: not breaker.reason)
        for agent in "abc":
            await asked(service, agent, RECIPE, *markets)
        await world.until(lambda: not service._workshop._jobs if service._workshop else False)
        for agent in "abc":
            reply = await asked(service, agent, RECIPE, *markets)
            assert (len(reply.forecasts), reply.waiting) == (10, "")
        assert world.server.asked()["forecast"] == 60
    assert [risks(world, agent) for agent in "abc"] == [[("model", reason), ("model", None)]] * 3
    assert {event.data["usd"] for event in world.log.of(Type.FORECAST, kind="samples")} == {"0"}


async def test_an_agent_that_was_blocked_before_a_restart_is_not_blocked_twice(world: World, server: ModelServer) -> None:
    world.agent("a")
    server.script = lambda request: 401
    service = await world.ready()
    await asked(service)
    await world.settled()
    assert "HTTP 401" in (await asked(service)).waiting
    await service.stop()
    server.script = lambda request: None
    successor = await world.ready()
    await asked(successor)
    await world.settled(2)
    assert [blocked is None for _, blocked in risks(world, "a")] == [False, True]


async def test_while_a_model_is_tried_again_nobody_is_told_that_it_works(world: World, server: ModelServer) -> None:
    server.script = lambda request: 401
    service = await world.ready()
    await asked(service)
    await world.settled()
    reason = (await asked(service)).waiting
    server.script = lambda request: None
    server.gate.clear()
    server.came.clear()
    world.seconds += 60
    await asked(service)
    await world.until(server.came.is_set)
    assert (await asked(service)).waiting == reason
    assert [blocked is None for _, blocked in risks(world, "a")] == [False]
    server.gate.set()
    await world.settled(2)
    reply = await asked(service)
    assert (len(reply.forecasts), reply.waiting) == (1, "")
    assert [blocked is None for _, blocked in risks(world, "a")] == [False, True]


async def test_one_model_that_is_down_leaves_the_rest_to_the_others(world: World, server: ModelServer) -> None:
    server.script = lambda request: 401 if request["model"] == "y" else None
    service = await world.ready()
    recipe = replace(RECIPE, models=("openai:x", "openai:y"))
    await asked(service, "a", recipe)
    await world.settled()
    assert (await asked(service, "a", recipe)).forecasts["0x1"].n == 3
    await asked(service, "a", recipe, question(market(2)))
    await world.settled(2)
    reply = await asked(service, "a", recipe, question(market(2)))
    assert (reply.forecasts["0x2"].n, reply.waiting) == (6, "")
    assert risks(world, "a") == []


async def test_over_its_budget_an_agent_is_blocked_with_an_event_and_nothing_is_asked(
    world: World, server: ModelServer
) -> None:
    world.environment |= PRICED | {"OPENAI_BASE_URL": server.url}
    service = await world.ready()
    poor = replace(RECIPE, daily_budget=0.01)
    waiting = (await asked(service, "poor", poor)).waiting
    assert waiting.startswith("its forecasts have cost 0 USD today (UTC) and the next may cost ")
    assert (await asked(service, "poor", poor)).waiting == waiting
    assert risks(world, "poor") == [("budget", waiting)]
    assert server.requests == []
    # Another agent with the same recipe pays, and then both have it.
    rich = replace(RECIPE, daily_budget=100)
    assert (await asked(service, "rich", rich)).waiting == ""
    await world.settled()
    assert (await asked(service, "poor", poor)).forecasts["0x1"].n == 6
    assert risks(world, "poor") == [("budget", waiting), ("budget", None)]
    assert risks(world, "rich") == []
    (settled,) = world.log.of(Type.FORECAST, kind="samples")
    assert (settled.data["payer"], micro(settled.data["usd"])) == ("rich", 11 * 2000)


async def test_a_budget_is_spent_set_by_set_and_is_whole_again_the_next_day(world: World, server: ModelServer) -> None:
    world.environment |= PRICED | {"OPENAI_BASE_URL": server.url}
    service = await world.ready()
    assert service._workshop
    most = service._workshop._prices.upper(RECIPE)
    # Enough for two sets at what they cost, and to reserve only one at a time.
    recipe = replace(RECIPE, daily_budget=(most + 2 * 22_000 - 1) / 1_000_000)
    markets = [question(market(n)) for n in range(3)]
    assert (await asked(service, "a", recipe, *markets)).waiting == ""
    assert (await asked(service, "a", recipe, *markets)).waiting == ""
    await world.settled(2)
    await world.until(lambda: not service._workshop._running if service._workshop else False)
    reply = await asked(service, "a", recipe, *markets)
    assert len(reply.forecasts) == 2
    assert reply.waiting.startswith("its forecasts have cost 0.044 USD today (UTC)")
    assert len(world.log.of(Type.FORECAST, kind="begun")) == 2
    assert len(risks(world, "a")) == 1
    world.epoch += 86_400
    assert (await asked(service, "a", recipe, *markets)).waiting == ""
    await world.settled(3)
    assert len((await asked(service, "a", recipe, *markets)).forecasts) == 3
    assert [kind for kind, _ in risks(world, "a")] == ["budget", "budget"]


async def test_the_fleet_has_a_budget_too(world: World, server: ModelServer) -> None:
    world.environment |= PRICED | {"OPENAI_BASE_URL": server.url, "POLYFLEET_LLM_DAILY_BUDGET": "0.1"}
    service = await world.ready()
    waiting = (await asked(service, "a", replace(RECIPE, daily_budget=1000))).waiting
    assert waiting.startswith("the fleet's forecasts have cost 0 USD today (UTC)")
    assert "POLYFLEET_LLM_DAILY_BUDGET" in waiting
    assert server.requests == []


async def test_what_a_forecast_costs_is_reserved_in_the_log_before_the_first_question(
    world: World, server: ModelServer
) -> None:
    world.environment |= PRICED | {"OPENAI_BASE_URL": server.url}
    server.gate.clear()
    service = await world.ready()
    await asked(service)
    await server.came.wait()
    (begun,) = world.log.of(Type.FORECAST, kind="begun")
    assert begun.data["agentId"] == "a"
    assert micro(begun.data["usd"]) > 11 * 2000
    server.gate.set()
    await world.settled()


async def test_a_model_of_unknown_price_is_taken_for_dear_and_that_is_said(world: World, server: ModelServer) -> None:
    service = await world.ready()
    waiting = (await asked(service, "a", replace(RECIPE, models=("anthropic:claude",), daily_budget=1))).waiting
    assert "the price of anthropic:claude is not known" in waiting
    assert "set POLYFLEET_LLM_PRICES=anthropic:claude=in/out" in waiting

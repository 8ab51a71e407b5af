"""The forecaster against models on a real server of loopback; its log, librarian and feed are in memory."""

from dataclasses import replace

import pytest

from agents.events import Event, Type
from agents.money import micro
from tests.unit.actors.forecasting.model_server import ModelServer, form
from tests.unit.actors.forecasting.world import RECIPE, World, asked, question
from tests.unit.agents.worlds import HOUR, NOW


async def test_it_answers_at_once_that_it_starts_and_then_that_it_works(world: World) -> None:
    service = await world.open()
    assert (await asked(service)).waiting == "the forecaster is starting"
    await world.until(lambda: service._workshop is not None)
    assert await asked(service) == replace(await asked(service), forecasts={}, waiting="")


async def test_a_forecast_is_logged_with_all_that_went_into_it_before_it_is_told(world: World, server: ModelServer) -> None:
    world.agent("a")
    service = await world.ready()
    assert (await asked(service)).forecasts == {}
    await world.settled()
    forecast = (await asked(service)).forecasts["0x1"]
    assert forecast.pooled == pytest.approx(0.7)
    assert (forecast.calibrated, forecast.weight, forecast.n, forecast.at) == (forecast.pooled, 0.2, 6, NOW)
    (begun,) = world.log.of(Type.FORECAST, kind="begun")
    (samples,) = world.log.of(Type.FORECAST, kind="samples")
    (told,) = world.log.of(Type.FORECAST, "a")
    assert begun.seq < samples.seq < told.seq
    assert begun.data["id"] == samples.data["id"] == told.data["samplesId"]
    assert [each["step"] for each in samples.data["prompts"]] == [
        *("queries 1", "digest 1", "queries 2", "digest 2", "base rate"),
        *("forecast of outcome 1", "forecast of outcome 2"),
    ]
    assert [each["asked"] for each in samples.data["samples"]] == ['P("Yes")', 'P("No")'] * 3
    assert samples.data["baseRate"] == {"p": 0.3, "reasoning": "Seldom."}
    assert samples.data["tokens"] == {"in": 11_010 + 10, "out": 1100}
    assert samples.data["notes"] == ["NewsAPI refused the key"]
    data = told.data
    assert data["id"] == told.id == forecast.id
    assert (data["probability"], data["marketPrice"], data["bid"], data["ask"]) == (data["blended"], 0.5, 0.49, 0.51)
    assert 0.5 < data["blended"] < data["calibrated"]
    assert (data["category"], data["event"], data["tokenId"], data["model"]) == ("tech", "e1", "1-yes", "openai:gpt-5-mini")
    assert data["evidence"][0]["relevance"] == 0.95
    assert (await asked(service)).forecasts["0x1"] == forecast
    assert len(world.log.of(Type.FORECAST, "a")) == 1


async def test_a_simulation_never_sees_the_real_key_and_costs_nothing(world: World, server: ModelServer) -> None:
    world.environment["OPENAI_API_KEY"] = "sk-real"
    service = await world.ready()
    await asked(service)
    await world.settled()
    assert server.keys == {"simulated"}
    assert world.log.of(Type.FORECAST, kind="samples")[0].data["usd"] == "0"


async def test_no_price_is_in_any_prompt(world: World, server: ModelServer) -> None:
    service = await world.ready()
    await asked(service, "a", RECIPE, question(bid="0.4137", ask="0.4139"))
    await world.settled()
    assert not any("0.41" in str(request["messages"]) for request in server.requests)


async def test_a_server_that_knows_the_limit_by_its_older_name_alone_is_told_it_too(world: World, server: ModelServer) -> None:
    service = await world.ready()
    await asked(service)
    await world.settled()
    assert {(request["max_tokens"], request["max_completion_tokens"]) for request in server.requests} == {(4096, 4096)}


async def test_twenty_agents_cost_one_retrieval_and_one_set_for_each_recipe(world: World, server: ModelServer) -> None:
    service = await world.ready()
    other = replace(RECIPE, samples=4)
    recipes = [replace(other if n % 4 == 3 else RECIPE, trim=n / 50, weight=n / 20, daily_budget=n + 1) for n in range(20)]
    for n, recipe in enumerate(recipes):
        await asked(service, f"agent{n}", recipe, now=NOW + n * 1000)
    await world.settled(2)
    for n, recipe in enumerate(recipes):
        reply = await asked(service, f"agent{n}", recipe, now=NOW + HOUR)
        assert reply.forecasts["0x1"].n == recipe.samples
    assert server.asked() == {"plan": 2, "digest": 2, "outside_view": 2, "forecast": 6 + 4}
    assert len(world.library.queries) == 2
    assert [len(world.log.of(Type.FORECAST, f"agent{n}")) for n in range(20)] == [1] * 20
    assert len(world.log.of(Type.FORECAST, kind="samples")) == 2


async def test_what_is_too_old_is_made_again_and_who_waited_gets_it_however_far_the_clock_has_run(
    world: World, server: ModelServer
) -> None:
    service = await world.ready()
    await asked(service)
    await world.settled()
    later = NOW + 4 * HOUR
    assert (await asked(service, now=later)).forecasts["0x1"].at == NOW
    assert (await asked(service, "b", now=later)).forecasts == {}
    await world.settled(2)
    assert (await asked(service, "b", now=later)).forecasts["0x1"].at == later
    assert server.asked()["plan"] == 4


async def test_nothing_published_later_is_shown(world: World, server: ModelServer) -> None:
    world.library.found = [replace(world.library.found[0], published=NOW + 1, summary="The future.")]
    service = await world.ready()
    await asked(service)
    await world.settled()
    assert server.asked()["digest"] == 0
    assert "The future." not in str(server.requests)
    assert (await asked(service)).forecasts["0x1"].evidence == ()


async def test_the_second_search_is_planned_with_what_the_first_one_found(world: World, server: ModelServer) -> None:
    service = await world.ready()
    await asked(service)
    await world.settled()
    first, second = (request["messages"][-1]["content"] for request in server.requests if form(request) == "plan")
    assert "<document" not in first
    assert "Summary 1." in second
    assert world.library.queries[0] == ("who decides", "what is scheduled", "Question 1?")


async def test_irrelevant_documents_are_left_out_and_the_best_come_first(world: World, server: ModelServer) -> None:
    rated = [{"number": n, "relevance": n / 20, "summary": f"S{n}"} for n in range(1, 16)]
    server.script = lambda request: {"documents": rated} if form(request) == "digest" else None
    service = await world.ready()
    await asked(service, "a", replace(RECIPE, articles=4))
    await world.settled()
    evidence = (await asked(service, "a", replace(RECIPE, articles=4))).forecasts["0x1"].evidence
    assert [each.relevance for each in evidence] == [0.75, 0.75, 0.7, 0.7]


async def test_several_models_are_asked_by_turns_and_each_in_both_phrasings(world: World, server: ModelServer) -> None:
    service = await world.ready()
    await asked(service, "a", replace(RECIPE, models=("openai:x", "openai:y"), samples=4))
    await world.settled()
    (samples,) = world.log.of(Type.FORECAST, kind="samples")
    assert [(each["model"], each["asked"]) for each in samples.data["samples"]] == [
        ("openai:x", 'P("Yes")'),
        ("openai:y", 'P("Yes")'),
        ("openai:x", 'P("No")'),
        ("openai:y", 'P("No")'),
    ]
    assert {each["p"] for each in samples.data["samples"]} == {0.7}


@pytest.mark.parametrize("killed_before", ["samples", "told", "end"])
async def test_a_kill_pays_for_nothing_twice_and_tells_nobody_twice(
    world: World, server: ModelServer, killed_before: str
) -> None:
    world.agent("a")
    world.environment |= {"OPENAI_BASE_URL": server.url, "POLYFLEET_LLM_PRICES": "gpt-5-mini=1/1"}
    service = await world.ready()
    if killed_before == "samples":
        server.gate.clear()
    await asked(service)
    if killed_before == "samples":
        await server.came.wait()
    else:
        await world.settled()
    if killed_before == "end":
        await asked(service)
    await service.stop()
    server.gate.set()
    made = len(server.requests)

    successor = await world.ready()
    forecasts = (await asked(successor)).forecasts
    spend = successor._workshop._spend if successor._workshop else None
    assert spend is not None
    if killed_before == "samples":
        assert forecasts == {}
        (begun,) = world.log.of(Type.FORECAST, kind="begun")
        assert spend.of("a", int(world.epoch) // 86_400) >= micro(begun.data["usd"])
    else:
        assert len(server.requests) == made
        assert len(world.log.of(Type.FORECAST, kind="begun")) == 1
        assert len(world.log.of(Type.FORECAST, "a")) == 1
        assert forecasts["0x1"].id == world.log.of(Type.FORECAST, "a")[0].id
        assert spend.of("a", int(world.epoch) // 86_400) == micro("0.0121")


async def test_a_log_that_is_away_is_waited_for_and_the_forecast_is_logged_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.forecaster._PATIENCE", 0.0)
    service = await world.ready()
    await asked(service)
    await world.settled()
    world.log.down = True
    with pytest.raises(Exception, match="the log is away"):
        await asked(service)
    world.log.down = False
    assert (await asked(service)).forecasts["0x1"].id == world.log.of(Type.FORECAST, "a")[0].id
    assert len(world.log.of(Type.FORECAST, "a")) == 1


async def test_what_has_resolved_is_forgotten(world: World, server: ModelServer) -> None:
    service = await world.ready()
    await asked(service)
    await world.settled()
    payouts = {"1-yes": "1", "1-no": "0"}
    data = {"conditionId": "0x1", "payouts": payouts}
    world.log.add(Event("feed/1/1", Type.RESOLUTION, "feed", None, 1, 0, data))
    await world.until(lambda: service._shelf.find(("0x1", "")) is None and not service._shelf._sets)


async def test_an_agents_record_corrects_its_forecasts_and_says_what_they_weigh(world: World) -> None:
    world.agent("a")
    for n in range(120):
        told = {
            **{"conditionId": f"0xp{n}", "tokenId": f"p{n}", "strategy": "llm", "model": "m", "category": "tech"},
            **{"event": f"e{n}", "venueTime": n, "pooled": 0.7, "calibrated": 0.5, "blended": 0.5, "marketPrice": 0.7},
        }
        world.log.add(Event(f"f/1/{n}", Type.FORECAST, "forecaster", "a", 1, 0, told))
        payouts = {f"p{n}": str(n % 2), f"q{n}": str(1 - n % 2)}
        world.log.add(Event(f"r/1/{n}", Type.RESOLUTION, "feed", None, 1, 0, {"conditionId": f"0xp{n}", "payouts": payouts}))
    service = await world.ready()
    for agent in ("a", "b"):
        await asked(service, agent)
    await world.settled()
    a, b = [(await asked(service, agent)).forecasts["0x1"] for agent in ("a", "b")]
    assert (b.calibrated, b.weight) == (b.pooled, 0.2)
    assert a.pooled == b.pooled
    assert 0.5 < a.calibrated < 0.65
    assert a.weight > 0.3


async def test_a_market_without_a_price_on_both_sides_is_not_asked_about(world: World) -> None:
    service = await world.ready()
    empty = question()
    reply = await asked(service, "a", RECIPE, replace(empty, book=replace(empty.book, asks=())))
    assert (reply.forecasts, reply.waiting) == ({}, "")
    assert world.log.of(Type.FORECAST, kind="begun") == []


async def test_settings_that_are_wrong_are_said_to_those_who_ask(world: World) -> None:
    world.environment["POLYFLEET_LLM_RATE"] = "fast"
    service = await world.open()
    await world.until(lambda: "POLYFLEET_LLM_RATE: 'fast' is not possible" in service._waiting)
    assert "POLYFLEET_LLM_RATE" in (await asked(service)).waiting

"""Servers that answer badly, late or not at all."""

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from actors.forecasting import models as module
from actors.forecasting.models import ModelDown, Models
from actors.forecasting.session import Session
from actors.forecasting.settings import LlmSettings
from agents.events import Type
from agents.forecasting import prompts
from agents.forecasting.answers import FORECAST, BadAnswer
from agents.forecasting.prompts import Case, Prompt
from agents.forecasting.spend import ANSWER, Price, Prices, parse_prices
from tests.unit.actors.forecasting.model_server import ModelServer, form, usual
from tests.unit.actors.forecasting.world import MARKET, RECIPE, World, asked
from tests.unit.agents.worlds import NOW

PROMPT: Prompt = prompts.forecast(Case(MARKET, "Rules.", NOW), 0, ())
GOOD = json.dumps({"reasoning": "It will.", "probability": 0.63})


class Desk:
    """One model of a server, asked directly."""

    def __init__(self, server: ModelServer, spare: int = 10, **settings: Any) -> None:
        self.models = Models(LlmSettings(base_url=server.url, rate=1000, **settings), {}, clock=lambda: 0.0)
        self.session = Session(self.models, Prices(parse_prices("m=1/10", "here")), spare)

    async def ask(self) -> float:
        """Return the probability that it answers."""
        try:
            return (await self.session.ask("openai:m", "forecast", PROMPT, FORECAST)).p
        finally:
            await self.models.close()


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Certainly! {GOOD} I hope that helps.",
        '{"probability": "63%", "reasoning": null}',
        f"<think>First {{hm}}</think>\n{GOOD}",
    ],
)
async def test_a_server_that_ignores_the_form_is_understood(world: World, server: ModelServer, text: str) -> None:
    server.script = lambda request: text
    assert await Desk(server).ask() == 0.63
    assert len(server.requests) == 1


@pytest.mark.parametrize("bad", ["63", "", GOOD[:-2], '{"probability": 63}', '{"probability": "high"}', "[]"])
async def test_what_cannot_be_used_is_asked_for_again_and_what_was_wrong_is_said(
    world: World, server: ModelServer, bad: str
) -> None:
    server.script = lambda request: bad if len(server.requests) < 3 else GOOD
    desk = Desk(server)
    assert await desk.ask() == 0.63
    assert "An earlier answer could not be used: " in server.requests[-1]["messages"][-1]["content"]
    assert server.requests[-1]["messages"][-1]["content"].endswith('resolves to "Yes"?')
    assert (desk.session.tokens_in, desk.session.tokens_out, desk.session.usd) == (3000, 300, 6000)


async def test_it_is_not_asked_again_for_ever_nor_beyond_what_was_reserved(world: World, server: ModelServer) -> None:
    server.script = lambda request: "no idea"
    with pytest.raises(BadAnswer, match="no complete JSON object"):
        await Desk(server).ask()
    assert len(server.requests) == 3
    with pytest.raises(BadAnswer):
        await Desk(server, spare=1).ask()
    assert len(server.requests) == 5


async def test_an_answer_that_was_cut_off_is_none_and_is_paid_for(world: World, server: ModelServer) -> None:
    server.finish = "length"
    desk = Desk(server)
    with pytest.raises(BadAnswer, match="cut off"):
        await desk.ask()
    assert (desk.session.tokens_in, desk.session.tokens_out) == (3000, 300)


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(("understood", "asked"), [("json_object", [True, True]), (None, [True, True, False])])
async def test_a_server_that_refuses_schemas_or_stumbles_over_them_is_asked_for_an_object_or_else_in_words(
    world: World, server: ModelServer, status: int, understood: str | None, asked: list[bool]
) -> None:
    def script(request: dict[str, Any]) -> Any:
        return GOOD if request.get("response_format", {}).get("type") in (understood, None) else status

    server.script = script
    desk = Desk(server)
    assert (await desk.session.ask("openai:m", "a", PROMPT, FORECAST)).p == 0.63
    assert ["response_format" in request for request in server.requests] == asked
    server.requests.clear()
    assert (await desk.session.ask("openai:m", "b", PROMPT, FORECAST)).p == 0.63
    assert [request.get("response_format", {}).get("type") for request in server.requests] == [understood]
    await desk.models.close()


async def test_a_question_that_is_refused_in_every_way_leaves_the_way_as_it_was(world: World, server: ModelServer) -> None:
    desk = Desk(server)
    await desk.session.ask("openai:m", "a", PROMPT, FORECAST)
    server.script = lambda request: 400
    with pytest.raises(BadAnswer):
        await desk.session.ask("openai:m", "b", PROMPT, FORECAST)
    server.script = lambda request: None
    server.requests.clear()
    await desk.session.ask("openai:m", "c", PROMPT, FORECAST)
    assert [form(request) for request in server.requests] == ["forecast"]
    await desk.models.close()


async def test_a_failure_of_a_server_that_knows_forms_is_no_reason_to_do_without(world: World, server: ModelServer) -> None:
    desk = Desk(server)
    await desk.session.ask("openai:m", "a", PROMPT, FORECAST)
    server.script = lambda request: 500
    with pytest.raises(ModelDown):
        await desk.session.ask("openai:m", "b", PROMPT, FORECAST)
    assert all(form(request) for request in server.requests)
    await desk.models.close()


async def test_a_server_that_counts_no_tokens_is_counted_for(world: World, server: ModelServer) -> None:
    server.usage = None
    desk = Desk(server)
    await desk.ask()
    assert 250 < desk.session.tokens_in < 1000
    assert desk.session.usd == Price(*map(type(Prices().of("m").input), (1, 10))).of(
        desk.session.tokens_in, desk.session.tokens_out
    )


async def test_a_server_that_is_too_slow_is_given_up_and_its_answer_may_have_to_be_paid(
    world: World, server: ModelServer
) -> None:
    server.gate.clear()
    desk = Desk(server, timeout=0.05)
    with pytest.raises(ModelDown, match="the model openai:m does not answer: no answer in time"):
        await desk.ask()
    assert desk.session.tokens_out == ANSWER
    server.gate.set()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "HTTP 401, the key was refused"),
        (404, "HTTP 404, there is no such model or address"),
        (429, "HTTP 429"),
        (500, "HTTP 500"),
    ],
)
async def test_an_error_is_one_sentence_without_what_the_server_wrote(
    world: World, server: ModelServer, caplog: pytest.LogCaptureFixture, status: int, reason: str
) -> None:
    caplog.set_level(logging.DEBUG, logger="actors")
    server.script = lambda request: status
    models = Models(LlmSettings(base_url=server.url, rate=1000), {"OPENAI_API_KEY": "sk-secret"})
    with pytest.raises(ModelDown) as raised:
        await models.ask("openai:m", PROMPT, FORECAST)
    await models.close()
    assert str(raised.value) == f"the model openai:m does not answer: {reason}"
    assert server.keys == {"sk-secret"}
    assert "sk-secret" not in caplog.text


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_the_client_asks_again_by_itself(
    world: World, server: ModelServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(module, "_RETRIES", 2)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    server.script = lambda request: status if len(server.requests) < 3 else GOOD
    assert await Desk(server).ask() == 0.63
    assert len(server.requests) == 3


async def test_no_more_requests_run_at_once_than_allowed(world: World, server: ModelServer) -> None:
    server.gate.clear()
    desk = Desk(server, concurrency=2)
    asking = [asyncio.create_task(desk.session.ask("openai:m", str(n), PROMPT, FORECAST)) for n in range(6)]
    await world.until(lambda: len(server.requests) == 2)
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert len(server.requests) == 2
    server.gate.set()
    await asyncio.gather(*asking)
    await desk.models.close()


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("openai:m", "there is no key for it; set OPENAI_API_KEY, or OPENAI_BASE_URL for another server"),
        ("anthropic:m", "LangChain's package for anthropic is missing; install langchain-anthropic"),
        ("nobody:m", "it could not be set up; is its name right, and NOBODY_API_KEY set?"),
    ],
)
async def test_a_model_that_cannot_be_set_up_says_what_to_do(world: World, model: str, reason: str) -> None:
    models = Models(LlmSettings(), {})
    with pytest.raises(ModelDown, match=f"the model {model} does not answer: "):
        await models.ask(model, PROMPT, FORECAST)
    assert models.breaker(model).reason == reason
    assert models.up((model,)) == ()
    await models.close()


async def test_half_of_the_samples_are_enough_and_fewer_are_not(world: World, server: ModelServer) -> None:
    spoilt = 3

    def script(request: dict[str, Any]) -> Any:
        text = request["messages"][-1]["content"]
        return "hm" if form(request) == "forecast" and any(f"opinion {n} of 6" in text for n in range(1, spoilt + 1)) else None

    server.script = script
    service = await world.ready()
    await asked(service)
    await world.settled()
    assert (await asked(service)).forecasts["0x1"].n == 3
    assert sum("a sample is missing" in note for note in world.log.of(Type.FORECAST, kind="samples")[0].data["notes"]) == 1
    spoilt = 4
    other = replace(RECIPE, articles=14)
    await asked(service, "a", other)
    await world.settled(2)
    settled = world.log.of(Type.FORECAST, kind="samples")[1]
    assert settled.data["samples"] == []
    assert settled.data["error"].startswith("only 2 of 6 samples came")
    made = len(server.requests)
    reply = await asked(service, "a", other)
    assert "failed: only 2 of 6 samples came" in reply.waiting
    assert len(server.requests) == made
    spoilt = 0
    world.seconds += 16
    assert (await asked(service, "a", other)).waiting == ""
    await world.settled(3)
    assert (await asked(service, "a", other)).forecasts["0x1"].n == 6


@pytest.mark.parametrize("step", ["plan", "digest", "outside_view"])
async def test_a_step_before_the_samples_may_fail(world: World, server: ModelServer, step: str) -> None:
    server.script = lambda request: "hm" if form(request) == step else usual(request)
    service = await world.ready()
    await asked(service)
    await world.settled()
    forecast = (await asked(service)).forecasts["0x1"]
    assert (forecast.n, bool(forecast.evidence)) == (6, True)
    notes = world.log.of(Type.FORECAST, kind="samples")[0].data["notes"]
    assert any("no complete JSON object" in note for note in notes)


async def test_while_the_librarian_is_away_nothing_is_asked_for_long(world: World, server: ModelServer) -> None:
    world.library.down = True
    service = await world.ready()
    await asked(service)
    await world.settled()
    reply = await asked(service)
    assert "failed: the librarian is not running now" in reply.waiting
    assert server.asked()["forecast"] == 0

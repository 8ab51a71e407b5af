"""The simulated model reads the prompts that the fleet really sends, built on articles as they are really published."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import trafilatura

from actors.sandbox.articles import Kind, plan, write
from actors.sandbox.script import Script
from actors.sandbox.simulated_model import answer
from actors.sandbox.synthetic_world import SyntheticWorld
from agents.forecasting import prompts
from agents.forecasting.prompts import Case, Prompt
from agents.forecasting.records import Evidence, PastMarket
from agents.model import Market
from agents.odds import expit, logit

START = 1_790_000_000_000
DAY = 24 * 3_600_000


def case(script: Script, as_of: int) -> Case:
    record = script.record
    market = Market(
        id=record.id,
        condition_id=record.condition_id,
        question=record.question,
        slug=record.slug,
        tokens=record.tokens,
        outcomes=record.outcomes,
        tick=record.tick,
        min_size=record.min_size,
        fee=record.fee,
        end=record.end,
        event_title=record.event_title,
    )
    return Case(market, record.description, as_of)


def asked(prompt: Prompt, *properties: str) -> Any:
    schema: dict[str, Any] = {"properties": {name: {} for name in properties}}
    request = {
        "model": "simulated/bias=0/noise=0",
        "messages": [{"role": role, "content": text} for role, text in prompt.messages],
        "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
    }
    return json.loads(answer(request))[properties[0]]


def evidence(script: Script, *kinds: Kind) -> list[Evidence]:
    found = []
    for story in plan(0, script):
        if story.kind in kinds:
            article = write(0, script, story)
            text = trafilatura.extract(article.content)
            assert text
            found.append(Evidence(article.source, "", article.title, text, article.published, article.published, 0.5))
    return found


def digested(of: Case, passages: list[Evidence]) -> list[Evidence]:
    digests = asked(prompts.digest(of, passages), "documents")
    return [
        Evidence(one.source, one.url, one.title, told["summary"], one.published, one.retrieved, told["relevance"])
        for one, told in zip(passages, digests, strict=True)
    ]


def markets() -> Iterator[Script]:
    return iter(SyntheticWorld(0, START).opening(-1, START + 2 * DAY)[::9])


def test_figures_survive_cleaning_digest_and_prompt_and_hostile_articles_change_nothing() -> None:
    attacks = 0
    for script in markets():
        of = case(script, script.resolves)
        told, hostile = evidence(script, Kind.FIGURE, Kind.WRONG), evidence(script, Kind.HOSTILE)
        attacks += len(hostile)
        honest = [asked(prompts.forecast(of, index, digested(of, told)), "probability") for index in (0, 1)]
        assert honest[0] == pytest.approx(1 - honest[1], abs=0.002)
        for passages in (digested(of, told) + digested(of, hostile), told + hostile):
            assert [asked(prompts.forecast(of, index, passages), "probability") for index in (0, 1)] == honest
        assert asked(prompts.forecast(of, 0, hostile), "probability") == 0.5
    assert attacks > 20


def test_queries_and_base_rates_are_answered() -> None:
    script = next(markets())
    of = case(script, script.resolves)
    assert asked(prompts.plan_queries(of), "queries")[0] in script.record.question
    past = [PastMarket("Did it?", "crypto", script.record.outcomes[leg], START, ((24.0, 0.4),), 0.5) for leg in (0, 0, 0, 1)]
    assert asked(prompts.base_rate(of, past), "base_rate") == pytest.approx(expit(logit(4 / 6)), abs=0.001)

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.sandbox.articles import Article, Kind, Story, plan, write
from actors.sandbox.prompt import Document, Figure
from actors.sandbox.script import Bar, Script, complement
from actors.sandbox.synthetic_world import SyntheticWorld
from actors.sandbox.words import overlap
from agents.money import ONE
from agents.odds import expit, logit
from tests.unit.actors.sandbox.stage import market

START = 1_790_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
STEPS = 20


def scripts(days: int) -> list[Script]:
    return SyntheticWorld(0, START).opening(-1, START + days * DAY)


def script(prices: Sequence[int], life: int = 5 * DAY, **changes: Any) -> Script:
    """A market whose price takes each of these (in percent) for the same time, and that comes out Yes."""
    bars: tuple[Bar, ...] = tuple((START + n * life // len(prices), price * ONE // 100) for n, price in enumerate(prices))
    record = market(start=START, end=START + life, **changes)
    return Script(record, START, START + life, (ONE, 0), lambda: (bars, complement(bars)))


def articles(of: Script) -> list[tuple[Story, Article]]:
    return [(story, write(0, of, story)) for story in plan(0, of)]


def figures(article: Article) -> list[Figure]:
    return Document(1, "", article.content).figures()


def test_a_market_gets_about_a_dozen_articles_over_its_life_in_order_and_none_once_it_resolved() -> None:
    for one in scripts(3):
        stories = plan(0, one)
        assert 4 <= len(stories) <= 20
        assert all(one.opens < story.published < one.resolves for story in stories)
        assert all(story.published % 1000 == 0 for story in stories)
        assert all(early.published < late.published for early, late in pairwise(stories))
        assert stories[0].published < one.opens + (one.resolves - one.opens) / 10
        assert stories[-1].published > one.opens + (one.resolves - one.opens) / 2


def test_articles_follow_from_seed_and_market_alone() -> None:
    one, again = scripts(1)[5], scripts(1)[5]
    assert articles(one) == articles(again)
    assert plan(1, one) != plan(0, one)
    assert [write(1, one, story) for story in plan(0, one)] != [article for _, article in articles(one)]


def test_dates_do_not_tell_when_a_market_resolves() -> None:
    whole = script([50], 300 * DAY)
    short = replace(whole, resolves=START + 100 * DAY)
    assert 0 < len(plan(0, short)) < len(plan(0, whole))
    assert plan(0, whole)[: len(plan(0, short))] == plan(0, short)


def test_a_market_that_outlives_its_end_by_far_does_not_drown_in_news() -> None:
    late = replace(script([50], HOUR), resolves=START + 3000 * DAY)
    assert len(plan(0, late)) < 60
    endless = script([50], 30 * DAY)
    assert plan(0, replace(endless, record=replace(endless.record, end=None)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 99), min_size=STEPS, max_size=STEPS), st.integers(0, STEPS - 1), st.integers(1, 99))
def test_no_article_depends_on_a_bar_that_was_not_known_before_its_date(prices: list[int], cut: int, other: int) -> None:
    told = script(prices)
    changed = script([*prices[:cut], *[other] * (STEPS - cut)])
    change = START + cut * 5 * DAY // STEPS
    assert plan(0, told) == plan(0, changed)
    for story in plan(0, told):
        if max(START, story.published - story.delay) < change:
            assert write(0, told, story) == write(0, changed, story)


def test_figures_follow_the_chance_and_lean_a_little_to_the_outcome() -> None:
    leans = []
    for number in range(150):
        of = script([30], condition_id=f"0x{number:064x}")
        for story, article in articles(of):
            if story.kind is Kind.FIGURE:
                (figure,) = figures(article)
                leans.append(logit(figure.chance if figure.label == "Yes" else 1 - figure.chance) - logit(0.3))
    assert 0.2 < sum(leans) / len(leans) < 0.4
    assert 0.4 < (sum(lean**2 for lean in leans) / len(leans)) ** 0.5 < 0.8


def test_some_articles_are_wrong_some_say_nothing_and_some_are_hostile() -> None:
    of = [script([20], condition_id=f"0x{number:064x}") for number in range(200)]
    every = [pair for one in of for pair in articles(one)]
    counts = Counter(story.kind for story, _ in every)
    assert all(counts[kind] > 0.05 * len(every) for kind in Kind)
    assert counts[Kind.FIGURE] > 0.55 * len(every)
    assert all(bool(figures(article)) == (story.kind in (Kind.FIGURE, Kind.WRONG)) for story, article in every)
    wrong = [figures(article)[0] for story, article in every if story.kind is Kind.WRONG]
    turned = [(figure.chance if figure.label == "Yes" else 1 - figure.chance) > 0.5 for figure in wrong]
    assert sum(turned) > 0.9 * len(turned)
    assert {figure.label for figure in wrong} == {"Yes", "No"}


def test_an_article_is_a_page_that_names_the_question_says_it_is_simulated_and_is_dated() -> None:
    for of in scripts(2)[::7]:
        for _, article in articles(of):
            assert overlap(article.title, of.record.question) == 1.0
            assert "This is simulated news about a simulated market" in article.content
            assert article.content.startswith("<!doctype html>")
            assert "<nav>" in article.content
            assert "<script>" in article.content


def test_a_markets_own_markup_does_not_become_the_pages() -> None:
    of = script([50], question="Will <script>alert(1)</script> & “x” happen?", outcomes=('<b>"Yes"</b>', "No"))
    for _, article in articles(of):
        assert "<script>alert" not in article.content
        assert "<b>" not in article.content


def brier(forecasts: Sequence[tuple[float, float]]) -> float:
    return sum((forecast - outcome) ** 2 for forecast, outcome in forecasts) / len(forecasts)


def test_the_news_knows_what_slow_makers_do_not_and_adds_to_what_the_others_quote() -> None:
    every, slow = [], []
    for of in scripts(3):
        half = (of.opens + of.resolves) // 2
        told = [
            logit(min(max(figure.chance if figure.label == of.record.outcomes[0] else 1 - figure.chance, 0.01), 0.99))
            for story in plan(0, of)
            if story.published <= half
            for figure in figures(write(0, of, story))
        ]
        price = of.price(half) / ONE
        if told and 0.05 < price < 0.95:
            row = (price, expit(sum(told) / len(told)), of.payouts[0] / ONE)
            every.append(row)
            moments = range(of.opens, of.resolves, (of.resolves - of.opens) // 5)
            if any(abs(of.chance(at) - of.price(at)) > 0.06 * ONE for at in moments):
                slow.append(row)
    assert len(slow) > 60
    assert brier([(news, won) for _, news, won in slow]) < brier([(price, won) for price, _, won in slow])
    blend = [(expit((logit(price) + logit(news)) / 2), won) for price, news, won in every]
    assert brier(blend) < brier([(price, won) for price, _, won in every]) - 0.003

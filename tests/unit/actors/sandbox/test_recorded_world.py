from decimal import Decimal
from itertools import pairwise

import pytest

from actors.sandbox.categories import TERMS, classify
from actors.sandbox.recorded_world import RecordedWorld, date_of, start_of
from actors.sandbox.recording import RecordedMarket
from actors.sandbox.script import Script
from agents.money import ONE
from tests.unit.actors.sandbox.recordings import DAY, FIRST, recorded


def world(*rows: dict[str, object], start: int | None = None) -> RecordedWorld:
    return RecordedWorld([RecordedMarket.model_validate(row, strict=False) for row in rows], start)


def script(**changes: object) -> Script:
    (only,) = world(recorded(1, **changes)).opening(-1, 10**15)
    return only


OPENS = (FIRST + DAY) * 1000
NOON = DAY * 500


def test_a_price_holds_from_its_bar_until_the_next_and_none_shows_early() -> None:
    day = DAY * 1000
    moments = [OPENS, OPENS + day - 1, OPENS + day, OPENS + 2 * day - 1, OPENS + 2 * day, OPENS + 9 * day]
    assert [script().price(at) for at in moments] == [500_000, 500_000, 600_000, 600_000, 970_000, 995_000]


def test_history_is_cut_at_the_resolution_and_ends_with_the_payout() -> None:
    one = script()
    assert one.resolves == OPENS + 4 * DAY * 1000 + NOON
    assert [price for _, price in one.bars[0]] == [500_000, 600_000, 970_000, 990_000, 995_000]
    assert one.history(0, 0, 10**15)[-1] == (one.resolves, ONE)
    assert one.history(1, 0, 10**15)[-1] == (one.resolves, 0)
    assert one.history(0, OPENS + 1, OPENS + DAY * 1000) == [(OPENS + DAY * 1000, 600_000)]
    assert one.history(0, OPENS + 1, OPENS + DAY * 1000 - 1) == []


def test_a_missing_side_is_the_complement_with_a_token_of_its_own() -> None:
    row = recorded()
    outcomes = row["outcomes"]
    one = script(outcomes={"No": outcomes["No"]}, winning_outcome="Yes")
    assert one.record.outcomes == ("Yes", "No")
    assert one.payouts == (ONE, 0)
    assert one.bars == script().bars
    assert one.record.tokens[1] == "11"
    assert one.record.tokens[0].isdecimal()
    assert one.record.tokens[0] != script().record.tokens[0]
    assert one.record.tokens == script(outcomes={"No": outcomes["No"]}).record.tokens


def test_yes_comes_first_whatever_the_files_order() -> None:
    outcomes = recorded()["outcomes"]
    one = script(outcomes={"No": outcomes["No"], "Yes": outcomes["Yes"]})
    assert (one.record.outcomes, one.record.tokens) == (("Yes", "No"), ("10", "11"))


def test_the_default_start_is_the_first_day_on_which_most_markets_are_open() -> None:
    made = world(recorded(1), recorded(3), recorded(4), recorded(9))
    assert date_of(made.start) == "2025-11-05"
    assert made.start == (FIRST + 4 * DAY) * 1000
    assert made.last == (FIRST + 13 * DAY + DAY // 2) * 1000
    assert world(recorded(1), start=start_of("2025-11-20")).start == (FIRST + 19 * DAY) * 1000


def test_markets_open_in_order_with_their_first_bar() -> None:
    made = world(recorded(5), recorded(1), recorded(3))
    opened = made.opening(-1, 10**15)
    assert [one.opens for one in opened] == [(FIRST + number * DAY) * 1000 for number in (1, 3, 5)]
    assert all(one.opens < two.opens for one, two in pairwise(opened))
    assert [one.record.id for one in made.opening(opened[0].opens, opened[1].opens)] == ["503"]
    assert made.script(opened[2].record) is opened[2]


@pytest.mark.parametrize("text", ["yesterday", "2025-13-01", "20.11.2025", "1960-01-01", ""])
def test_a_wrong_start_is_no_date(text: str) -> None:
    with pytest.raises(ValueError, match="is not an ISO date such as 2025-11-20"):
        start_of(text)


@pytest.mark.parametrize(
    ("question", "category", "rate"),
    [
        ("Will Bitcoin dip to $60,000 in March?", "crypto", "0.07"),
        ("Will the Boston Celtics win the NBA Eastern Conference Finals?", "sports", "0.05"),
        ("US x Iran ceasefire by June 30?", "geopolitics", "0"),
        ("Will 4 Fed rate cuts happen in 2025?", "economics", "0.05"),
        ("Will Viktor Orbán be the next prime minister of Hungary?", "politics", "0.04"),
        ("Will Anthropic have the top AI model on December 31?", "tech", "0.04"),
        ("Will Trump say “tariff” on Friday?", "mentions", "0.04"),
        ("Will it be?", "other", "0.05"),
    ],
)
def test_categories_follow_from_the_question(question: str, category: str, rate: str) -> None:
    assert classify(question) == category
    assert TERMS[category].fee.rate == Decimal(rate)

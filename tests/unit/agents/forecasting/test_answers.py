import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.forecasting.answers import BASE_RATE, DIGEST, FORECAST, PLAN, BadAnswer, Opinion, Rated

ANSWER = {"reasoning": "It will.", "probability": 0.63}
TEXT = json.dumps(ANSWER)


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER,
        TEXT,
        f"```json\n{TEXT}\n```",
        f"Sure! Here you are:\n\n{TEXT}\n\nI hope this helps {{:-)",
        f'<think>maybe {{"probability": 0.1}} or {{so}}</think>{TEXT}',
        f'{{"thought": 1}}\n{TEXT}',
        f'{TEXT} {{"note": "done"}}',
        '{"reasoning": "It will.", "probability": "63%"}',
        '{"reasoning": "It will.", "probability": " 63.0 % "}',
        '{"reasoning": "It will.", "probability": "0.63"}',
    ],
)
def test_an_answer_is_found_whatever_stands_around_it(answer: object) -> None:
    assert FORECAST.read(answer) == Opinion(0.63, "It will.")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("", "no complete JSON object"),
        ("about 63 percent", "no complete JSON object"),
        (TEXT[:-3], "no complete JSON object"),
        ("[0.63]", "no complete JSON object"),
        ("{" * 100_000, "no complete JSON object"),
        (None, "no text"),
        ({}, "probability was missing"),
        ({"probability": "high"}, "probability was no number"),
        ({"probability": None}, "probability was no number"),
        ({"probability": True}, "probability was no number"),
        ('{"probability": NaN}', "probability was no number"),
        ('{"probability": Infinity}', "probability was no number"),
        ({"probability": 63}, "probability was not between zero and one"),
        ({"probability": "163%"}, "probability was not between zero and one"),
        ({"probability": -0.1}, "probability was not between zero and one"),
        ({"probability": 10**400}, "probability was not between"),
    ],
)
def test_an_answer_of_no_use_says_what_is_wrong(answer: object, problem: str) -> None:
    with pytest.raises(BadAnswer, match=problem):
        FORECAST.read(answer)


def test_lists_are_read_with_what_is_usable_in_them() -> None:
    assert PLAN.read({"queries": ["a  b", "a b", "", 3, "c\nd", "e", "f", "g"]}) == ("a b", "c d", "e", "f")
    rated = {"documents": [{"number": 2, "relevance": "80%", "summary": "Said\u200b so."}, {"number": 1, "relevance": 0}]}
    assert DIGEST.read(rated) == (Rated(2, 0.8, "Said so."), Rated(1, 0.0, ""))
    assert BASE_RATE.read({"base_rate": 1}).p == 1.0


@pytest.mark.parametrize("fields", [{"queries": []}, {"queries": "a"}, {"queries": [1]}, {}])
def test_a_plan_has_queries(fields: Any) -> None:
    with pytest.raises(BadAnswer):
        PLAN.read(fields)


_VALUES = (
    st.none() | st.floats() | st.text(max_size=20) | st.lists(st.none() | st.dictionaries(st.just("number"), st.integers()))
)
_NAMES = st.sampled_from(["queries", "documents", "base_rate", "probability", "reasoning"])


@given(st.text(max_size=100) | st.dictionaries(_NAMES, _VALUES) | st.dictionaries(_NAMES, _VALUES).map(json.dumps))
def test_whatever_comes_is_read_or_refused(answer: object) -> None:
    for form in (PLAN, DIGEST, BASE_RATE, FORECAST):
        try:
            form.read(answer)
        except BadAnswer:
            continue


def test_schemas_are_strict_in_openais_sense() -> None:
    for form in (PLAN, DIGEST, BASE_RATE, FORECAST):
        assert form.schema["required"] == list(form.schema["properties"])
        assert form.schema["additionalProperties"] is False

from typing import Any

import pytest

from agents.errors import InvalidInput
from agents.roster import parse_roster, parse_spec

A = {"id": "a", "strategy": "momentum"}


def test_agents_keep_their_order_and_their_fields() -> None:
    specs = parse_roster(
        {"agents": [A | {"budget": 5, "params": {"minEdge": 0.02}}, {"id": "b", "strategy": "market_maker"}]}, "f"
    )
    assert [spec.id for spec in specs] == ["a", "b"]
    assert (specs[0].budget, specs[0].params) == (5, {"minEdge": 0.02})
    assert parse_roster({"agents": []}, "f") == ()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, 'f: expected "agents:" with a list of agents below it'),
        ([A], 'f: expected "agents:" with a list of agents below it'),
        ({"agents": A}, 'f: expected "agents:" with a list of agents below it'),
        ({"agents": [], "agent": 1}, 'f: there is no field \'agent\'; only "agents", "defaults" and "risk" are known here'),
        ({"agents": ["a"]}, "f: agent 1: expected fields such as id and strategy, not 'a'"),
        ({"agents": [{1: 2}]}, "f: agent 1: expected fields such as id and strategy, not '{1: 2}'"),
        ({"agents": [A, {"id": "b"}, A]}, "f: agent 2 (b): strategy: it is missing"),
        ({"agents": [A, {"strategy": "x"}]}, "f: agent 2: id: it is missing"),
        ({"agents": [A, A]}, "f: agent 2 (a): id: agent 1 has the same; each needs its own"),
        ({"agents": [A | {"budget": "lots"}]}, "f: agent 1 (a): budget: input should be a valid decimal, not 'lots'"),
        ({"agents": [A | {"bugdet": 1}]}, "f: agent 1 (a): bugdet: there is no such field"),
        (
            {"agents": [A | {"strategy": "magic"}]},
            "f: agent 1 (a): strategy: there is no 'magic'; there are favourite_longshot, llm, market_maker, momentum,"
            " neg_risk_arbitrage, process",
        ),
        (
            {"agents": [A | {"params": {"window": 1}}]},
            "f: agent 1 (a): params.window: input should be greater than or equal to 4, not 1",
        ),
        ({"agents": [A | {"params": {"windows": 9}}]}, "f: agent 1 (a): params.windows: there is no such field"),
    ],
)
def test_a_mistake_is_told_with_file_agent_and_field(content: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_roster(content, "f")
    assert str(caught.value) == sentence


def test_one_spec_is_checked_as_a_rosters_are() -> None:
    assert parse_spec(A).id == "a"
    with pytest.raises(InvalidInput, match=r"params\.stake: input should be greater than or equal to 1, not 0"):
        parse_spec(A | {"params": {"stake": 0}})


def test_defaults_stand_for_what_an_agent_does_not_say() -> None:
    content = {
        "defaults": {"budget": 50, "restart": {"type": "transient", "maxRestarts": 9}},
        "agents": [
            {"id": "a", "strategy": "momentum"},
            {"id": "b", "strategy": "momentum", "budget": 70, "restart": {"maxRestarts": 2}},
        ],
    }
    first, second = parse_roster(content, "fleet file f.yaml")
    assert (first.budget, first.restart.type, first.restart.max_restarts) == (50, "transient", 9)
    assert (second.budget, second.restart.type, second.restart.max_restarts) == (70, "transient", 2)


@pytest.mark.parametrize("defaults", [3, {"id": "x"}, {"restart": "often"}, {1: 2}])
def test_defaults_that_are_none_are_refused(defaults: object) -> None:
    with pytest.raises(InvalidInput, match=r"f\.yaml: defaults: expected fields of agents"):
        parse_roster({"defaults": defaults, "agents": []}, "fleet file f.yaml")

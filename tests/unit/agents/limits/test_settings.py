from typing import Any

import pytest
from pydantic import ValidationError

from agents.errors import InvalidInput
from agents.limits.settings import RiskSettings, amount
from agents.money import ONE
from agents.roster import parse_limits, parse_roster
from agents.spec import AgentSpec

A = {"id": "a", "strategy": "momentum"}


@pytest.mark.parametrize(
    ("bound", "of_a_thousand"),
    [("250", 250), (250, 250), ("25%", 250), ("0.1%", 1), ("100%", 1000), ("0", 0), ("off", None), (False, None)],
)
def test_a_bound_is_an_amount_a_part_of_the_capital_or_off(bound: Any, of_a_thousand: int | None) -> None:
    limits = RiskSettings.model_validate({"agent": {"maxExposure": bound}}).agent
    assert amount(limits.max_exposure, 1000 * ONE) == (None if of_a_thousand is None else of_a_thousand * ONE)


def test_a_part_of_less_than_nothing_is_nothing() -> None:
    assert amount("25%", -ONE) == 0


@pytest.mark.parametrize("bound", ["much", "-1", "101%", "1.1234567", True, "nan", "1e99", "%", [1]])
def test_anything_else_is_no_bound(bound: Any) -> None:
    with pytest.raises(ValidationError, match="expected pUSD such as 250"):
        RiskSettings.model_validate({"fleet": {"maxTrade": bound}})


def test_what_an_agent_says_stands_for_it_alone_and_a_default_that_it_says_counts_too() -> None:
    settings = RiskSettings.model_validate({"agent": {"maxExposure": "10%", "maxOpenOrders": 7}})
    spec = AgentSpec.model_validate(A | {"risk": {"maxExposure": "100%", "maxTrade": 5}})
    assert spec.risk == {"maxExposure": "100%", "maxTrade": "5"}
    assert AgentSpec.model_validate(spec.wire()) == spec
    limits = settings.of(spec.risk)
    assert (limits.max_exposure, limits.max_trade, limits.max_open_orders) == ("100%", "5", 7)
    assert settings.of({}) == settings.agent


def test_a_wrong_override_is_told_with_its_field() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_roster({"agents": [A | {"risk": {"maxDrawdown": "lots"}}]}, "f")
    expected = "expected pUSD such as 250, a part of the capital such as \"25%\", or off, not 'lots'"
    assert str(caught.value) == f"f: agent 1 (a): risk: maxDrawdown: {expected}"


def test_defaults_of_agents_stand_limit_by_limit() -> None:
    content = {"defaults": {"risk": {"maxTrade": 5, "maxExposure": 50}}, "agents": [A | {"risk": {"maxTrade": 9}}]}
    [spec] = parse_roster(content, "f")
    assert spec.risk == {"maxTrade": "9", "maxExposure": "50"}


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"agents": {}}, "f: risk.agents: there is no such field"),
        ({"fleet": {"maxOpenOrders": 1}}, "f: risk.fleet.maxOpenOrders: there is no such field"),
        (
            {"breakers": {"maxVenueErrors": 2}},
            "f: risk.breakers.maxVenueErrors: input should be less than or equal to 1, not 2",
        ),
        ([], "f: risk: input should be a valid dictionary or instance of RiskSettings, not a list"),
    ],
)
def test_a_wrong_section_is_told_with_file_and_field(section: Any, sentence: str) -> None:
    for read in (parse_limits, parse_roster):
        with pytest.raises(InvalidInput) as caught:
            read({"agents": [], "risk": section}, "f")
        assert str(caught.value) == sentence


def test_a_file_without_the_section_has_the_defaults() -> None:
    assert parse_limits({"agents": []}, "f") == RiskSettings()
    assert RiskSettings.model_validate(RiskSettings().wire()) == RiskSettings()

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from agents.money import micro
from agents.spec import AgentSpec
from agents.validation import explain


def test_a_spec_survives_the_wire() -> None:
    spec = AgentSpec.model_validate(
        {
            "id": "a-1",
            "strategy": "momentum",
            "params": {"window": 5},
            "budget": "0.1",
            "maxTradeAmount": 12.34,
            "markets": ["x"],
        }
    )
    wire = json.loads(json.dumps(spec.wire()))
    assert AgentSpec.model_validate(wire) == spec
    assert (wire["budget"], wire["maxTradeAmount"], wire["minConfidence"]) == (0.1, 12.34, 0.7)
    assert (spec.budget_micro, spec.max_trade_micro) == (micro("0.1"), micro("12.34"))


def test_the_defaults_are_those_of_the_seed() -> None:
    spec = AgentSpec.model_validate({"id": "a", "strategy": "s"})
    assert (spec.max_trade_amount, spec.min_confidence, spec.wallet, spec.enabled) == (Decimal(100), 0.7, "main", True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"id": "A"}, "id: string should match pattern"),
        ({"id": "../a"}, "id: string should match pattern"),
        ({"budget": "much"}, "budget: input should be a valid decimal, not 'much'"),
        ({"budget": -1}, "budget: input should be greater than or equal to 0, not -1"),
        ({"budget": 0.0000001}, "budget: '1E-7' has more than six decimals"),
        ({"budget": float("nan")}, "budget: input should be a finite number"),
        ({"minConfidence": 1.1}, "minConfidence: input should be less than or equal to 1, not 1.1"),
        ({"interval": 0}, "interval: input should be greater than 0, not 0"),
        ({"restart": {"maxRestarts": -1}}, "restart.maxRestarts: input should be greater than or equal to 0, not -1"),
        ({"surprise": 1}, "surprise: there is no such field"),
        ({"surprise": 1, "budget": "x"}, "budget: input should be a valid decimal, not 'x' (and 1 more)"),
        ({"markets": [1]}, "markets[0]: input should be a valid string, not 1"),
        ({"params": [1]}, "params: input should be a valid dictionary, not a list"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AgentSpec.model_validate({"id": "a", "strategy": "s"} | changes)
    assert explain(caught.value).startswith(sentence)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ValidationError) as caught:
        AgentSpec.model_validate({"id": "a"})
    assert explain(caught.value, "agents[0]") == "agents[0].strategy: it is missing"

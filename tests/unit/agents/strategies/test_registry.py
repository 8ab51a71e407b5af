import ast
import inspect
import textwrap
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from pydantic import Field

from agents.errors import InvalidInput
from agents.model import Decision, View
from agents.money import ONE, number, text
from agents.spec import Fields
from agents.strategies import registry
from agents.strategies.momentum import Momentum, MomentumParams
from agents.strategies.strategy import Params, Strategy
from tests.unit.agents.worlds import account, market, seen, view

OURS = ("favourite_longshot", "market_maker", "momentum", "neg_risk_arbitrage")


class NotAStrategy:
    """Registered by mistake."""


@pytest.fixture
def other_package(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if another package with good and bad entry points were installed."""
    points = [
        EntryPoint("theirs", "agents.strategies.momentum:Momentum", registry.GROUP),
        EntryPoint("gone", "no_such_package:Thing", registry.GROUP),
        EntryPoint("mistaken", "agents.errors:InvalidInput", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    registry._found.cache_clear()
    yield
    monkeypatch.undo()
    registry._found.cache_clear()


def test_our_strategies_are_registered_under_their_names() -> None:
    assert set(OURS) <= set(registry.names())
    for name in OURS:
        assert registry.load(name).name == name


@pytest.mark.parametrize("name", OURS)
def test_every_strategy_and_every_param_says_what_it_is(name: str) -> None:
    strategy = registry.load(name)
    assert strategy.description.endswith(".")
    assert all(field.description for field in strategy.params_type.model_fields.values())


@pytest.mark.parametrize("name", OURS)
def test_every_strategy_works_with_no_params_and_sees_nothing_calmly(name: str) -> None:
    assert registry.create(name, {}).decide(view()) == []


def test_params_are_camel_case_and_reach_the_strategy() -> None:
    made = registry.create("market_maker", {"minSpread": 0.04, "lanes": 3})
    assert (made.params.min_spread, made.params.lanes) == (0.04, 3)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"window": 3}, "params.window: input should be greater than or equal to 4, not 3"),
        ({"window": "20"}, "params.window: input should be a valid integer, not '20'"),
        ({"window": True}, "params.window: input should be a valid integer, not True"),
        ({"entry": float("nan")}, "params.entry: input should be a finite number, not nan"),
        ({"stake": "x"}, "params.stake: input should be a valid decimal, not 'x'"),
        ({"stake": 0.5}, "params.stake: input should be greater than or equal to 1, not 0.5"),
        ({"stake": 1.0000001}, "params.stake: '1.0000001' has more than six decimals"),
        ({"wat": 1}, "params.wat: there is no such field"),
    ],
)
def test_a_wrong_param_is_named_with_what_was_expected(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        registry.create("momentum", params)
    assert str(caught.value) == sentence


def test_a_constructor_that_fails_is_told_when_a_spec_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(strategy: Momentum, params: MomentumParams) -> None:
        raise OSError("the model file is damaged")

    registry.check("momentum", {})
    monkeypatch.setattr(Momentum, "__init__", broken)
    with pytest.raises(InvalidInput, match="strategy: 'momentum' cannot be made: OSError: the model file is damaged"):
        registry.check("momentum", {})


def test_an_unknown_strategy_is_told_with_those_that_there_are() -> None:
    with pytest.raises(InvalidInput) as caught:
        registry.load("x")
    assert str(caught.value) == f"strategy: there is no 'x'; there are {', '.join(registry.names())}"


@pytest.mark.usefixtures("other_package")
def test_another_package_adds_its_own() -> None:
    assert registry.names() == ("gone", "mistaken", "theirs")
    assert registry.create("theirs", {"window": 5}).params.window == 5


@pytest.mark.usefixtures("other_package")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gone", "strategy: 'gone' cannot be loaded from no_such_package:Thing: No module named 'no_such_package'"),
        ("mistaken", "strategy: 'mistaken' is agents.errors:InvalidInput, which is not a subclass of Strategy"),
    ],
)
def test_a_package_that_does_not_work_is_told_by_name(name: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        registry.load(name)
    assert str(caught.value) == sentence


def test_params_refuse_what_they_do_not_know() -> None:
    assert issubclass(Params, Fields)
    assert Params.model_config["strict"] is True


def test_the_example_of_the_documentation_works() -> None:
    doc = inspect.getdoc(Strategy) or ""
    source = textwrap.dedent(doc[doc.index("    class CheapParams") : doc.index("Your own package")])
    assert len(source.splitlines()) <= 20
    names: dict[str, Any] = {
        "Params": Params,
        "Strategy": Strategy,
        "Field": Field,
        "Decision": Decision,
        "View": View,
        "ONE": ONE,
        "number": number,
        "text": text,
    }
    exec(compile(ast.parse(source), "example", "exec"), names)
    cheap = names["Cheap"](names["CheapParams"](below=0.3))
    dear, offered = market(1), market(2)
    seen_now = view(seen(dear), seen(offered, [("0.1", 5)], [("0.15", 5)]))
    assert [(found.token_id, found.reasoning) for found in cheap.decide(seen_now)] == [("2-yes", "offered at 0.15")]
    assert cheap.decide(view(seen(offered, [("0.1", 5)], [("0.15", 5)]), of=account(held={"2-yes": ("10", "1.5")}))) == []

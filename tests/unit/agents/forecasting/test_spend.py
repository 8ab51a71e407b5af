from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from agents.errors import InvalidInput
from agents.events import Event, Type
from agents.forecasting.records import Recipe
from agents.forecasting.spend import FREE, Price, Prices, Spend, day_of, parse_prices
from agents.money import micro

DAY = 86_400_000
RECIPE = Recipe(("openai:gpt-5-mini",), 6, 0.1, 15, 0.2, 2.0)


def event(at: int, **data: Any) -> Event:
    return Event("forecaster/1/1", Type.FORECAST, "forecaster", None, 1, at, data)


def begun(id: str, payer: str = "a", usd: str = "0.5", at: int = 0) -> Event:
    return event(at, kind="begun", id=id, conditionId="0x1", agentId=payer, usd=usd)


def samples(id: str, usd: str, at: int = 0) -> Event:
    return event(at, kind="samples", id=id, usd=usd)


def test_a_set_is_reserved_in_full_until_it_is_settled_by_what_it_cost() -> None:
    spend = Spend()
    spend.apply(begun("s1"))
    spend.apply(begun("s2", "b", "0.25"))
    assert (spend.of("a", 0), spend.of("b", 0), spend.total(0)) == (micro("0.5"), micro("0.25"), micro("0.75"))
    assert spend.of("a", 0, without=["s1"]) == 0
    spend.apply(samples("s1", "0.1"))
    assert (spend.of("a", 0), spend.total(0)) == (micro("0.1"), micro("0.35"))


def test_a_result_that_is_told_twice_counts_once() -> None:
    spend = Spend()
    for each in (begun("s1"), samples("s1", "0.1"), samples("s1", "0.1")):
        spend.apply(each)
    assert spend.total(0) == micro("0.1")


def test_a_set_counts_to_the_day_on_which_it_was_begun_and_old_days_are_forgotten() -> None:
    spend = Spend()
    spend.apply(begun("s1", at=DAY - 1))
    spend.apply(samples("s1", "0.1", at=DAY + 1))
    assert (spend.total(day_of(DAY - 1)), spend.total(day_of(DAY))) == (micro("0.1"), 0)
    spend.apply(begun("dead", at=DAY))
    spend.apply(begun("s2", at=5 * DAY))
    assert (list(spend.spent), list(spend.reserved)) == ([], ["s2"])


def test_over_either_budget_it_says_whose_and_what_to_do() -> None:
    spend = Spend()
    spend.apply(begun("s1", usd="1.5"))
    more, wide = micro("0.5"), micro("100")
    assert spend.refusal("a", 0, more, own=micro("2"), fleet=wide) == ""
    own = spend.refusal("a", 0, more + 1, own=micro("2"), fleet=wide)
    assert own.startswith("its forecasts have cost 1.5 USD today (UTC) and the next may cost 0.500001, of 2 allowed")
    assert "POLYFLEET_LLM_DAILY_BUDGET" in spend.refusal("b", 0, more, own=micro("2"), fleet=micro("1.9"))
    assert spend.refusal("a", 1, more, own=micro("2"), fleet=micro("1.9")) == ""


def test_prices_are_exact_and_rounded_up() -> None:
    assert Price(Decimal("0.25"), Decimal("2")).of(1_000_000, 500_000) == micro("1.25")
    assert Price(Decimal("0.25"), Decimal("2")).of(1, 0) == 1
    assert FREE.of(10**9, 10**9) == 0


@pytest.mark.parametrize("model", ["openai:gpt-5-mini", "gpt-5-mini", "openai:gpt-5-mini-2025-08-07"])
def test_a_models_price_is_known_by_each_of_its_names(model: str) -> None:
    assert Prices().of(model) == Price(Decimal("0.25"), Decimal("2"))
    assert Prices().note(model) == ""


def test_a_model_of_unknown_price_is_taken_for_the_dearest_and_that_is_said() -> None:
    prices = Prices()
    for model in ("anthropic:claude", "openai:gpt-9", "gpt-5-miniature"):
        assert prices.of(model) == Price(Decimal(15), Decimal(120))
        assert model in prices.note(model)
        assert "POLYFLEET_LLM_PRICES" in prices.note(model)


def test_models_of_another_server_cost_nothing_unless_told() -> None:
    prices = Prices(parse_prices("gpt-5=1/2", "here"), free=True)
    assert prices.of("openai:smollm2") == FREE
    assert prices.of("openai:gpt-5") == Price(Decimal(1), Decimal(2))
    assert prices.of("anthropic:claude") != FREE


@pytest.mark.parametrize(
    "text", ["gpt-5", "gpt-5=1", "gpt-5=1/2/3", "=1/2", "gpt-5=a/b", "gpt-5=-1/2", "gpt-5=NaN/1", "m=Infinity/1"]
)
def test_a_price_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"PRICES: .* is no price; expected model=in/out"):
        parse_prices(text, "POLYFLEET_LLM_PRICES")


def test_prices_of_many_models_are_read() -> None:
    assert list(parse_prices(" a:b/c=1/2 , d=0.5/1.5,", "here")) == ["a:b/c", "d"]
    assert parse_prices("", "here") == {}


def test_an_estimate_is_above_what_a_set_can_cost_and_grows_with_the_recipe() -> None:
    prices = Prices()
    most = prices.upper(RECIPE)
    assert most > prices.of("gpt-5-mini").of(11 * 10_000, 11 * 1500)
    assert most < micro("0.5")
    assert prices.upper(replace(RECIPE, samples=12)) > most
    assert prices.upper(replace(RECIPE, models=("openai:gpt-5-nano", "openai:gpt-5"))) > 4 * most
    assert Prices(free=True).upper(RECIPE) == 0

from dataclasses import replace
from typing import Any

import pytest

from agents.forecasting.blend import blended
from agents.forecasting.records import Forecast
from agents.forecasting.sizing import kelly
from agents.model import MarketView, View
from agents.money import micro, notional, number
from agents.strategies.llm import Llm, LlmParams
from tests.unit.agents.worlds import NOW, account, market, order, seen, view

M = market()
FREE: dict[str, Any] = {"near": 1.0, "deep": 1e12}


def llm(**params: Any) -> Llm:
    return Llm(LlmParams(**(FREE | params)))


def priced(of: Any = M, bid: str = "0.49", ask: str = "0.51", depth: int = 5000) -> MarketView:
    return seen(of, [(bid, depth)], [(ask, depth)])


def told(p: float, of: Any = M, **fields: Any) -> Forecast:
    known: dict[str, Any] = {"at": NOW, "pooled": p, "calibrated": p, "weight": 0.5, "spread": 0.1, "n": 6, "reasoning": "So."}
    return Forecast("f1", of.condition_id, **(known | fields))


def knowing(item: MarketView, *forecasts: Forecast, of: Any = None) -> View:
    return replace(view(item, of=of), forecasts={each.condition_id: each for each in forecasts})


def test_without_a_forecast_it_wants_one_and_does_nothing() -> None:
    strategy = llm()
    (wanted,) = strategy.wanted(view(priced()))
    assert (wanted.condition_id, wanted.max_age) == (M.condition_id, 3 * 3_600_000)
    assert strategy.decide(view(priced())) == []


def test_it_asks_about_the_least_sure_markets_and_what_it_holds() -> None:
    sure, unsure, wide = market(2), market(3), market(4)
    items = (priced(), priced(sure, "0.96", "0.97"), priced(unsure, "0.30", "0.32"), priced(wide, "0.40", "0.60"))
    assert [each.condition_id for each in llm().wanted(view(*items))] == [M.condition_id, unsure.condition_id]
    assert [each.condition_id for each in llm(markets=1).wanted(view(*items))] == [M.condition_id]
    held = account(held={"2-yes": ("10", "9")})
    assert [each.condition_id for each in llm(markets=2).wanted(view(*items, of=held))] == [sure.condition_id, M.condition_id]


def test_markets_that_it_knows_about_are_kept_when_prices_move() -> None:
    other = market(2)
    items = (priced(other), priced(bid="0.40", ask="0.42"))
    known = replace(view(*items), forecasts={M.condition_id: told(0.5)})
    assert [each.condition_id for each in llm(markets=1).wanted(known)] == [M.condition_id]


def test_it_buys_the_outcome_that_the_blend_finds_cheap() -> None:
    (yes,) = llm(max_edge=0.9).decide(knowing(priced(), told(0.8)))
    assert (yes.action, yes.outcome, number(yes.price)) == ("buy", "Yes", 0.51)
    (no,) = llm(max_edge=0.9).decide(knowing(priced(), told(0.2)))
    assert (no.action, no.outcome, number(no.price)) == ("buy", "No", 0.51)
    assert "the forecast says 80.00%, the price 50.00%. So." in no.reasoning


def test_the_stake_is_a_part_of_kellys_bet_on_the_blend() -> None:
    (bet,) = llm(max_edge=0.9, max_stake=1).decide(knowing(priced(), told(0.7), of=account("10000")))
    p = blended(0.7, 0.5, 0.5)
    cost = float(bet.reasoning.split("costs ")[1].split()[0])
    assert number(notional(bet.size, bet.price)) == pytest.approx(10_000 * kelly(p, cost, 0.25), rel=0.01)
    assert f"{p:.2%}" in bet.reasoning


def test_an_edge_too_good_to_be_true_is_left_alone_and_so_is_one_too_small() -> None:
    assert llm(max_edge=0.1).decide(knowing(priced(), told(0.9))) == []
    assert llm().decide(knowing(priced(), told(0.52))) == []


def test_near_the_end_and_in_a_deep_book_the_price_counts_more() -> None:
    soon = replace(M, end=NOW + 1_800_000)
    assert llm(near=24.0, max_edge=0.9).decide(knowing(priced(soon), told(0.8, soon))) == []
    assert llm(deep=10.0, max_edge=0.9).decide(knowing(priced(), told(0.8))) == []


def test_an_old_forecast_is_not_traded_on() -> None:
    assert llm(max_edge=0.9).decide(knowing(priced(), told(0.8, at=NOW - 13 * 3_600_000))) == []
    assert llm(max_edge=0.9).decide(knowing(priced(), told(0.8, at=NOW - 11 * 3_600_000)))
    assert llm(max_edge=0.9, max_age=9.0).decide(knowing(priced(), told(0.8, at=NOW - 11 * 3_600_000))) == []


def test_samples_that_disagree_lower_the_confidence() -> None:
    (sure,) = llm(max_edge=0.9).decide(knowing(priced(), told(0.8, spread=0.1)))
    (unsure,) = llm(max_edge=0.9).decide(knowing(priced(), told(0.8, spread=3.0)))
    assert 0.5 < unsure.confidence < sure.confidence < 1


def test_it_never_bets_against_itself_nor_beside_an_open_order() -> None:
    assert llm(max_edge=0.9).decide(knowing(priced(), told(0.8), of=account(held={"1-no": ("10", "5")}))) == []
    assert llm(max_edge=0.9).decide(knowing(priced(), told(0.8), of=account(orders=[order(M)]))) == []


def test_it_adds_only_when_half_of_the_stake_is_missing() -> None:
    full = account("950", held={"1-yes": ("100", "50")})
    assert llm(max_edge=0.9).decide(knowing(priced(), told(0.8), of=full)) == []
    some = account("980", held={"1-yes": ("40", "20")})
    (more,) = llm(max_edge=0.9).decide(knowing(priced(), told(0.8), of=some))
    assert notional(more.size, more.price) <= micro("30")

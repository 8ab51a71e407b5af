from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.model import Decision, FeeSchedule, MarketView
from agents.money import ONE, fee, micro, notional, number
from agents.odds import expit, logit, normal_cdf
from agents.risk import LEAST_TAKE, take_step
from agents.strategies.favourite_longshot import FavouriteLongshot, FavouriteLongshotParams
from tests.unit.agents.worlds import account, market, order, seen, view

M = market()


def fade(**params: Any) -> FavouriteLongshot:
    return FavouriteLongshot(FavouriteLongshotParams(**params))


def favourite(of: Any = M, bid: str = "0.89", ask: str = "0.90", depth: int = 5000) -> MarketView:
    return seen(of, [(bid, depth)], [(ask, depth)])


def longshot(of: Any = M) -> MarketView:
    return seen(of, [("0.10", 5000)], [("0.11", 5000)])


def bought(decisions: list[Decision]) -> list[tuple[str, str, float]]:
    return [(each.action, each.outcome, number(each.price)) for each in decisions]


def test_it_buys_the_favourite_whichever_outcome_that_is() -> None:
    assert bought(fade().decide(view(favourite()))) == [("buy", "Yes", 0.9)]
    assert bought(fade().decide(view(longshot()))) == [("buy", "No", 0.9)]


def test_the_stake_is_a_part_of_kellys_bet() -> None:
    (bet,) = fade(max_stake=1).decide(view(favourite(), of=account("10000")))
    cost = 0.90 + number(fee(ONE, micro("0.9"), Decimal("0.05")))
    truth = expit(1.15 * logit(0.895))
    kelly = 0.25 * (truth - cost) / (1 - cost)
    assert number(bet.size) == pytest.approx(kelly * 10_000 / 0.9, abs=0.11)
    assert f"{truth:.2%}" in bet.reasoning


def test_a_bet_is_capped_by_its_part_of_the_bankroll() -> None:
    (bet,) = fade(max_stake=0.01).decide(view(favourite(), of=account("10000")))
    assert notional(bet.size, bet.price) == micro("99.99")


def test_the_bankroll_counts_what_is_invested() -> None:
    held = {"other": ("1000", "5000")}
    (bet,) = fade(max_stake=0.01).decide(view(favourite(), of=account("5000", held=held)))
    assert notional(bet.size, bet.price) == micro("99.99")


def test_all_bets_together_stay_below_the_largest_exposure() -> None:
    held = {"other": ("1000", "7950")}
    (bet,) = fade(max_stake=0.01).decide(view(favourite(), of=account("2050", held=held)))
    assert notional(bet.size, bet.price) <= micro("50")
    held = {"other": ("1000", "8000")}
    assert fade(max_stake=0.01).decide(view(favourite(), of=account("2000", held=held))) == []


def test_confidence_is_the_chance_that_the_bias_is_more_than_what_breaks_even() -> None:
    (bet,) = fade().decide(view(favourite()))
    cost = 0.90 + number(fee(ONE, micro("0.9"), Decimal("0.05")))
    even = logit(cost) / logit(0.895)
    assert bet.confidence == pytest.approx(normal_cdf((1.15 - even) / 0.1))
    (surer,) = fade(uncertainty=0.02).decide(view(favourite()))
    assert surer.confidence > bet.confidence


@pytest.mark.parametrize(
    "item",
    [
        favourite(bid="0.60", ask="0.61"),
        favourite(bid="0.98", ask="0.99"),
        favourite(bid="0.85", ask="0.90"),
        favourite(bid="0.87", ask="0.91"),
        favourite(market(fee=FeeSchedule(Decimal("0.3")))),
        seen(M, [("0.89", 100)], []),
        seen(M, [], [("0.9", 100)]),
    ],
)
def test_it_leaves_alone_what_is_outside_its_range_too_wide_or_too_dear(item: MarketView) -> None:
    assert fade().decide(view(item)) == []


def test_it_holds_what_it_has_and_adds_only_when_half_is_missing() -> None:
    assert fade(max_stake=0.05).decide(view(favourite(), of=account("950", held={"1-yes": ("55", "50")}))) == []
    assert fade(max_stake=0.05).decide(view(favourite(), of=account("974", held={"1-yes": ("29", "26")}))) == []
    (more,) = fade(max_stake=0.05).decide(view(favourite(), of=account("980", held={"1-yes": ("22", "20")})))
    assert notional(more.size, more.price) <= micro("30")


def test_it_never_bets_against_itself() -> None:
    assert fade().decide(view(favourite(), of=account(held={"1-no": ("10", "1")}))) == []
    assert fade().decide(view(favourite(), of=account(orders=[order(M)]))) == []


def test_the_best_bets_come_first_and_few_at_a_time() -> None:
    cheap = favourite(market(3, fee=FeeSchedule()))
    items = [favourite(market(1)), favourite(market(2)), cheap]
    decisions = fade(max_stake=1).decide(view(*items))
    assert decisions[0].market.id == "3"
    assert len(decisions) == 2
    assert len(fade(bets=3).decide(view(*items))) == 3


def test_a_bet_too_small_for_the_venue_is_not_made() -> None:
    assert fade().decide(view(favourite(), of=account("10"))) == []
    assert fade().decide(view(favourite(depth=1))) == []


@given(st.integers(1, 98), st.integers(1, 4), st.integers(1, 10_000), st.sampled_from(["0", "0.04", "0.07"]))
@settings(max_examples=200, deadline=None)
def test_every_bet_is_one_that_the_venue_takes_and_has_an_edge(bid: int, spread: int, cash: int, rate: str) -> None:
    of = market(fee=FeeSchedule(Decimal(rate)))
    ask = min(bid + spread, 99)
    item = seen(of, [(f"{bid / 100:.2f}", 500)], [(f"{ask / 100:.2f}", 500)])
    for each in fade(low=0.5, high=0.99, min_edge=0).decide(view(item, of=account(str(cash)))):
        assert each.size % take_step(each.price) == 0
        assert LEAST_TAKE <= notional(each.size, each.price) <= cash * micro("0.05")
        assert 0.5 <= each.confidence <= 1
        cost = each.price + fee(ONE, each.price, Decimal(rate))
        assert number(cost) < expit(1.15 * logit(max(number((bid + ask) * 5_000), 1 - number((bid + ask) * 5_000))))

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.model import SIZE_STEP, Decision, FeeSchedule, MarketView, View
from agents.money import ONE, micro, notional, number
from agents.odds import expit, logit, normal_cdf
from agents.risk import LEAST_TAKE, take_step
from agents.strategies.momentum import Momentum, MomentumParams
from tests.unit.agents.worlds import NOW, account, market, order, seen, view

FREE = market(fee=FeeSchedule())
RISING = [0.40 + 0.01 * n for n in range(12)]
FALLING = [0.60 - 0.01 * n for n in range(12)]
#: Goes nowhere.
RESTLESS = [0.5, 0.53] * 6


def momentum(**params: Any) -> Momentum:
    return Momentum(MomentumParams(**params))


def rising(of: Any = FREE, bid: str = "0.51", ask: str = "0.52", depth: int = 1000) -> MarketView:
    return seen(of, [(bid, depth)], [(ask, depth)], RISING)


def falling(of: Any = FREE) -> MarketView:
    return seen(of, [("0.48", 1000)], [("0.49", 1000)], FALLING)


def said(decisions: list[Decision]) -> list[tuple[str, str, float, float]]:
    return [(each.action, each.outcome, number(each.price), number(each.size)) for each in decisions]


def test_it_buys_what_rises_and_the_other_outcome_of_what_falls() -> None:
    assert said(momentum().decide(view(rising()))) == [("buy", "Yes", 0.52, 48)]
    assert said(momentum().decide(view(falling()))) == [("buy", "No", 0.52, 48)]


def test_chance_is_not_followed() -> None:
    assert momentum().decide(view(seen(FREE, prices=RESTLESS))) == []
    assert momentum().decide(view(seen(FREE, prices=[0.5] * 12))) == []
    assert momentum().decide(view(seen(FREE, prices=RISING[1:]))) == []


def test_confidence_is_the_chance_that_a_random_walk_moves_less() -> None:
    (bought,) = momentum().decide(view(rising()))
    path = [logit(price) for price in (*RISING, 0.515)]
    squares = sum((new - old) ** 2 for old, new in pairwise(path))
    z = (path[-1] - path[0]) / squares**0.5
    assert bought.confidence == pytest.approx(normal_cdf(z))
    assert bought.confidence > 0.99
    assert f"{z:.1f} standard deviations over 12 prices" in bought.reasoning


def test_the_edge_must_pay_for_the_way_in_and_out() -> None:
    path = [logit(0.40), logit(0.515)]
    fair = expit(path[1] + 0.25 * (path[1] - path[0]))
    edge = fair - 0.515 - 2 * (0.52 - 0.515)
    assert momentum(min_edge=edge - 0.0001).decide(view(rising()))
    assert momentum(min_edge=edge + 0.0001).decide(view(rising())) == []
    costly = market(fee=FeeSchedule(Decimal("0.02")))
    fee = 0.02 * 0.52 * 0.48
    assert edge > 2 * fee
    assert momentum(min_edge=edge - 2 * fee - 0.0001).decide(view(rising(costly)))
    assert momentum(min_edge=edge - 2 * fee + 0.0001).decide(view(rising(costly))) == []


def test_a_wide_spread_eats_the_edge() -> None:
    assert momentum().decide(view(rising(bid="0.46", ask="0.57"))) == []


def test_it_takes_no_more_than_is_offered() -> None:
    assert said(momentum().decide(view(rising(depth=7)))) == [("buy", "Yes", 0.52, 7)]
    assert momentum().decide(view(rising(depth=1))) == []


def test_prices_near_0_and_1_are_left_alone() -> None:
    path = [0.004 * (n + 1) for n in range(12)]
    item = seen(market(tick=1000, fee=FeeSchedule()), [("0.048", 900)], [("0.049", 900)], path)
    assert momentum(margin=0.06).decide(view(item)) == []
    assert said(momentum(margin=0.02).decide(view(item)))[0][:3] == ("buy", "Yes", 0.049)


def test_an_offer_off_the_grid_is_taken_from_the_next_price_on_it() -> None:
    assert said(momentum().decide(view(rising(ask="0.515"))))[0][:3] == ("buy", "Yes", 0.52)


def test_it_enters_two_markets_a_round_and_never_more_than_it_may_hold() -> None:
    items = [rising(market(n, fee=FeeSchedule())) for n in range(5)]
    assert len(momentum().decide(view(*items))) == 2
    held = {f"{n}-yes": ("40", "20") for n in range(2)}
    assert len(momentum(max_positions=3).decide(view(*items, of=account(held=held)))) == 1
    assert momentum(max_positions=2).decide(view(*items, of=account(held=held))) == []


def test_it_adds_to_no_position_and_waits_for_an_order_that_is_open() -> None:
    assert momentum().decide(view(rising(), of=account(held={"1-yes": ("10", "5")}))) == []
    assert momentum().decide(view(rising(), of=account(orders=[order(FREE)]))) == []


@pytest.mark.parametrize(
    ("item", "held", "why"),
    [
        (falling(), {"1-yes": ("40", "19")}, "the trend has turned"),
        (rising(), {"1-no": ("40", "19")}, "the trend has turned"),
        (seen(FREE, prices=RESTLESS), {"1-yes": ("40", "13.9")}, "the profit of 41% is taken"),
        (seen(FREE, prices=RESTLESS), {"1-yes": ("40", "26.2")}, "the loss of 25% is stopped"),
        (seen(FREE), {"1-no": ("40", "27")}, "the loss of 27% is stopped"),
    ],
)
def test_it_leaves_when_the_trend_turns_at_a_profit_and_at_a_stop(item: MarketView, held: Any, why: str) -> None:
    (sale,) = momentum().decide(view(item, of=account(held=held)))
    assert (sale.action, sale.size, sale.confidence, sale.quote) == ("sell", 40 * ONE, 1.0, False)
    assert why in sale.reasoning
    book = item.books[item.market.index(sale.token_id)]
    assert sale.price == book.bid


def test_a_position_within_its_limits_is_kept() -> None:
    assert momentum().decide(view(seen(FREE, prices=RESTLESS), of=account(held={"1-yes": ("40", "20")}))) == []


def test_a_market_without_bids_is_not_sold_into() -> None:
    item = seen(FREE, [], [("0.02", 9)])
    assert momentum().decide(view(item, of=account(held={"1-yes": ("40", "20")}))) == []


def test_a_market_that_it_left_is_entered_again_only_on_prices_that_are_all_newer() -> None:
    strategy = momentum()
    assert [each.action for each in strategy.decide(view(rising(), of=account(held={"1-yes": ("40", "5")})))] == ["sell"]
    assert strategy.decide(view(rising())) == []
    again = rising()
    later = MarketView(again.market, again.books, tuple((at + 13 * 60_000, price) for at, price in again.prices))
    assert [each.action for each in strategy.decide(View(NOW + 13 * 60_000, (later,), account()))] == ["buy"]


def test_what_it_remembers_is_bounded() -> None:
    strategy = momentum()
    for n in range(1100):
        item = seen(market(n, fee=FeeSchedule()))
        strategy.decide(view(item, of=account(held={f"{n}-yes": ("40", "40")})))
    assert len(strategy._left) == 1000


@given(st.lists(st.floats(0.01, 0.99), min_size=12, max_size=30), st.integers(1, 98), st.integers(1, 400))
@settings(max_examples=200, deadline=None)
def test_every_order_is_one_that_the_venue_takes(prices: list[float], bid: int, held: int) -> None:
    item = seen(FREE, [(f"{bid / 100:.2f}", 300)], [(f"{(bid + 1) / 100:.2f}", 300)], prices)
    for holdings in ({}, {"1-yes": (str(held), "40")}):
        for each in momentum(entry=0.5, min_edge=0, persistence=1).decide(view(item, of=account(held=holdings))):
            assert each.price % FREE.tick == 0
            assert 0 <= each.confidence <= 1
            if each.action == "buy":
                assert each.size % take_step(each.price) == 0
                assert LEAST_TAKE <= notional(each.size, each.price) <= micro("25")
            else:
                assert each.size == held * ONE
                assert each.size % SIZE_STEP == 0

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.model import Decision, FeeSchedule, MarketView
from agents.money import ONE, fee, notional, number
from agents.risk import LEAST_TAKE, take_step
from agents.strategies.neg_risk_arbitrage import NegRiskArbitrage, NegRiskArbitrageParams
from tests.unit.agents.worlds import account, market, order, seen, view

FREE = FeeSchedule()


def arbitrage(**params: Any) -> NegRiskArbitrage:
    return NegRiskArbitrage(NegRiskArbitrageParams(**params))


def outcome(n: int, bid: str, ask: str, of: int = 3, depth: int = 1000, **changes: Any) -> MarketView:
    fields = {"neg_risk": True, "event_id": "e", "event_title": "The race", "event_size": of, "fee": FREE} | changes
    return seen(market(n, **fields), [(bid, depth)], [(ask, depth)])


#: All YES cost 0.95.
CHEAP = (outcome(1, "0.45", "0.47"), outcome(2, "0.28", "0.30"), outcome(3, "0.16", "0.18"))
#: All NO cost 0.48 + 0.65 + 0.80 = 1.93, and pay 2.
RICH = (outcome(1, "0.52", "0.54"), outcome(2, "0.35", "0.37"), outcome(3, "0.20", "0.22"))
#: Neither.
FAIR = (outcome(1, "0.47", "0.49"), outcome(2, "0.30", "0.32"), outcome(3, "0.19", "0.21"))


def bought(decisions: Sequence[Decision]) -> set[tuple[str, str, float, float]]:
    return {(each.market.id, each.outcome, number(each.price), number(each.size)) for each in decisions}


def test_all_yes_are_bought_when_they_cost_less_than_one() -> None:
    decisions = arbitrage().decide(view(*CHEAP))
    assert bought(decisions) == {("1", "Yes", 0.47, 210), ("2", "Yes", 0.3, 210), ("3", "Yes", 0.18, 210)}
    assert {each.action for each in decisions} == {"buy"}
    assert len({each.group for each in decisions}) == 1
    assert decisions[0].group
    assert "All 3 Yes of The race cost 0.95 with fees and pay 1, a profit of 5.26%" in decisions[0].reasoning


def test_all_no_are_bought_when_they_cost_less_than_all_but_one() -> None:
    decisions = arbitrage().decide(view(*RICH))
    assert bought(decisions) == {("1", "No", 0.48, 103), ("2", "No", 0.65, 103), ("3", "No", 0.8, 103)}
    assert "cost 1.93 with fees and pay 2" in decisions[0].reasoning


def test_a_fair_event_is_left_alone() -> None:
    assert arbitrage().decide(view(*FAIR)) == []


def test_fees_count() -> None:
    taxed = tuple(
        outcome(n, bid, ask, fee=FeeSchedule(Decimal("0.05")))
        for n, bid, ask in ((1, "0.45", "0.47"), (2, "0.28", "0.30"), (3, "0.16", "0.18"))
    )
    cost = sum(each.books[0].asks[0].price + fee(ONE, each.books[0].asks[0].price, Decimal("0.05")) for each in taxed)
    gain = (ONE - cost) / cost
    assert 0 < gain < 0.03
    assert arbitrage(min_return=gain - 0.0001).decide(view(*taxed)) != []
    assert arbitrage(min_return=gain + 0.0001).decide(view(*taxed)) == []


@pytest.mark.parametrize(
    "markets",
    [
        CHEAP[:2],
        (*CHEAP[:2], outcome(3, "0.16", "0.18", event_id="f")),
        (*CHEAP[:2], outcome(3, "0.16", "0.18", neg_risk=False)),
        (*CHEAP[:2], outcome(3, "0.16", "0.18", of=4)),
        (*CHEAP[:2], outcome(3, "0.16", "0.18", accepting_orders=False)),
        (*CHEAP[:2], seen(CHEAP[2].market, [("0.16", 9)], [])),
        (*CHEAP[:2], outcome(3, "0.16", "0.185")),
        tuple(outcome(n, "0.2", "0.3", of=0) for n in (1, 2, 3)),
        tuple(outcome(n, "0.2", "0.3", event_id="") for n in (1, 2, 3)),
    ],
)
def test_an_event_that_is_not_seen_whole_is_left_alone(markets: tuple[MarketView, ...]) -> None:
    assert arbitrage().decide(view(*markets)) == []


def test_the_two_sides_of_one_market_are_no_arbitrage() -> None:
    alone = outcome(1, "0.60", "0.40", of=1)
    assert arbitrage().decide(view(alone)) == []


def test_a_gap_too_large_to_be_true_is_left_alone() -> None:
    over = tuple(outcome(n, "0.01", "0.02", depth=100_000) for n in (1, 2, 3))
    assert arbitrage().decide(view(*over)) == []


def test_the_thinnest_offer_limits_every_leg_and_comes_first() -> None:
    thin = (CHEAP[0], outcome(2, "0.28", "0.30", depth=100), CHEAP[2])
    decisions = arbitrage().decide(view(*thin))
    assert {each.size for each in decisions} == {80 * ONE}
    assert decisions[0].market.id == "2"


def test_confidence_is_the_chance_that_no_offer_is_gone() -> None:
    decisions = arbitrage(miss=0.1).decide(view(*(outcome(n, "0.28", "0.30", depth=100) for n in (1, 2, 3))))
    assert [each.confidence for each in decisions] == [pytest.approx(0.92**3)] * 3


def test_it_holds_no_more_of_an_event_than_it_may() -> None:
    held = {f"{n}-yes": ("950", "300") for n in (1, 2, 3)}
    decisions = arbitrage(max_cost=1000).decide(view(*CHEAP, of=account(held=held)))
    assert {each.size for each in decisions} == {105 * ONE}
    held = {f"{n}-yes": ("1000", "333.34") for n in (1, 2, 3)}
    assert arbitrage(max_cost=1000).decide(view(*CHEAP, of=account(held=held))) == []


def test_every_leg_must_be_worth_a_dollar() -> None:
    tail = (outcome(1, "0.80", "0.82"), outcome(2, "0.10", "0.12"), outcome(3, "0.005", "0.01", depth=90))
    assert arbitrage().decide(view(*tail)) == []


def test_a_leg_that_was_missed_is_bought_before_any_other_set() -> None:
    held = {"1-yes": ("100", "47"), "2-yes": ("100", "30")}
    decisions = arbitrage().decide(view(*CHEAP, of=account(held=held)))
    assert bought(decisions) == {("3", "Yes", 0.18, 100)}
    assert decisions[0].group == ""
    assert "Completes 100 sets that cost 0.950 and pay 1" in decisions[0].reasoning


def test_a_missing_leg_is_bought_at_a_small_loss_and_not_at_a_large_one() -> None:
    held = {"1-yes": ("100", "50"), "2-yes": ("100", "33")}
    assert bought(arbitrage(repair=0.02).decide(view(*CHEAP, of=account(held=held)))) == {("3", "Yes", 0.18, 100)}
    dear = {"1-yes": ("100", "52"), "2-yes": ("100", "33")}
    assert arbitrage(repair=0.02).decide(view(*CHEAP, of=account(held=dear))) == []


def test_crumbs_are_no_missing_leg() -> None:
    for third, legs in (("96", 3), ("90", 3), ("89", 1)):
        held = {"1-yes": ("100", "47"), "2-yes": ("100", "30"), "3-yes": (third, "17.28")}
        assert len(arbitrage().decide(view(*CHEAP, of=account(held=held)))) == legs
    tiny = {"1-yes": ("2", "0.9")}
    assert len(arbitrage().decide(view(*CHEAP, of=account(held=tiny)))) == 3


def test_an_event_with_an_open_order_waits() -> None:
    assert arbitrage().decide(view(*CHEAP, of=account(orders=[order(CHEAP[1].market)]))) == []


legs = st.lists(st.tuples(st.integers(10, 900), st.integers(10, 5000)), min_size=2, max_size=7)


@given(legs, st.sampled_from(["0", "0.04"]), st.integers(2, 500))
@settings(max_examples=300, deadline=None)
def test_a_set_always_pays_more_than_it_costs(quotes: list[tuple[int, int]], rate: str, stake: int) -> None:
    schedule = FeeSchedule(Decimal(rate))
    markets = [
        outcome(n, f"{max(ask - 15, 1) / 1000}", f"{ask / 1000}", len(quotes), depth, fee=schedule, tick=1000)
        for n, (ask, depth) in enumerate(quotes)
    ]
    decisions = arbitrage(stake=stake, min_return=0.001, max_return=9.0).decide(view(*markets))
    if not decisions:
        return
    assert len(decisions) == len(quotes)
    (size,) = {each.size for each in decisions}
    paid = sum(notional(size, each.price, up=True) + fee(size, each.price, Decimal(rate)) for each in decisions)
    worth = size if decisions[0].outcome == "Yes" else size * (len(quotes) - 1)
    assert paid < worth
    # The fee of one share is rounded to hundred-thousandths.
    assert paid <= stake * ONE + 10 * len(quotes) * (size // ONE + 2)
    for each in decisions:
        offered = next(book for seen_ in markets for book in seen_.books if book.token_id == each.token_id).asks[0]
        assert (each.price, each.size <= offered.size) == (offered.price, True)
        assert each.size % take_step(each.price) == 0
        assert notional(each.size, each.price) >= LEAST_TAKE

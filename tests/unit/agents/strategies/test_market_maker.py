import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.model import SIZE_STEP, Decision, MarketView, OpenOrder, Side
from agents.money import ONE, micro, number
from agents.strategies.market_maker import MarketMaker, MarketMakerParams
from tests.unit.agents.worlds import HOUR, NOW, account, market, order, seen, view

M = market()
#: A price that moves by 0.4 cents a step.
CALM = [0.5, 0.504] * 10


def maker(**params: Any) -> MarketMaker:
    return MarketMaker(MarketMakerParams(**params))


def wide(of: Any = M, prices: Any = CALM, bid: str = "0.40", ask: str = "0.60") -> MarketView:
    return seen(of, [(bid, 100)], [(ask, 100)], prices)


def said(decisions: list[Decision]) -> list[tuple[str, str, float, float]]:
    return [(each.action, each.outcome, number(each.price), number(each.size)) for each in decisions]


def test_it_bids_below_and_offers_above_the_mid_by_buying_either_outcome() -> None:
    decisions = maker(min_spread=0.06).decide(view(seen(M, [("0.48", 9)], [("0.52", 9)], CALM)))
    assert said(decisions) == [("buy", "Yes", 0.47, 20), ("buy", "No", 0.47, 20)]
    assert all(each.quote and not each.group for each in decisions)


def test_it_improves_on_others_by_one_tick_at_most() -> None:
    assert said(maker().decide(view(wide()))) == [("buy", "Yes", 0.41, 20), ("buy", "No", 0.41, 20)]


def test_it_never_crosses_the_book() -> None:
    decisions = maker(min_spread=0.001, noise=0).decide(view(seen(M, [("0.50", 9)], [("0.51", 9)], CALM)))
    assert said(decisions) == [("buy", "Yes", 0.5, 20), ("buy", "No", 0.49, 20)]


def test_a_wild_price_widens_the_spread() -> None:
    jumps = [0.5, 0.53] * 10
    decisions = maker(compete=0, noise=1.5).decide(view(seen(M, [("0.49", 9)], [("0.51", 9)], jumps)))
    half = 1.5 * 0.03 * math.sqrt(math.pi / 2)
    assert number(decisions[0].price) == pytest.approx(math.floor((0.5 - half) * 100) / 100)


def test_a_long_pause_between_looks_counts_as_a_larger_move() -> None:
    often, seldom = maker(compete=0), maker(compete=0)
    item = seen(M, [("0.49", 9)], [("0.51", 9)], [0.5, 0.51] * 10)
    for one, pause in ((often, 60_000), (seldom, 16 * 60_000)):
        one.decide(view(item, now=NOW - pause))
    near, far = (one.decide(view(item))[0].price for one in (often, seldom))
    assert (number(near), number(far)) == (0.48, 0.44)


def test_a_price_that_keeps_going_one_way_counts_as_more_than_its_steps() -> None:
    drifting = [0.5 + 0.003 * abs(n - 10) for n in range(21)]
    going = [0.44 + 0.003 * n for n in range(21)]
    books = ([("0.49", 9)], [("0.51", 9)])
    back, on = (maker(compete=0, noise=2).decide(view(seen(M, *books, path)))[0].price for path in (drifting, going))
    assert (number(back), number(on)) == (0.48, 0.47)


def test_near_0_and_1_the_least_spread_is_smaller() -> None:
    fine = market(tick=1_000)
    still = [0.05, 0.0501] * 10
    decisions = maker(margin=0.01, min_spread=0.04).decide(view(seen(fine, [("0.035", 9)], [("0.065", 9)], still)))
    assert said(decisions) == [("buy", "Yes", 0.036, 20), ("buy", "No", 0.936, 20)]
    decisions = maker(margin=0.01, min_spread=0.02).decide(view(seen(fine, [("0.045", 9)], [("0.055", 9)], still)))
    assert said(decisions) == [("buy", "Yes", 0.045, 20), ("buy", "No", 0.945, 20)]


def test_it_competes_only_where_others_quote_about_as_wide_as_it_dares() -> None:
    item = seen(M, [("0.48", 9)], [("0.52", 9)], CALM)
    assert maker(min_spread=0.08, compete=0.5).decide(view(item))
    assert maker(min_spread=0.08, compete=0.51).decide(view(item)) == []
    assert said(maker(min_spread=0.08, compete=1).decide(view(item, of=account(held={"1-yes": ("9", "4")}))))[0][:2] == (
        "sell",
        "Yes",
    )


def test_confidence_is_the_chance_that_the_price_stays_within_the_quotes() -> None:
    (first, _) = maker().decide(view(seen(M, [("0.45", 9)], [("0.55", 9)], [0.5, 0.53] * 10)))
    assert first.confidence == pytest.approx(0.8413, abs=0.001)
    (sure, _) = maker(min_spread=0.2).decide(view(wide()))
    assert sure.confidence == 0.99


def test_an_inventory_shifts_both_quotes_against_itself() -> None:
    none, long = (
        said(maker(min_spread=0.1, skew=1).decide(view(wide(), of=account(held=held))))
        for held in ({}, {"1-yes": ("50", "25")})
    )
    assert none == [("buy", "Yes", 0.41, 20), ("buy", "No", 0.41, 20)]
    assert long == [("buy", "Yes", 0.41, 20), ("sell", "Yes", 0.59, 20)]
    full = said(maker(min_spread=0.1, skew=1).decide(view(wide(), of=account(held={"1-yes": ("100", "50")}))))
    assert full == [("sell", "Yes", 0.59, 20)]
    tight = seen(M, [("0.49", 9)], [("0.51", 9)], CALM)
    leaned = said(maker(min_spread=0.04, skew=1).decide(view(tight, of=account(held={"1-yes": ("50", "25")}))))
    assert leaned == [("buy", "Yes", 0.47, 20), ("sell", "Yes", 0.51, 20)]


def test_a_short_position_is_bought_back_by_selling_the_other_outcome() -> None:
    tight = seen(M, [("0.49", 9)], [("0.51", 9)], CALM)
    decisions = said(maker(min_spread=0.04).decide(view(tight, of=account(held={"1-no": ("8", "4")}))))
    assert decisions == [("sell", "No", 0.52, 8), ("buy", "No", 0.47, 20)]


def test_crumbs_below_the_venues_minimum_are_not_sold() -> None:
    decisions = said(maker().decide(view(wide(), of=account(held={"1-yes": ("4.99", "2")}))))
    assert [(action, outcome) for action, outcome, _, _ in decisions] == [("buy", "Yes"), ("buy", "No")]


def test_it_buys_no_further_than_its_largest_inventory() -> None:
    decisions = said(maker().decide(view(wide(), of=account(held={"1-yes": ("92", "46")}))))
    assert decisions[0][:2] == ("buy", "Yes")
    assert decisions[0][3] == 8


@pytest.mark.parametrize(
    "item",
    [
        wide(bid="0.05", ask="0.07"),
        wide(bid="0.93", ask="0.95"),
        wide(market(end=NOW + 60_000)),
        wide(market(end=NOW - 1)),
        seen(M, [("0.49", 9)], [("0.51", 9)], [0.5, 0.53] * 10),
        seen(M, [], [("0.6", 9)], CALM),
        seen(M, [("0.6", 9)], [], CALM),
    ],
)
def test_it_stays_off_markets_near_0_or_1_near_their_end_quoted_much_tighter_or_one_sided(item: MarketView) -> None:
    assert maker().decide(view(item)) == []


def test_where_it_may_not_open_it_still_gets_rid_of_what_it_holds() -> None:
    ending = wide(market(end=NOW + 60_000))
    assert said(maker().decide(view(ending, of=account(held={"1-yes": ("30", "15")})))) == [("sell", "Yes", 0.59, 20)]
    assert said(maker().decide(view(ending, of=account(held={"1-no": ("6", "3")})))) == [("sell", "No", 0.59, 6)]


def test_a_market_with_time_left_is_quoted() -> None:
    assert len(maker().decide(view(wide(market(end=NOW + 2 * HOUR))))) == 2


def test_its_own_orders_are_no_reason_to_move() -> None:
    own = [order(M, "o1", price="0.41", size="20"), order(M, "o2", token_id="1-no", price="0.41", size="20")]
    crowded = seen(M, [("0.41", 20), ("0.40", 100)], [("0.59", 20), ("0.60", 100)], CALM)
    assert said(maker().decide(view(crowded, of=account(orders=own)))) == [("buy", "Yes", 0.41, 20), ("buy", "No", 0.41, 20)]


@pytest.mark.parametrize(
    ("standing", "price"),
    [("0.47", 0.47), ("0.48", 0.48), ("0.44", 0.44), ("0.41", 0.46), ("0.49", 0.46)],
)
def test_a_quote_that_is_near_enough_stays(standing: str, price: float) -> None:
    own: list[OpenOrder] = [order(M, price=standing, size="20")]
    book = seen(M, [(standing, 20), ("0.47", 100)], [("0.53", 100)], CALM) if standing != "0.47" else None
    item = book or seen(M, [("0.47", 120)], [("0.53", 100)], CALM)
    decisions = maker(min_spread=0.08, requote=0.5).decide(view(item, of=account(orders=own)))
    assert number(decisions[0].price) == price


def test_a_standing_quote_off_a_coarser_grid_is_replaced() -> None:
    own = [order(M, price="0.465", size="20")]
    decisions = maker(min_spread=0.08).decide(view(seen(M, [("0.47", 120)], [("0.53", 100)], CALM), of=account(orders=own)))
    assert number(decisions[0].price) == 0.46


def test_it_quotes_as_many_markets_as_it_may_and_stays_with_them() -> None:
    items = [wide(market(n)) for n in range(12)]
    first = maker(max_markets=3).decide(view(*items))
    chosen = {each.market.id for each in first}
    assert len(chosen) == 3
    own = [order(each.market, f"{each.token_id}", token_id=each.token_id, price="0.41", size="20") for each in first]
    again = maker(max_markets=3).decide(view(*reversed(items), of=account(orders=own)))
    assert {each.market.id for each in again} == chosen


def test_lanes_share_the_markets_out() -> None:
    items = [wide(market(n)) for n in range(30)]
    lanes = [{each.market.id for each in maker(lane=n, lanes=3, max_markets=50).decide(view(*items))} for n in range(3)]
    assert set.union(*lanes) == {str(n) for n in range(30)}
    assert sum(len(lane) for lane in lanes) == 30
    assert all(lanes)


def test_in_anothers_lane_it_only_reduces() -> None:
    other = next(n for n in range(9) if not maker(lanes=2).decide(view(wide(market(n)))))
    held = account(held={f"{other}-yes": ("40", "20")})
    assert [each.action for each in maker(lanes=2).decide(view(wide(market(other)), of=held))] == ["sell"]


books = st.tuples(st.integers(1, 98), st.integers(1, 30)).map(lambda pair: (pair[0], min(pair[0] + pair[1], 99)))


@given(books, st.integers(0, 300), st.integers(0, 300), st.floats(0.001, 0.3), st.floats(0, 5), st.booleans())
@settings(max_examples=200, deadline=None)
def test_every_quote_is_one_that_the_venue_takes(
    book: tuple[int, int], yes: int, no: int, spread: float, skew: float, fine: bool
) -> None:
    of = market(tick=1_000 if fine else 10_000)
    item = seen(of, [(f"{book[0] / 100:.2f}", 50)], [(f"{book[1] / 100:.2f}", 50)], CALM)
    held = {token: (str(size), "1") for token, size in (("1-yes", yes), ("1-no", no)) if size}
    decisions = maker(min_spread=spread, skew=skew, margin=0.01).decide(view(item, of=account(held=held)))
    bids: list[int] = []
    asks: list[int] = []
    for each in decisions:
        assert each.price % of.tick == 0
        assert of.tick <= each.price <= ONE - of.tick
        assert each.size % SIZE_STEP == 0
        assert each.size >= of.min_size
        if each.action == "sell":
            assert each.size <= (yes if each.outcome == "Yes" else no) * ONE
        on_first = each.price if each.outcome == "Yes" else ONE - each.price
        (bids if (each.action == "buy") == (each.outcome == "Yes") else asks).append(on_first)
    assert all(bid < micro(f"{book[1] / 100:.2f}") for bid in bids)
    assert all(ask > micro(f"{book[0] / 100:.2f}") for ask in asks)
    assert all(bid < ask for bid in bids for ask in asks)
    assert all(Side(each.action.upper()) for each in decisions)

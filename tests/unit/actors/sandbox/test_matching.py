from decimal import Decimal

import pytest

from actors.sandbox.records import MatchKind, Refused
from agents.model import FeeSchedule
from agents.money import ONE
from tests.unit.actors.sandbox.stage import ALICE, BOB, CAROL, NO, YES, Stage, assert_consistent, market


def test_the_second_tokens_book_mirrors_the_first() -> None:
    stage = Stage()
    stage.place(ALICE, "BUY", "0.40", "10")
    stage.place(BOB, "BUY", "0.45", "20", NO)
    assert stage.levels(YES) == ([("0.4", "10")], [("0.55", "20")])
    assert stage.levels(NO) == ([("0.45", "20")], [("0.6", "10")])


def test_the_better_price_trades_first_and_at_one_price_the_older_order() -> None:
    stage = Stage()
    for owner in (ALICE, BOB, CAROL):
        stage.give(owner, "100")
    late_but_better = stage.order(CAROL, "SELL", "0.50", "10")
    first = stage.order(ALICE, "SELL", "0.52", "10")
    second = stage.order(BOB, "SELL", "0.52", "10")
    for order in (first, second, late_but_better):
        stage.exchange.place(order)
    placed = stage.place(CAROL, "BUY", "0.60", "15")
    assert placed.status == "matched"
    assert (placed.making_amount, placed.taking_amount) == (7_600_000, 15 * ONE)
    makers = [trade.maker.order_id for trade in reversed(stage.exchange.trades(CAROL))]
    assert makers == [late_but_better.order_id, first.order_id]
    assert stage.levels() == ([], [("0.52", "15")])
    remaining = stage.exchange.order(first.order_id)
    assert remaining is not None
    assert (remaining.matched, remaining.state) == (5 * ONE, "LIVE")


def test_an_order_behind_a_partly_filled_one_waits_its_turn() -> None:
    stage = Stage()
    first, second = stage.order(ALICE, "BUY", "0.50", "10"), stage.order(BOB, "BUY", "0.50", "10")
    stage.exchange.place(first)
    stage.exchange.place(second)
    stage.give(CAROL, "100")
    for size in ("6", "6"):
        stage.place(CAROL, "SELL", "0.50", size)
    fills = [(trade.maker.order_id, trade.size) for trade in reversed(stage.exchange.trades(CAROL))]
    assert fills == [(first.order_id, 6 * ONE), (first.order_id, 4 * ONE), (second.order_id, 2 * ONE)]


def test_two_buyers_of_opposite_tokens_mint_a_set() -> None:
    stage = Stage()
    stage.place(ALICE, "BUY", "0.40", "10")
    stage.place(BOB, "BUY", "0.65", "10", NO)
    (trade,) = stage.exchange.trades(BOB)
    assert trade.kind is MatchKind.MINT
    assert (trade.taker.price, trade.maker.price) == (600_000, 400_000)
    assert (stage.cash(ALICE), stage.shares(ALICE, YES)) == (996, 10)
    assert (stage.cash(BOB), stage.shares(BOB, NO)) == (994, 10)
    assert stage.listing.collateral == 10 * ONE
    assert_consistent(stage.exchange)


def test_two_sellers_of_opposite_tokens_merge_a_set() -> None:
    stage = Stage()
    for owner in (ALICE, BOB):
        stage.give(owner, "10")
    stage.place(ALICE, "SELL", "0.40", "10")
    stage.place(BOB, "SELL", "0.55", "10", NO)
    (trade,) = stage.exchange.trades(BOB)
    assert trade.kind is MatchKind.MERGE
    assert (stage.cash(ALICE), stage.cash(BOB)) == (994, 996)
    assert (stage.shares(ALICE, YES), stage.shares(BOB, NO)) == (0, 0)
    assert stage.listing.collateral == 10 * ONE
    assert_consistent(stage.exchange)


def test_a_buyer_and_a_seller_of_one_token_exchange_it() -> None:
    stage = Stage()
    stage.give(ALICE, "10")
    stage.place(ALICE, "SELL", "0.40", "10", NO)
    stage.place(BOB, "BUY", "0.40", "10", NO)
    (trade,) = stage.exchange.trades(ALICE)
    assert trade.kind is MatchKind.COMPLEMENTARY
    assert (stage.cash(ALICE), stage.cash(BOB), stage.shares(BOB, NO)) == (994, 996, 10)


@pytest.mark.parametrize(
    ("side", "taker", "maker"),
    [("BUY", Decimal("848.75"), 950), ("SELL", Decimal("948.75"), 850)],
)
def test_only_the_taker_pays_the_fee_of_the_schedule(side: str, taker: Decimal, maker: int) -> None:
    stage = Stage(fee=FeeSchedule(Decimal("0.05")))
    stage.give(ALICE, "100")
    stage.give(BOB, "100")
    stage.place(BOB, "SELL" if side == "BUY" else "BUY", "0.50", "100")
    stage.place(ALICE, side, "0.50", "100")
    (trade,) = stage.exchange.trades(ALICE)
    assert (trade.taker.fee, trade.maker.fee) == (1_250_000, 0)
    assert (stage.cash(ALICE), stage.cash(BOB)) == (taker, maker)
    assert_consistent(stage.exchange)


def test_each_fill_pays_its_own_fee_rounded_to_five_decimals() -> None:
    stage = Stage(fee=FeeSchedule(Decimal("0.07")))
    stage.give(ALICE, "100")
    stage.place(ALICE, "SELL", "0.51", "5.01")
    stage.place(ALICE, "SELL", "0.53", "7")
    stage.place(BOB, "BUY", "0.53", "12.01")
    assert [trade.taker.fee for trade in stage.exchange.trades(BOB)] == [122_060, 87_640]
    assert stage.cash(BOB) == 1000 - Decimal("2.5551") - Decimal("3.71") - Decimal("0.2097")


def test_an_order_that_fees_make_too_dear_is_refused_whole() -> None:
    stage = Stage(fee=FeeSchedule(Decimal("0.05")))
    stage.give(BOB, "1000")
    stage.exchange.fund(BOB, 1000 * ONE)
    stage.give(BOB, "1000")
    stage.place(BOB, "SELL", "0.50", "2000")
    with pytest.raises(Refused, match="not enough balance / allowance"):
        stage.place(ALICE, "BUY", "0.50", "2000")
    assert (stage.cash(ALICE), stage.exchange.cash(ALICE).reserved) == (1000, 0)
    assert stage.place(ALICE, "BUY", "0.50", "1900").status == "matched"


def test_a_fill_or_kill_trades_all_or_nothing() -> None:
    stage = Stage()
    stage.give(BOB, "100")
    stage.place(BOB, "SELL", "0.50", "10")
    with pytest.raises(Refused, match="FOK orders are fully filled or killed"):
        stage.place(ALICE, "BUY", "0.50", "0", kind="FOK", budget="6")
    assert stage.levels() == ([], [("0.5", "10")])
    placed = stage.place(ALICE, "BUY", "0.50", "0", kind="FOK", budget="5")
    assert (placed.status, placed.making_amount, placed.taking_amount) == ("matched", 5 * ONE, 10 * ONE)


def test_a_fill_and_kill_takes_what_is_there_and_rests_nothing() -> None:
    stage = Stage()
    stage.give(BOB, "100")
    stage.place(BOB, "SELL", "0.50", "10")
    order = stage.order(ALICE, "BUY", "0.60", "0", kind="FAK", budget="100")
    placed = stage.exchange.place(order)
    assert (placed.status, placed.making_amount, placed.taking_amount) == ("matched", 5 * ONE, 10 * ONE)
    assert stage.exchange.open_orders(ALICE) == []
    assert stage.exchange.cash(ALICE).reserved == 0
    with pytest.raises(Refused, match="no orders found to match with FAK order"):
        stage.place(ALICE, "BUY", "0.60", "0", kind="FAK", budget="100")


def test_a_market_buy_spends_its_budget_across_levels_but_never_more() -> None:
    stage = Stage()
    stage.give(BOB, "100")
    stage.place(BOB, "SELL", "0.40", "10")
    stage.place(BOB, "SELL", "0.55", "50")
    placed = stage.place(ALICE, "BUY", "0.60", "0", kind="FAK", budget="10")
    assert (placed.making_amount, placed.taking_amount) == (9_995_000, 20_900_000)
    assert stage.cash(ALICE) == 1000 - Decimal("9.995")


def test_a_post_only_order_that_would_trade_is_refused() -> None:
    stage = Stage()
    stage.place(BOB, "BUY", "0.45", "10", NO)
    with pytest.raises(Refused, match="invalid post-only order: order crosses book"):
        stage.place(ALICE, "BUY", "0.55", "10", post_only=True)
    assert stage.place(ALICE, "BUY", "0.54", "10", post_only=True).status == "live"


def test_an_order_takes_what_crosses_and_rests_the_remainder_at_its_own_price() -> None:
    stage = Stage()
    stage.give(BOB, "100")
    stage.place(BOB, "SELL", "0.50", "10")
    order = stage.order(ALICE, "BUY", "0.52", "25")
    placed = stage.exchange.place(order)
    assert (placed.status, placed.making_amount, placed.taking_amount) == ("live", 5 * ONE, 10 * ONE)
    assert stage.levels() == ([("0.52", "15")], [])
    assert stage.exchange.cash(ALICE).reserved == 7_800_000


def test_a_change_of_the_book_tells_new_totals_of_both_tokens() -> None:
    stage = Stage()
    stage.place(ALICE, "BUY", "0.40", "10")
    stage.changes.clear()
    stage.place(BOB, "BUY", "0.40", "5")
    change = next(change for change in stage.changes if type(change).__name__ == "BookChanged")
    told = {(level.token_id, level.side, level.price, level.size) for level in change.changes}
    assert told == {(YES, "BUY", 400_000, 15 * ONE), (NO, "SELL", 600_000, 15 * ONE)}
    assert change.best == ((400_000, None), (None, 600_000))


def test_ids_and_slugs_are_no_tokens() -> None:
    stage = Stage()
    assert stage.exchange.market_by_id("1") == stage.exchange.market_by_slug("question-1") == market()
    assert stage.exchange.market_by_token("id:1") is None
    with pytest.raises(Refused, match="No orderbook exists"):
        stage.exchange.book_snapshot("slug:question-1")

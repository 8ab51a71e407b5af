from dataclasses import replace

from agents.fleet import FleetState
from agents.money import ONE, micro
from agents.portfolio import Book
from agents.valuation import Price, Valuation, quotes, worth
from tests.unit.agents.worlds import market, seen

MARKET = market(1)
YES, NO = MARKET.tokens


def books(**sizes: int) -> Book:
    book = Book(cash=micro("100"))
    for token, size in sizes.items():
        book.position(token.replace("_", "-")).buy(size * ONE, size * micro("0.4"), micro("0.01"))
    return book


def test_what_is_long_counts_at_the_best_bid_and_what_is_short_at_the_best_ask() -> None:
    valuation = Valuation(FleetState(), quotes([seen(market(1))]))
    assert valuation.price("1-yes", ONE) == Price(micro("0.49"), "bid")
    assert valuation.price("1-no", ONE) == Price(micro("0.49"), "bid")
    assert valuation.price("1-yes", -ONE) == Price(micro("0.51"), "ask")


def test_nobody_bids_so_it_is_worth_nothing_and_an_empty_book_is_worth_its_last_price() -> None:
    offered = seen(market(1), bids=())
    empty = seen(market(2), bids=(), asks=(), prices=[0.3])
    unknown = seen(market(3), bids=(), asks=())
    valuation = Valuation(FleetState(), quotes([offered, empty, unknown]))
    assert valuation.price("1-yes", ONE) == Price(0, "bid")
    assert valuation.price("2-yes", ONE) == Price(micro("0.3"), "last")
    assert valuation.price("2-no", ONE) == Price(micro("0.7"), "last")
    assert valuation.price("3-yes", ONE) == valuation.price("4-yes", ONE) == Price(None, None)


def test_what_is_resolved_counts_at_its_payout_a_fraction_too_and_is_redeemable() -> None:
    state = FleetState(resolutions={"0x1": {"1-yes": "0.5", "1-no": "0.5"}})
    resolved = seen(market(2, payouts=(0, ONE)))
    found = Valuation(state, quotes([seen(market(1)), resolved])).figures([books(**{"1_yes": 3, "2_yes": 10, "2_no": 4})])
    assert (found.redeemable, found.value) == (micro("5.5"), micro("5.5"))
    assert (found.cost, found.unrealised, found.realised) == (micro("6.8"), micro("-1.3"), micro("-0.03"))
    assert (found.equity, found.profit, found.unpriced) == (micro("105.5"), micro("-1.33"), 0)


def test_what_has_no_price_counts_at_its_cost_and_is_said_so() -> None:
    found = Valuation(FleetState(), {}).figures([books(**{"1_yes": 3, "2_yes": 10})])
    assert (found.value, found.unrealised, found.unpriced, found.redeemable) == (micro("5.2"), 0, 2, 0)


def test_a_share_is_worth_its_best_bid_and_nothing_where_only_offers_are_left() -> None:
    view = seen(MARKET, bids=(("0.4", 5),), asks=(("0.7", 5),), prices=(0.55,))
    assert (worth(view, YES), worth(view, NO)) == (micro("0.4"), micro("0.3"))
    assert worth(seen(MARKET, bids=(), prices=(0.55,)), YES) == 0
    # Somebody bids for it all the same: whoever offers the other outcome.
    assert worth(seen(MARKET, bids=(), prices=(0.55,)), NO) == micro("0.49")


def test_without_a_book_a_share_is_worth_its_last_price() -> None:
    empty = seen(MARKET, bids=(), asks=(), prices=(0.5, 0.8))
    assert (worth(empty, YES), worth(empty, NO)) == (micro("0.8"), micro("0.2"))
    ended = seen(replace(MARKET, accepting_orders=False), prices=(0.8,))
    assert worth(ended, YES) == micro("0.8")
    assert worth(seen(MARKET, bids=(), asks=()), YES) is None


def test_a_resolved_share_is_worth_its_payout() -> None:
    view = seen(replace(MARKET, payouts=(0, ONE), closed=True), prices=(0.8,))
    assert (worth(view, YES), worth(view, NO)) == (0, ONE)

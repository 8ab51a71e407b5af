from agents.fleet import FleetState
from agents.money import ONE, micro
from agents.portfolio import Book
from agents.valuation import Price, Valuation, quotes
from tests.unit.agents.worlds import market, seen


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

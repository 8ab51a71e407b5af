import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.model import Book, Level, Side
from agents.money import ONE, micro
from tests.unit.agents.worlds import levels, market, seen

ladders = st.lists(st.integers(min_value=1, max_value=99), unique=True, max_size=6)


@given(ladders, ladders)
def test_a_book_mirrored_twice_is_the_same(bids: list[int], asks: list[int]) -> None:
    book = Book(
        "yes",
        tuple(Level(price * 10_000, ONE) for price in sorted(bids, reverse=True)),
        tuple(Level(price * 10_000, ONE) for price in sorted(asks)),
    )
    mirror = book.mirrored("no")
    assert mirror.mirrored("yes") == book
    assert list(mirror.bids) == sorted(mirror.bids, key=lambda level: -level.price)
    assert list(mirror.asks) == sorted(mirror.asks, key=lambda level: level.price)


def test_best_prices_and_mid_come_from_the_first_levels() -> None:
    book = Book("yes", levels([("0.40", 5), ("0.39", 9)]), levels([("0.43", 5)]))
    assert (book.bid, book.ask, book.mid) == (micro("0.40"), micro("0.43"), micro("0.415"))


def test_a_side_that_is_empty_has_no_price() -> None:
    empty = Book("yes")
    assert (empty.bid, empty.ask, empty.mid) == (None, None, None)
    assert Book("yes", bids=levels([("0.4", 1)])).mid is None


def test_both_outcomes_of_a_view_are_one_book() -> None:
    first, second = seen(market(), [("0.30", 7)], [("0.35", 8)]).books
    assert (second.bid, second.ask) == (micro("0.65"), micro("0.70"))
    assert first.mid is not None
    assert second.mid == ONE - first.mid


def test_a_market_knows_its_own_tokens_only() -> None:
    assert market().outcome("1-no") == "No"
    with pytest.raises(ValueError, match="not in tuple"):
        market().index("2-yes")


def test_sides_have_an_opposite() -> None:
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)

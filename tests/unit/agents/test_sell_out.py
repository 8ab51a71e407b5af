from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.model import Book, Level, MarketView
from agents.money import ONE, micro
from agents.sell_out import Left, SellOut, limit_of, read_sell_out, sale, sell_out_data, why_not
from tests.unit.agents.worlds import market

MARKET = market()
TOKEN = MARKET.tokens[0]


def seen(*bids: str, **changes: object) -> MarketView:
    book = Book(TOKEN, tuple(Level(micro(bid), 100 * ONE) for bid in bids))
    age = changes.pop("age", 0.0)
    assert isinstance(age, float)
    return MarketView(replace(MARKET, **changes), (book, book.mirrored(MARKET.tokens[1])), (), age)  # type: ignore[arg-type]


@given(st.integers(1, 99), st.sampled_from([micro("0.01"), micro("0.001")]))
def test_the_limit_is_on_the_grid_and_at_most_a_tenth_below_the_bid(cents: int, tick: int) -> None:
    bid = cents * 10_000
    limit = limit_of(bid, tick)
    assert limit % tick == 0
    assert tick <= limit <= bid
    assert limit * 10 >= bid * 9


@pytest.mark.parametrize(
    ("view", "free", "limit", "reason"),
    [
        (None, ONE, None, "the venue knows no such market"),
        (seen("0.5", payouts=(ONE, 0), closed=True), ONE, None, "the market has resolved; they are paid out"),
        (seen("0.5", closed=True), ONE, None, "the market takes no orders now"),
        (seen("0.5", accepting_orders=False), ONE, None, "the market takes no orders now"),
        (seen("0.5", age=61.0), ONE, None, "nothing was heard of the market for a while, so its price is not known"),
        (seen("0.5"), 0, None, "an order on them is not settled yet"),
        (seen("0.5"), 9_999, None, "the venue sells no less than 0.01 shares"),
        (seen(), ONE, None, "nobody bids for them"),
        (seen("0.35"), ONE, micro("0.36"), "bids are below 0.36, a tenth less than the best bid when selling out began"),
        (seen("0.36"), ONE, micro("0.36"), None),
        (seen("0.36"), ONE, None, None),
    ],
)
def test_why_shares_are_not_sold(view: MarketView | None, free: int, limit: int | None, reason: str | None) -> None:
    assert why_not(view, TOKEN, free, limit) == reason


def test_a_sale_is_of_whole_hundredths_down_to_the_limit_on_the_grid_of_now() -> None:
    found = sale(seen("0.5", tick=micro("0.01")), TOKEN, micro("12.345678"), micro("0.455"))
    assert (found.action, found.size, found.price, found.quote) == ("sell", micro("12.34"), micro("0.46"), False)


def test_what_is_logged_reads_as_it_was_and_says_what_is_left() -> None:
    left = (
        Left("a", "1", micro("1.5"), "Will it rain?", "Yes", "nobody bids for them"),
        Left("", "2", ONE, "", "", "no agent owns them"),
    )
    known = SellOut({"1": micro("0.45")}, left)
    data = sell_out_data("main", 7, known)
    assert read_sell_out(data) == known
    assert data["message"] == "Wallet main still holds 2 positions: nobody bids for them; no agent owns them"
    assert sell_out_data("main", 7, SellOut())["message"] == "Wallet main is sold out"

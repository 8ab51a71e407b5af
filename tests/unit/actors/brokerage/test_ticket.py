"""Tickets: for every tick the amounts that are signed are on the grid, in whole cents where needed, and never too much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.brokerage.ticket import write_ticket
from agents.errors import InvalidInput
from agents.model import SIZE_STEP, Side, TimeInForce
from agents.money import ONE, micro, text
from agents.risk import step as size_step
from tests.unit.agents.worlds import decision, market

TICKS = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")
#: Decimals that the venue takes of (size, amount), by tick.
DECIMALS = {"0.1": (2, 3), "0.01": (2, 4), "0.005": (2, 5), "0.0025": (2, 6), "0.001": (2, 5), "0.0001": (2, 6)}


@given(
    tick=st.sampled_from(TICKS),
    place=st.integers(1, 9999),
    size=st.integers(1, 10_000_000_000),
    action=st.sampled_from(("buy", "sell")),
    quote=st.booleans(),
)
def test_signed_amounts_are_what_the_venue_takes(tick: str, place: int, size: int, action: str, quote: bool) -> None:
    width = micro(tick)
    price = (1 + place % (ONE // width - 1)) * width
    wanted = decision(market(1, tick=width), action, price=text(price), size=text(size), quote=quote)
    step = size_step(wanted)
    least = wanted.market.min_size if quote else step
    if size // step * step < least:
        with pytest.raises(InvalidInput, match=r"the least is|below the market's minimum"):
            write_ticket(wanted)
        return
    ticket, placed = write_ticket(wanted)
    shares = placed.size
    assert placed.price == price
    assert shares >= least
    cash = ticket.offered if ticket.side is Side.BUY else ticket.requested
    assert shares == (ticket.requested if ticket.side is Side.BUY else ticket.offered)
    assert 0 < shares <= size
    assert cash * ONE == shares * price, "the limit price is exactly the decision's"
    assert cash <= size * price // ONE, "never more than asked for"
    sizes, amounts = DECIMALS[tick]
    if ticket.order_type is TimeInForce.FAK and ticket.side is Side.BUY:
        assert cash % 10_000 == 0, "whole cents"
        assert shares % 100 == 0, "four decimals"
    else:
        assert shares % 10 ** (6 - sizes) == 0
        assert cash % 10 ** (6 - amounts) == 0
    assert shares % SIZE_STEP == 0


def test_a_quote_rests_post_only_and_anything_else_is_killed() -> None:
    of = market(1, neg_risk=True)
    quote, _ = write_ticket(decision(of, quote=True))
    taker, _ = write_ticket(decision(of))
    assert (quote.order_type, quote.post_only, quote.neg_risk) == (TimeInForce.GTC, True, True)
    assert (taker.order_type, taker.post_only) == (TimeInForce.FAK, False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"action": "hold"}, "a decision to hold is not an order"),
        ({"price": "0.005"}, "price 0.005 leaves none on the market's grid of 0.01"),
        ({"price": "0.995", "action": "sell"}, "price 0.995 leaves none on the market's grid of 0.01"),
        ({"price": "0"}, "price 0 leaves none on the market's grid of 0.01"),
        ({"price": "1"}, "price 1 leaves none on the market's grid of 0.01"),
        ({"size": "0.49", "price": "0.57"}, "a size of 0.49 is too small: at 0.57 the least is 1 shares"),
        ({"size": "4.99", "quote": True}, "a quote of 4.99 shares is below the market's minimum of 5"),
        ({"token_id": "stranger"}, "token stranger is not one of market 0x1"),
    ],
)
def test_what_the_venue_would_not_take_is_refused_with_one_sentence(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidInput) as error:
        write_ticket(decision(market(1), **changes))  # type: ignore[arg-type]
    assert str(error.value) == reason

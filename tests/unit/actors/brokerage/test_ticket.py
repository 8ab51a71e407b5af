"""Tickets: for every tick the amounts that are signed are on the grid, in whole cents where needed, and never too much."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polymarket._internal.actions.orders.context import _ROUNDING_BY_TICK
from polymarket._internal.actions.orders.post import _MAX_BATCH

from actors.brokerage.ticket import write_ticket
from actors.polymarket.trading import PLACE_BATCH
from agents.errors import InvalidInput
from agents.model import SIZE_STEP, Side, TimeInForce
from agents.money import ONE, micro, text
from agents.risk import spend
from tests.unit.agents.worlds import decision, market

TICKS = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")
#: Decimals that the venue takes of (size, amount), by tick.
DECIMALS = {"0.1": (2, 3), "0.01": (2, 4), "0.005": (2, 5), "0.0025": (2, 6), "0.001": (2, 5), "0.0001": (2, 6)}


#: How an order may be asked for: type, and whether it is a quote.
KINDS = (
    (TimeInForce.GTC, True),
    (TimeInForce.GTC, False),
    (TimeInForce.GTD, True),
    (TimeInForce.GTD, False),
    (TimeInForce.FOK, False),
    (TimeInForce.FAK, False),
)


@pytest.mark.parametrize("tick", TICKS)
@given(
    price=st.integers(1, ONE - 1),
    size=st.integers(1_000_000_000, 10_000_000_000) | st.integers(1, 10_000_000_000),
    action=st.sampled_from(("buy", "sell")),
    kind=st.sampled_from(KINDS),
    cap=st.none() | st.integers(50_000_000, 2_000_000_000),
)
def test_signed_amounts_are_price_and_size_exactly_and_never_worse_than_decided(
    tick: str, price: int, size: int, action: str, kind: tuple[TimeInForce, bool], cap: int | None
) -> None:
    width, (time_in_force, quote) = micro(tick), kind
    wanted = decision(
        market(1, tick=width),
        action,
        price=text(price),
        size=text(size),
        quote=quote,
        time_in_force=time_in_force,
        expires=1 if time_in_force is TimeInForce.GTD else None,
        max_spend=cap if action == "buy" else None,
    )
    try:
        ticket, placed = write_ticket(wanted, expiration=1_795_000_000)
    except InvalidInput:
        # Too small for the venue: which sizes those are has tests of its own.
        return
    shares = placed.size
    cash = ticket.offered if ticket.side is Side.BUY else ticket.requested
    assert shares == (ticket.requested if ticket.side is Side.BUY else ticket.offered)
    assert cash * ONE == shares * placed.price, "the signed amounts are the price exactly"
    assert placed.price % width == 0
    assert width <= placed.price <= ONE - width
    assert abs(placed.price - price) < width or placed.price in (width, ONE - width)
    assert placed.price <= price if action == "buy" else placed.price >= price, "never worse than decided"
    assert 0 < shares <= size, "never more than decided"
    assert cash <= size * price // ONE or action == "sell"
    if wanted.max_spend is not None:
        assert spend(placed) <= wanted.max_spend, "never beyond the cap, fee included"
    sizes, amounts = DECIMALS[tick]
    if placed.rests or action == "sell":
        assert shares % 10 ** (6 - sizes) == 0
        assert cash % 10 ** (6 - amounts) == 0
    else:
        assert cash % 10_000 == 0, "whole cents"
        assert shares % 100 == 0, "four decimals"
    assert shares % SIZE_STEP == 0
    assert (ticket.order_type, ticket.post_only) == (time_in_force, quote)
    assert ticket.expiration == (1_795_000_000 if time_in_force is TimeInForce.GTD else 0)
    if placed.rests:
        assert shares >= placed.market.min_size


@pytest.mark.parametrize("tick", TICKS)
@given(place=st.integers(1, 9999), size=st.integers(5 * ONE, 10_000_000_000), action=st.sampled_from(("buy", "sell")))
def test_what_is_on_the_grid_is_taken_as_it_is(tick: str, place: int, size: int, action: str) -> None:
    width = micro(tick)
    price = (1 + place % (ONE // width - 1)) * width
    wanted = decision(market(1, tick=width), action, price=text(price), size=text(size), quote=True)
    _, placed = write_ticket(wanted)
    assert (placed.price, placed.size) == (price, size // SIZE_STEP * SIZE_STEP)


@given(
    old=st.sampled_from(TICKS), new=st.sampled_from(TICKS), place=st.integers(1, 9999), action=st.sampled_from(("buy", "sell"))
)
def test_a_price_of_another_grid_is_moved_to_the_safe_side(old: str, new: str, place: int, action: str) -> None:
    before, now = micro(old), micro(new)
    price = (1 + place % (ONE // before - 1)) * before
    wanted = decision(market(1, tick=before), action, price=text(price), size="100", quote=True)
    down, up = price // now * now, -(-price // now) * now
    expected = min(down, ONE - now) if action == "buy" else max(up, now)
    if not now <= expected <= ONE - now:
        with pytest.raises(InvalidInput, match="leaves none on the market's grid"):
            write_ticket(replace(wanted, market=market(1, tick=now)))
        return
    _, placed = write_ticket(replace(wanted, market=market(1, tick=now)))
    assert (placed.price, placed.market.tick) == (expected, now)


def test_the_grids_are_those_of_the_library() -> None:
    library = {str(tick): (rounding.size, rounding.amount) for tick, rounding in _ROUNDING_BY_TICK.items()}
    assert library == DECIMALS
    assert PLACE_BATCH == _MAX_BATCH


def test_an_end_that_is_too_near_for_the_venue_rests() -> None:
    ticket, placed = write_ticket(decision(market(1), expires=5, quote=True), expiration=0)
    assert (ticket.order_type, ticket.expiration, ticket.post_only) == (TimeInForce.GTC, 0, True)
    assert placed.expires == 5


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

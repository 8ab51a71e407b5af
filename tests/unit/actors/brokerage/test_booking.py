"""Booking takes what the venue says in any order and any number of times."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.brokerage.booking import GRACE, Booking
from agents.events import Type
from agents.model import Side
from agents.money import ONE, fee, micro, notional
from agents.orders import OPEN, TRANSITIONS, OrderStatus
from tests.unit.actors.brokerage.desks import WALL, Bench, trade_of, venue_order

ENDS = ("LIVE", "MATCHED", "CANCELED", "CANCELED_MARKET_RESOLVED", "CANCELED_EXPIRED_ORDER", "INVALID")
STATUSES = ("MATCHED", "MINED", "CONFIRMED", "RETRYING", "FAILED")


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_fill_is_booked_once_however_often_it_is_reported(bench: Bench) -> None:
    order, booking = bench.order(), Booking(bench.desk)
    trade = trade_of(order, "t1", 4 * ONE)
    assert [await booking.trades([trade]) for _ in range(3)] == [1, 0, 0]
    assert [await booking.trades([replace(trade, status="CONFIRMED")]) for _ in range(2)] == [1, 0]
    assert len([event for event in bench.log.events if event.type is Type.TRADE]) == 1
    assert bench.desk.book("a").cash == 998 * ONE
    assert bench.log.states("o1") == ["sent", "partially_filled", "partially_filled"]


async def test_a_confirmation_that_overtakes_the_match_books_both(bench: Bench) -> None:
    order = bench.order()
    assert await Booking(bench.desk).trades([trade_of(order, "t1", 10 * ONE, "CONFIRMED")]) == 2
    assert bench.log.states("o1") == ["sent", "matched", "confirmed"]
    assert bench.desk.pending() == []


async def test_a_late_fill_of_a_cancelled_order_is_booked(bench: Bench) -> None:
    order, booking = bench.order(), Booking(bench.desk)
    await booking.end(order, OrderStatus.CANCELLED, "")
    await booking.trades([trade_of(order, "t1", 4 * ONE)])
    assert bench.log.states("o1") == ["sent", "cancelled", "cancelled"]
    assert bench.desk.book("a").positions[order.token_id].size == 4 * ONE


async def test_a_trade_that_failed_before_it_was_heard_of_is_booked_and_taken_back(bench: Bench) -> None:
    order = bench.order()
    assert await Booking(bench.desk).trades([trade_of(order, "t1", 4 * ONE, "FAILED")]) == 2
    book = bench.desk.book("a")
    assert (book.cash, book.positions[order.token_id].size, order.filled) == (1000 * ONE, 0, 4 * ONE)
    assert bench.desk.pending() == []
    assert await Booking(bench.desk).settle(order, venue_order(order, "CANCELED", 4 * ONE)), "the venue counts it as matched"
    assert not order.open


async def test_a_failed_settlement_is_taken_back(bench: Bench) -> None:
    order, booking = bench.order(order_type="FAK", post_only=False), Booking(bench.desk)
    await booking.trades([trade_of(order, "t1", 10 * ONE)])
    assert bench.desk.book("a").cash < 995 * ONE
    await booking.trades([trade_of(order, "t1", 10 * ONE, "FAILED")])
    assert bench.desk.book("a").cash == 1000 * ONE
    assert order.status is OrderStatus.FAILED


async def test_fills_of_a_deleted_agent_belong_to_nobody(bench: Bench) -> None:
    order = bench.order()
    del bench.desk.fleet.agents["a"]
    await Booking(bench.desk).trades([trade_of(order, "t1", 4 * ONE)])
    [trade, _, state] = [bench.log.events[1], bench.log.events[0], bench.log.events[2]]
    assert (trade.type, trade.agent_id, state.agent_id) == (Type.TRADE, None, None)


async def test_an_order_that_the_venue_calls_matched_is_looked_at_again_until_its_trades_show(bench: Bench) -> None:
    order, booking = bench.order(), Booking(bench.desk)
    assert not await booking.settle(order, venue_order(order, "MATCHED", 10 * ONE))
    assert bench.log.events == []
    bench.venue.listed["t1"] = trade_of(order, "t1", 10 * ONE)
    assert await booking.settle(order, venue_order(order, "MATCHED", 10 * ONE))
    assert order.status is OrderStatus.MATCHED


async def test_an_order_that_the_venue_does_not_know_expires_only_after_the_grace(bench: Bench) -> None:
    order, booking = bench.order(), Booking(bench.desk)
    bench.now = WALL + GRACE - 1
    assert not await booking.settle(order, None)
    bench.now = WALL + GRACE
    assert await booking.settle(order, None)
    assert bench.log.states("o1") == ["expired"]


_sizes = st.integers(1, 1000).map(lambda n: n * 10_000)


@st.composite
def _stories(draw: st.DrawFn) -> tuple[bool, list[tuple[str, str, int]]]:
    """Return whether the order takes, and what the venue says, in any order: (kind, status, trade number)."""
    steps = st.one_of(
        st.tuples(st.just("trade"), st.sampled_from(STATUSES), st.integers(0, 3)),
        st.tuples(st.just("order"), st.sampled_from(ENDS), st.integers(0, 1)),
        st.tuples(st.sampled_from(("missing", "unknown", "reject")), st.just(""), st.just(0)),
    )
    return draw(st.booleans()), draw(st.lists(steps, max_size=14))


@given(story=_stories(), sizes=st.lists(_sizes, min_size=4, max_size=4), buys=st.booleans())
@settings(max_examples=400, deadline=None)
def test_no_illegal_transition_is_ever_logged_and_the_books_are_the_sum_of_the_fills(
    story: tuple[bool, list[tuple[str, str, int]]], sizes: list[int], buys: bool
) -> None:
    asyncio.run(_tell(story, sizes, Side.BUY if buys else Side.SELL))


async def _tell(story: tuple[bool, list[tuple[str, str, int]]], sizes: list[int], side: Side) -> None:
    taking, steps = story
    bench = Bench()
    booking = Booking(bench.desk)
    order = bench.order(side, order_type="FAK" if taking else "GTC", post_only=not taking)
    final: dict[int, str] = {}
    for kind, status, number in steps:
        if kind == "trade":
            if final.get(number) in ("CONFIRMED", "FAILED"):
                status = final[number]  # A trade ends once.
            final[number] = status
            trade = trade_of(order, f"t{number}", sizes[number], status)
            bench.venue.listed[trade.id] = trade
            await booking.trades([trade])
        elif kind == "order":
            update = venue_order(order, status, order.filled)
            await (booking.report(update) if number else booking.settle(order, update))
        elif kind == "missing":
            bench.now += GRACE
            await booking.settle(order, None)
        elif kind == "unknown" and order.status is OrderStatus.SIGNED:
            await bench.desk.move(order, OrderStatus.UNKNOWN)
        elif kind == "reject":
            await booking.end(order, OrderStatus.REJECTED, "the venue refused it")
    states = [OrderStatus.SIGNED, *bench.log.states("o1")]
    for before, after in pairwise(states):
        assert after == before or after in TRANSITIONS[before], states
    assert order.status == states[-1]
    booked = [event.data["tradeId"] for event in bench.log.events if event.type is Type.TRADE]
    assert len(booked) == len(set(booked))
    cash = shares = 0
    for number, status in final.items():
        if status != "FAILED" and f"t{number}" in booked:
            cost = notional(sizes[number], order.price)
            paid = fee(sizes[number], order.price, order.market.fee.rate) if taking else 0
            cash += -cost - paid if side is Side.BUY else cost - paid
            shares += sizes[number] if side is Side.BUY else -sizes[number]
    book = bench.desk.book("a")
    assert book.cash == 1000 * ONE + cash
    assert sum(position.size for position in book.positions.values()) == shares
    assert book.profit == sum(micro(event.data["realised"]) for event in bench.log.events if "realised" in event.data)
    assert {number for number, status in final.items() if status != "FAILED"} == {
        int(key[1]) for key in booked if final[int(key[1])] != "FAILED"
    }
    if order.status not in OPEN | {OrderStatus.MATCHED, OrderStatus.PENDING}:
        assert order.held_cash == order.held_shares == 0

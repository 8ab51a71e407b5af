"""Simulated fills: never better than the book, never ahead of the queue, and cash and shares conserved to the micro-unit."""

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.paper.exchange import REPLENISHED, LiveBook, PaperExchange
from actors.sandbox.records import NewOrder, Placed, Refused, TradeRecord
from agents.model import FeeSchedule, Market, Side, TimeInForce
from agents.money import ONE, Micro, fee, micro, notional

ADDRESS = "0x" + "0" * 24 + "feedfeedfeedfeed"
CASH = 1_000 * ONE
MARKET = Market(
    id="1",
    condition_id="0x1",
    question="Will it?",
    slug="will-it",
    tokens=("11", "22"),
    outcomes=("Yes", "No"),
    tick=10_000,
    min_size=5 * ONE,
    fee=FeeSchedule(Decimal("0.05")),
)
EMPTY = LiveBook({}, {})


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """A paper exchange with one market, and the orders of one wallet."""

    def __init__(self, data_dir: str | None = None) -> None:
        self.clock = Clock()
        self.exchange = PaperExchange(
            data_dir, ADDRESS, CASH, wall=self.clock, monotonic=self.clock, ids=Random(7) if data_dir is None else None
        )
        self.exchange.know(MARKET)
        self._ids = count(1)

    def place(
        self, side: Side, price: str | Micro, size: str | Micro, live: LiveBook = EMPTY, kind: str = "FAK", *, leg: int = 0
    ) -> Placed:
        limit = micro(price) if isinstance(price, str) else price
        shares = micro(size) if isinstance(size, str) else size
        cash, buy = notional(shares, limit), side is Side.BUY
        quote = kind == "QUOTE"
        order = NewOrder(
            order_id=f"order-{next(self._ids)}",
            owner=ADDRESS,
            api_key="paper",
            token_id=MARKET.tokens[leg],
            side=side,
            maker_amount=cash if buy else shares,
            taker_amount=shares if buy else cash,
            order_type=TimeInForce.GTC if quote else TimeInForce(kind),
            post_only=quote,
        )
        return self.exchange.place(order, live)

    def quote(self, side: Side, price: str, size: str, live: LiveBook = EMPTY, *, leg: int = 0) -> str:
        return self.place(side, price, size, live, "QUOTE", leg=leg).order_id

    def matched(self, order_id: str) -> Micro:
        record = self.exchange.order(order_id)
        assert record is not None
        return record.matched

    def trade(self, side: Side, price: str, size: str, *, leg: int = 0) -> None:
        self.exchange.traded(MARKET.condition_id, MARKET.tokens[leg], side, micro(price), micro(size))

    def held(self, leg: int = 0) -> Micro:
        return self.exchange.shares().get(MARKET.tokens[leg], ("", 0))[1]


def levels(**sizes: str) -> dict[Micro, Micro]:
    """Return levels: p40="10" is ten shares at 0.40."""
    return {int(name[1:]) * 10_000: micro(size) for name, size in sizes.items()}


def mine(trade: TradeRecord) -> tuple[Side, Micro, Micro]:
    """Return side, price and fee of the wallet's part in a trade."""
    side = trade.taker if trade.taker.owner == ADDRESS else trade.maker
    return side.side, side.price, side.fee


def test_shares_that_were_taken_are_not_there_again_at_once() -> None:
    desk = Desk()
    live = LiveBook({}, levels(p50="10", p52="10"))
    desk.place(Side.BUY, "0.5", "10", live)
    with pytest.raises(Refused, match="no orders found"):
        desk.place(Side.BUY, "0.5", "10", live)
    desk.place(Side.BUY, "0.52", "50", live)
    assert desk.held() == 20 * ONE
    desk.clock.now += REPLENISHED + 1
    desk.place(Side.BUY, "0.5", "10", live)
    assert desk.held() == 30 * ONE


def test_a_maker_is_filled_after_those_who_were_there_before() -> None:
    desk = Desk()
    order = desk.quote(Side.BUY, "0.40", "10", LiveBook(levels(p40="30"), levels(p45="10")))
    desk.trade(Side.SELL, "0.41", "100")
    assert desk.matched(order) == 0, "somebody with a better price had it"
    desk.trade(Side.BUY, "0.40", "100")
    assert desk.matched(order) == 0, "a buyer meets no bid"
    desk.trade(Side.SELL, "0.40", "28")
    assert desk.matched(order) == 0
    desk.trade(Side.BUY, "0.60", "5", leg=1)  # The same as a sale of the first outcome at 0.40.
    assert desk.matched(order) == 3 * ONE
    desk.trade(Side.SELL, "0.39", "4")
    assert desk.matched(order) == 7 * ONE, "a trade beyond the price came past it"
    desk.trade(Side.SELL, "0.39", "100")
    assert desk.matched(order) == 10 * ONE
    assert desk.exchange.cash() == CASH - 4 * ONE, "its own price, no fee"
    assert desk.held() == 10 * ONE


def test_two_orders_at_one_price_share_what_goes_past_the_queue() -> None:
    desk = Desk()
    first = desk.quote(Side.BUY, "0.40", "10", LiveBook(levels(p40="5"), {}))
    second = desk.quote(Side.BUY, "0.40", "10", LiveBook(levels(p40="2"), {}))
    desk.trade(Side.SELL, "0.40", "12")
    assert (desk.matched(first), desk.matched(second)) == (7 * ONE, 0)
    desk.trade(Side.SELL, "0.40", "5")
    assert (desk.matched(first), desk.matched(second)) == (10 * ONE, 2 * ONE)


def test_a_live_book_that_crosses_a_resting_order_is_no_trade() -> None:
    desk = Desk()
    order = desk.quote(Side.BUY, "0.40", "10", LiveBook({}, levels(p45="10")))
    desk.place(Side.BUY, "0.44", "10", LiveBook({}, levels(p39="10")))
    assert (desk.matched(order), desk.held()) == (0, 10 * ONE)
    assert desk.exchange.cash() == CASH - micro("3.9") - fee(10 * ONE, 390_000, MARKET.fee.rate), "the live ask's price"


def test_what_is_left_of_a_taker_may_rest() -> None:
    desk = Desk()
    placed = desk.place(Side.BUY, "0.50", "20", LiveBook({}, levels(p48="8")), "GTC")
    assert placed.status == "live"
    assert desk.matched(placed.order_id) == 8 * ONE
    desk.trade(Side.SELL, "0.50", "100")
    assert desk.held() == 20 * ONE


def test_an_account_is_as_it_was_after_a_kill(tmp_path: Path) -> None:
    desk = Desk(str(tmp_path))
    live = LiveBook(levels(p40="30"), levels(p45="10"))
    desk.place(Side.BUY, "0.45", "10", live)
    order = desk.quote(Side.BUY, "0.40", "10", live)
    desk.trade(Side.SELL, "0.40", "10")
    desk.exchange.commit()
    before = desk.exchange.cash(), desk.exchange.shares(), desk.exchange.open_orders(), desk.exchange.trades()
    desk.exchange._store.close()  # Nothing more is written, as in a kill.
    again = Desk(str(tmp_path))
    assert (again.exchange.cash(), again.exchange.shares(), again.exchange.open_orders(), again.exchange.trades()) == before
    again.trade(Side.SELL, "0.40", "25")
    assert 0 < again.matched(order) <= 5 * ONE, "its place in the queue is no better than it was"
    again.exchange.close()


def test_payouts_are_fractions() -> None:
    desk = Desk()
    desk.place(Side.BUY, "0.50", "10", LiveBook({}, levels(p50="10")))
    rests = desk.quote(Side.BUY, "0.40", "10")
    left = desk.exchange.cash()
    desk.exchange.resolve(MARKET.condition_id, (ONE // 2, ONE // 2))
    record = desk.exchange.order(rests)
    assert record is not None
    assert record.state == "CANCELED"
    id = desk.exchange.redeem(MARKET.condition_id)
    assert desk.exchange.payouts(MARKET.condition_id) == [(id, 5 * ONE)]
    assert desk.exchange.cash() == left + 5 * ONE
    assert desk.exchange.shares() == {}
    assert desk.exchange.imbalance() == 0


def test_a_market_that_takes_no_orders_takes_none() -> None:
    desk = Desk()
    desk.exchange.know(replace(MARKET, accepting_orders=False))
    with pytest.raises(Refused, match="not yet ready"):
        desk.quote(Side.BUY, "0.40", "10")


prices = st.integers(1, 99).map(lambda cents: cents * 10_000)
sizes = st.integers(500, 5_000).map(lambda hundredths: hundredths * 10_000)
ladders = st.dictionaries(prices, sizes, max_size=5)
steps = st.one_of(
    st.tuples(
        st.just("place"),
        st.sampled_from(Side),
        st.sampled_from([0, 1]),
        prices,
        sizes,
        st.sampled_from(["FAK", "GTC", "QUOTE"]),
    ),
    st.tuples(st.just("trade"), st.sampled_from(Side), st.sampled_from([0, 1]), prices, sizes, st.just("")),
    st.tuples(st.just("cancel"), st.sampled_from(Side), st.sampled_from([0, 1]), prices, sizes, st.just("")),
)


@given(books=st.lists(st.tuples(ladders, ladders), min_size=1, max_size=4), script=st.lists(steps, max_size=25))
def test_no_fill_is_better_than_the_market_and_nothing_is_made_or_lost(
    books: list[tuple[dict[Micro, Micro], dict[Micro, Micro]]],
    script: list[tuple[str, Side, int, Micro, Micro, str]],
) -> None:
    desk = Desk()
    exchange = desk.exchange
    seen = 0
    for n, (what, side, leg, price, size, kind) in enumerate(script):
        bids, asks = books[n % len(books)]
        best = max(bids, default=0)
        live = LiveBook(bids, {level: amount for level, amount in asks.items() if level > best})
        before = {order.order_id: order.matched for order in exchange.open_orders()}
        desk.clock.now += 1
        if what == "place":
            # As the broker does, which lets no wallet trade with itself.
            if any(_meets(order.side, order.token_id, order.price, side, leg, price) for order in exchange.open_orders()):
                continue
            with suppress(Refused):
                desk.place(side, price, size, live, kind, leg=leg)
        elif what == "trade":
            exchange.traded(MARKET.condition_id, MARKET.tokens[leg], side, price, size)
            after = {order_id: desk.matched(order_id) for order_id in before}
            assert sum(after[id] - before[id] for id in before) <= size
        elif open_orders := exchange.open_orders():
            exchange.cancel([open_orders[0].order_id])
        new = exchange.trades()[seen:]
        seen += len(new)
        for trade in new:
            taker = trade.taker.owner == ADDRESS
            assert taker == (what == "place")
            own = trade.taker if taker else trade.maker
            first = own.token_id == MARKET.tokens[0]
            level = own.price if first else ONE - own.price
            bid = (own.side is Side.BUY) == first
            if taker:
                assert trade.size <= live.side(not bid)[level], "as much as the book had at that level"
                assert own.fee == fee(trade.size, own.price, MARKET.fee.rate)
            else:
                assert own.fee == 0
                hit = price if leg == 0 else ONE - price
                assert level >= hit if bid else level <= hit, "the trade came to its price"
    assert exchange.imbalance() == 0
    cash, held = CASH, [0, 0]
    for trade in exchange.trades():
        side, price, paid = mine(trade)
        own = trade.taker if trade.taker.owner == ADDRESS else trade.maker
        sign = 1 if side is Side.BUY else -1
        cash -= sign * notional(trade.size, price) + paid
        held[MARKET.tokens.index(own.token_id)] += sign * trade.size
    assert exchange.cash() == cash >= 0
    assert [desk.held(0), desk.held(1)] == held
    assert min(held) >= 0


def _meets(own_side: Side, token_id: str, own_price: Micro, side: Side, leg: int, price: Micro) -> bool:
    own_first, first = token_id == MARKET.tokens[0], leg == 0
    own_bid, bid = (own_side is Side.BUY) == own_first, (side is Side.BUY) == first
    own_level, level = own_price if own_first else ONE - own_price, price if first else ONE - price
    return own_bid != bid and (level >= own_level if bid else level <= own_level)

"""An order's life as a state machine: whatever the venue does and says, in any order and any number of times, the log obeys.

The venue here takes orders or loses them, fills, cancels and settles; what it says of it arrives late, twice, out of order
or never; the broker dies and its successor goes on with the log alone.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from actors.brokerage.booking import GRACE, Booking
from actors.brokerage.breakers import Breakers
from actors.brokerage.cancelling import Cancelling
from actors.brokerage.delivery import Delivery
from actors.brokerage.fills import VenueFill
from actors.brokerage.notices import order_event
from actors.brokerage.orders import Order
from actors.polymarket.account import VenueOrder, VenueTrade
from actors.polymarket.trading import Reply
from agents.events import Event, Type
from agents.model import Side
from agents.money import ONE, micro
from agents.orders import OPEN, TRANSITIONS, OrderStatus
from agents.portfolio import Portfolio
from tests.unit.actors.brokerage.desks import KEY, Bench, trade_of, venue_order

S = OrderStatus
SIZE = 10 * ONE
ENDED = frozenset({S.CONFIRMED, S.FAILED, S.CANCELLED, S.EXPIRED, S.REJECTED})


class Life(RuleBasedStateMachine):
    """`said` is all that the venue has ever said: frames and listings, which may arrive again at any time."""

    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.created = 0
        self.trades = 0
        self.taken: dict[str, Order] = {}
        self.said: list[VenueOrder | VenueTrade] = []
        self._begin()

    def _begin(self) -> None:
        self.booking = Booking(self.bench.desk)
        self.delivery = Delivery(self.bench.desk, self.booking, Cancelling(self.bench.desk, self.booking), Breakers())

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(work)

    def _now(self, order_id: str) -> Order:
        """Return the order as the broker has it, from the log if it does not track it."""
        found = self._do(self.bench.desk.find(order_id))
        assert isinstance(found, Order)
        return found

    # What the broker does.

    @rule(target=orders, taking=st.booleans(), side=st.sampled_from(Side))
    def sign(self, taking: bool, side: Side) -> str:
        """Store an order; whether it is ever sent is open."""
        self.created += 1
        order = self.bench.order(
            side,
            SIZE,
            id=f"o{self.created}",
            intent_id=f"i{self.created}",
            order_type="FAK" if taking else "GTC",
            post_only=not taking,
            created=int(self.bench.now * 1000),
        )
        desk = self.bench.desk
        events = [order_event(desk.source, "main", order, status, 0) for status in (S.INTENDED, S.SIGNED)]
        self._do(desk.record(events))
        return order.id

    @rule(order_id=orders)
    def lose_the_answer(self, order_id: str) -> None:
        """Give up waiting for an answer."""
        self._do(self.delivery._unknown(self._now(order_id), "no answer"))

    @rule(order_id=orders)
    def answer(self, order_id: str) -> None:
        """Take the venue's answer, if it has the order and has said nothing of it yet."""
        order, found = self._now(order_id), self.bench.venue.orders.get(order_id)
        if found is None or order.status is not S.SIGNED:
            return
        mine = [trade.id for trade in self.bench.venue.listed.values() if order_id in _parties(trade)]
        self._do(self.delivery._answered(order, Reply(order_id, "live" if found.status == "LIVE" else "matched", tuple(mine))))

    @rule(order_id=orders)
    def refuse(self, order_id: str) -> None:
        """Take the venue's refusal, where it does not have the order."""
        order = self._now(order_id)
        if order_id not in self.bench.venue.orders and order.status is S.SIGNED:
            self.taken[order_id] = order  # It will not take it any more.
            self._do(self.booking.end(order, S.REJECTED, "no"))

    @rule(order_id=orders)
    def ask(self, order_id: str) -> None:
        """Ask for an order, as a broker does that is in doubt."""
        order, found = self._now(order_id), self.bench.venue.orders.get(order_id)
        if order.open:
            if found is None and self.bench.now - max(order.created / 1000, order.sent) >= GRACE:
                self.taken[order_id] = order
            self._do(self.booking.settle(order, found))

    @rule()
    def die(self) -> None:
        """Let a successor go on with the log alone."""
        log, venue, now = self.bench.log, self.bench.venue, self.bench.now
        self.bench = Bench()
        self.bench.log, self.bench.venue, self.bench.now = log, venue, now
        desk = self.bench.desk
        desk.ledger = cast(Any, self)
        desk._source = desk.source.__class__("broker:main", 2 + self.created + self.trades, cast(Any, log), lambda: now)
        desk.connected(cast(Any, venue))
        for event in log.events:
            desk.portfolio.apply(event)
            if event.type is Type.TRADE:
                desk.known[event.data["id"]] = event.data["timestamp"] // 1000
        self._begin()
        for number in range(1, self.created + 1):
            if (order := self._now(f"o{number}")).open or order.unsettled:
                desk.orders.refresh(order)

    async def order(self, order_id: str) -> dict[str, Any] | None:
        """Answer as the ledger does."""
        found = [event for event in self._order_events() if event.data["orderId"] == order_id]
        return found[-1].data | {"agentId": found[-1].agent_id, "created": found[0].timestamp} if found else None

    # What the venue does.

    @rule(order_id=orders, part=st.integers(0, 10))
    def take(self, order_id: str, part: int) -> None:
        """Take an order that was sent: a quote rests, a taker is filled as far as there is something."""
        order = self._now(order_id)
        if order_id in self.taken or order.status not in (S.SIGNED, S.UNKNOWN):
            return
        self.taken[order_id] = order
        if not order.taking:
            self._keep(venue_order(order, "LIVE"))
        elif part:
            self._keep(venue_order(order, "MATCHED", part * ONE))
            self._trade(order, part)

    @rule(order_id=orders, part=st.integers(1, 10))
    def fill(self, order_id: str, part: int) -> None:
        """Fill a part of a resting order."""
        found = self.bench.venue.orders.get(order_id)
        if found is None or found.status != "LIVE":
            return
        part = min(part * ONE, found.size - found.matched) // ONE
        matched = found.matched + part * ONE
        self._keep(replace(found, matched=matched, status="MATCHED" if matched == found.size else "LIVE"))
        self._trade(self._now(order_id), part)

    @rule(order_id=orders, status=st.sampled_from(("CANCELED", "CANCELED_EXPIRED_ORDER")))
    def end(self, order_id: str, status: str) -> None:
        """Cancel or expire a resting order."""
        found = self.bench.venue.orders.get(order_id)
        if found is not None and found.status == "LIVE":
            self._keep(replace(found, status=status))

    @rule(number=st.integers(1, 40), fails=st.booleans())
    def clear(self, number: int, fails: bool) -> None:
        """Settle a trade, or let it fail."""
        trade = self.bench.venue.listed.get(f"t{number}")
        if trade is not None and trade.status not in ("CONFIRMED", "FAILED"):
            status = {"MATCHED": "MINED", "MINED": "FAILED" if fails else "CONFIRMED"}[trade.status]
            self._list(replace(trade, status=status))

    @rule(seconds=st.sampled_from((0.5, GRACE + 1)))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.bench.now += seconds

    @rule(number=st.integers(0, 10**6))
    def hear(self, number: int) -> None:
        """Let something arrive that the venue has said at some time, maybe again."""
        if self.said:
            self._hear(self.said[number % len(self.said)])

    def _hear(self, said: VenueOrder | VenueTrade) -> None:
        if isinstance(said, VenueTrade):
            self._do(self.booking.trades([said]))
        else:
            self._do(self.booking.report(said))

    def _keep(self, found: VenueOrder) -> None:
        self.bench.venue.orders[found.id] = found
        self.said.append(found)

    def _trade(self, order: Order, part: int) -> None:
        self.trades += 1
        self._list(trade_of(order, f"t{self.trades}", part * ONE))

    def _list(self, trade: VenueTrade) -> None:
        self.bench.venue.listed[trade.id] = trade
        self.said.append(trade)

    # What must hold.

    def _order_events(self) -> list[Event]:
        return [event for event in self.bench.log.events if event.type is Type.ORDER]

    @invariant()
    def each_state_may_follow_the_one_before(self) -> None:
        """The log shows no step that the state machine has not."""
        last: dict[str, OrderStatus] = {}
        for event in self._order_events():
            order_id, status = event.data["orderId"], OrderStatus(event.data["status"])
            if order_id in last:
                assert status == last[order_id] or status in TRANSITIONS[last[order_id]], (last[order_id], status)
            else:
                assert status is S.INTENDED, "it begins with the intent"
            last[order_id] = status

    @invariant()
    def no_fill_is_booked_twice_or_invented(self) -> None:
        """What orders say is filled is what the trades add up to, and each of those the venue has made."""
        keys, filled = set(), dict[str, int]()
        for event in self.bench.log.events:
            if event.type is Type.TRADE:
                assert event.data["id"] not in keys
                keys.add(event.data["id"])
                assert event.data["tradeId"] in self.bench.venue.listed
                assert event.agent_id == "a"
                filled[event.data["orderId"]] = filled.get(event.data["orderId"], 0) + micro(event.data["size"])
            elif event.type is Type.ORDER:
                assert micro(event.data["filled"]) == filled.get(event.data["orderId"], 0)
                assert micro(event.data["filled"]) <= SIZE

    @invariant()
    def the_broker_knows_what_the_log_says(self) -> None:
        """Books and tracked orders are what a fold of the log makes of it."""
        desk, folded = self.bench.desk, Portfolio()
        for event in self.bench.log.events:
            folded.apply(event)
        book = folded.wallets.get("main", {}).get("a")
        mine = desk.portfolio.wallets["main"]["a"]
        assert book is None or book.positions == mine.positions
        assert folded.pending.keys() == desk.portfolio.pending.keys()
        latest = {event.data["orderId"]: event.data for event in self._order_events()}
        for order_id, data in latest.items():
            order = desk.orders.get(order_id)
            if order is not None:
                assert (order.status, order.filled) == (data["status"], micro(data["filled"]))
                assert order.held_cash >= 0
                assert order.open == (order.status in OPEN)

    def teardown(self) -> None:
        """In the end, when the venue was asked for everything, no order is in doubt and no cent is missing."""
        self.bench.now += GRACE + 1
        for trade in list(self.bench.venue.listed.values()):
            if trade.status not in ("CONFIRMED", "FAILED"):
                self._list(replace(trade, status="CONFIRMED"))
        orders = [self._now(f"o{number}") for number in range(1, self.created + 1)]
        for order in orders:
            if order.open:
                self._do(self.booking.settle(order, self.bench.venue.orders.get(order.id)))
        self._do(self.booking.trades(self.bench.venue.listed.values()))
        for order in orders:
            found = self.bench.venue.orders.get(order.id)
            if found is not None and found.status == "LIVE":
                assert order.status in (S.LIVE, S.PARTIALLY_FILLED)
            else:
                assert order.status in ENDED, order
        desk = self.bench.desk
        fills = [self._fill(trade) for trade in self.bench.venue.listed.values()]
        held = sum(fill.size if fill.side is Side.BUY else -fill.size for fill in fills)
        position = desk.book("a").positions.get(self.bench.market.tokens[0])
        assert (position.size if position else 0) == held
        assert desk.pending() == []
        self.each_state_may_follow_the_one_before()
        self.no_fill_is_booked_twice_or_invented()
        super().teardown()

    def _fill(self, trade: VenueTrade) -> VenueFill:
        [leg] = [leg for leg in (trade.taker, *trade.makers) if leg.owner == KEY]
        size = 0 if trade.status == "FAILED" else leg.size
        return VenueFill(
            trade.id, leg.order_id, "", leg.token_id, leg.side, size, leg.price, 0, False, trade.status, "", trade.matched_at
        )


def _parties(trade: VenueTrade) -> set[str]:
    return {trade.taker.order_id, *(maker.order_id for maker in trade.makers)}


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

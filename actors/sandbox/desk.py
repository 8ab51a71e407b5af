"""The order desk: takes, delays, matches, rests, cancels and expires orders."""

import heapq
from collections.abc import Iterable

from actors.sandbox import matching
from actors.sandbox.accounts import Account
from actors.sandbox.book import Book, Order
from actors.sandbox.floor import Floor
from actors.sandbox.listing import Listing
from actors.sandbox.matching import Fill
from actors.sandbox.order_checks import EXPIRY_MARGIN, check
from actors.sandbox.records import Cancelled, NewOrder, OrderState, OrderUpdated, Placed, Refused
from actors.sandbox.settlement import Settlement
from agents.model import Side, TimeInForce
from agents.money import Micro, notional

_FOK = "order couldn't be fully filled. FOK orders are fully filled or killed."
_FAK = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
_BALANCE = "not enough balance / allowance"


class Desk:
    """Orders of users and of the house. House orders are not checked, not reported and not kept once closed."""

    def __init__(self, floor: Floor, settlement: Settlement) -> None:
        self._floor = floor
        self._settlement = settlement
        self._delayed: list[tuple[int, int, Order]] = []
        self._expiring: list[tuple[int, int, Order]] = []
        self._n = 0
        self._places = 0

    def place(self, new: NewOrder) -> Placed:
        """Take a user's order."""
        floor = self._floor
        owner = new.owner.lower()
        floor.faults.before("place", owner)
        listing = floor.listing_of(new.token_id)
        if listing is None or listing.book is None:
            raise Refused(f"the orderbook {new.token_id} does not exist")
        if new.order_id in floor.orders or new.order_id in floor.closed or floor.archive(new.order_id):
            raise Refused(f"order {new.order_id} is invalid. Duplicated.")
        order = self._build(new, listing)
        self._check_balance(order, new.maker_amount)
        crosses = matching.crosses(listing.book, order)
        if new.post_only and crosses:
            raise Refused("invalid post-only order: order crosses book")
        if not crosses and new.order_type in (TimeInForce.FOK, TimeInForce.FAK):
            raise Refused(_FOK if new.order_type is TimeInForce.FOK else _FAK)
        if crosses and listing.record.taker_delay:
            self._accept(order, OrderState.DELAYED)
            self._hold(order, order.budget or self._need(order))
            self._push(self._delayed, order.created_wall + listing.record.taker_delay, order)
            return Placed(order.order_id, "delayed", 0, 0)
        fills = self._plan(listing.book, listing, order)
        self._accept(order, OrderState.LIVE)
        self._run(listing, order, fills)
        floor.report(listing)
        return self._placed(order)

    def _build(self, new: NewOrder, listing: Listing) -> Order:
        market = listing.record
        terms = check(new, market, self._floor.wall())
        return Order(
            order_id=new.order_id,
            account=self._floor.accounts.get(new.owner.lower()),
            api_key=new.api_key,
            condition_id=market.condition_id,
            token_id=new.token_id,
            outcome=market.outcome(new.token_id),
            leg=market.index(new.token_id),
            side=new.side,
            price=terms.price,
            size=terms.size,
            order_type=new.order_type,
            post_only=new.post_only,
            created_wall=self._floor.wall_ms(),
            expiration=new.expiration,
            signer=new.signer,
            budget=terms.budget,
        )

    def _check_balance(self, order: Order, amount: Micro) -> None:
        account = order.account
        available = account.available if order.side is Side.BUY else account.free(order.token_id)
        if amount > available:
            raise Refused(_BALANCE)

    def _plan(self, book: Book, listing: Listing, order: Order) -> list[Fill]:
        """Return an order's matches, or refuse it: not enough to fill a FOK or FAK, or not enough cash for the fees."""
        fills = matching.plan(book, order, listing.record.fee)
        if order.order_type is TimeInForce.FOK and not matching.filled(order, fills):
            raise Refused(_FOK)
        if order.order_type is TimeInForce.FAK and not fills:
            raise Refused(_FAK)
        if order.account.house:
            return fills
        cash, fees = sum(fill.cash for fill in fills), sum(fill.fee for fill in fills)
        if order.side is Side.BUY:
            rests = order.order_type in (TimeInForce.GTC, TimeInForce.GTD)
            left = order.remaining - sum(fill.size for fill in fills)
            outlay = cash + fees + (notional(left, order.price) if rests else 0)
        else:
            outlay = fees - cash
            if order.remaining > order.account.free(order.token_id):
                raise Refused(_BALANCE)
        if outlay > order.account.available:
            raise Refused(_BALANCE)
        return fills

    def _accept(self, order: Order, state: OrderState) -> None:
        order.state = state
        if order.account.house:
            return
        floor = self._floor
        floor.orders[order.order_id] = order
        floor.open_orders.setdefault(order.account.address, {})[order.order_id] = order
        self._changed(order, "PLACEMENT")
        if order.order_type is TimeInForce.GTD:
            self._push(self._expiring, (order.expiration - EXPIRY_MARGIN) * 1000, order)

    def _run(self, listing: Listing, order: Order, fills: list[Fill]) -> None:
        """Carry matches out, then rest or end what is left of the order."""
        book = listing.book
        assert book is not None
        for fill in fills:
            maker = fill.maker
            ladder = book.side(maker.bid)
            listing.touch(maker.bid, maker.level)
            ladder.reduce(maker, fill.size)
            self._release(maker, fill)
            self._settlement.match(listing, order, fill)
            if maker.remaining == 0:
                ladder.remove(maker)
                self._close(maker, OrderState.MATCHED)
            elif not maker.account.house:
                self._changed(maker, "UPDATE")
        immediate = order.order_type in (TimeInForce.FOK, TimeInForce.FAK)
        if order.remaining == 0 or immediate:
            self._close(order, OrderState.MATCHED)
        else:
            order.state = OrderState.LIVE
            self._hold(order, self._need(order))
            self._places += 1
            order.place = self._places
            book.side(order.bid).add(order)
            listing.touch(order.bid, order.level)
            if fills and not order.account.house:
                self._changed(order, "UPDATE")

    def _placed(self, order: Order) -> Placed:
        making, taking = (order.cash, order.matched) if order.side is Side.BUY else (order.matched, order.cash)
        status = "live" if order.open else "matched"
        return Placed(order.order_id, status, making, taking, tuple(order.trade_ids))

    def house(
        self, listing: Listing, account: Account, leg: int, side: Side, price: Micro, size: Micro, *, rest: bool
    ) -> Order | None:
        """Place a house order: match it and, if asked, rest what is left; returns it while it rests. The caller reports."""
        if listing.book is None:
            return None
        record = listing.record
        order = Order(
            order_id=self._floor.hash(),
            account=account,
            api_key="",
            condition_id=record.condition_id,
            token_id=record.tokens[leg],
            outcome=record.outcomes[leg],
            leg=leg,
            side=side,
            price=price,
            size=size,
            order_type=TimeInForce.GTC if rest else TimeInForce.FAK,
            created_wall=self._floor.wall_ms(),
        )
        fills = matching.plan(listing.book, order, record.fee)
        if not fills and not rest:
            return None
        self._run(listing, order, fills)
        return order if order.open else None

    def withdraw(self, listing: Listing, order: Order) -> None:
        """Take a resting house order off; the caller reports the book."""
        if listing.book is not None and order.open:
            listing.book.side(order.bid).remove(order)
            listing.touch(order.bid, order.level)
            order.state = OrderState.CANCELED

    def cancel(self, owner: str, order_ids: Iterable[str]) -> Cancelled:
        """Cancel some of an owner's orders."""
        floor = self._floor
        owner = owner.lower()
        floor.faults.before("cancel", owner)
        canceled: list[str] = []
        refused: dict[str, str] = {}
        mine = floor.open_orders.get(owner, {})
        for order_id in dict.fromkeys(order_ids):
            order = mine.get(order_id)
            if order is None:
                refused[order_id] = "order can't be found - already canceled or matched"
            elif order.state is OrderState.DELAYED:
                refused[order_id] = "order is delayed and can't be canceled"
            else:
                self.end(order, OrderState.CANCELED)
                canceled.append(order_id)
        return Cancelled(tuple(canceled), refused)

    def end(self, order: Order, state: OrderState, reason: str = "") -> None:
        """End a user's open order."""
        listing = self._floor.listings[order.condition_id]
        if order.state is OrderState.LIVE and listing.book is not None:
            listing.book.side(order.bid).remove(order)
            listing.touch(order.bid, order.level)
        self._close(order, state, reason)
        self._floor.report(listing)

    def restore(self, orders: Iterable[Order]) -> None:
        """Put stored open orders back, in the order of their arrival: onto their books, or to the end of their delays."""
        floor = self._floor
        resting = []
        for order in orders:
            floor.orders[order.order_id] = order
            floor.open_orders.setdefault(order.account.address, {})[order.order_id] = order
            if order.order_type is TimeInForce.GTD:
                self._push(self._expiring, (order.expiration - EXPIRY_MARGIN) * 1000, order)
            if order.state is OrderState.DELAYED:
                delay = floor.listings[order.condition_id].record.taker_delay
                self._push(self._delayed, order.created_wall + delay, order)
                self._hold(order, order.budget or self._need(order))
            else:
                self._hold(order, self._need(order))
                resting.append(order)
        for order in sorted(resting, key=lambda order: order.place):
            book = floor.listings[order.condition_id].book
            assert book is not None
            book.side(order.bid).add(order)
            self._places = order.place

    def run_due(self, wall: int) -> None:
        """Match the orders whose delay is over and end those that expired."""
        while self._delayed and self._delayed[0][0] <= wall:
            order = heapq.heappop(self._delayed)[2]
            if order.state is OrderState.DELAYED:
                self._resume(order)
        while self._expiring and self._expiring[0][0] <= wall:
            order = heapq.heappop(self._expiring)[2]
            if order.open:
                self.end(order, OrderState.EXPIRED, "expired")

    def _resume(self, order: Order) -> None:
        listing = self._floor.listings[order.condition_id]
        if listing.book is None:
            return
        self._hold(order, 0)
        try:
            fills = self._plan(listing.book, listing, order)
        except Refused as refusal:
            self._close(order, OrderState.CANCELED, refusal.message)
            return
        order.state = OrderState.LIVE
        self._run(listing, order, fills)
        if order.open and not fills:
            self._changed(order, "UPDATE")
        self._floor.report(listing)

    def _need(self, order: Order) -> Micro:
        return notional(order.remaining, order.price) if order.side is Side.BUY else order.remaining

    def _hold(self, order: Order, amount: Micro) -> None:
        """Set what an order reserves."""
        if order.account.house or amount == order.held:
            return
        token_id = None if order.side is Side.BUY else order.token_id
        self._floor.accounts.reserve(order.account, token_id, amount - order.held)
        order.held = amount

    def _release(self, maker: Order, fill: Fill) -> None:
        used = notional(fill.size, maker.price) if maker.side is Side.BUY else fill.size
        self._hold(maker, maker.held - used if not maker.account.house else 0)

    def _close(self, order: Order, state: OrderState, reason: str = "") -> None:
        order.state = state
        order.reason = reason
        if order.account.house:
            return
        self._hold(order, 0)
        floor = self._floor
        floor.orders.pop(order.order_id, None)
        floor.open_orders[order.account.address].pop(order.order_id, None)
        self._changed(order, "UPDATE" if state is OrderState.MATCHED else "CANCELLATION")
        floor.keep(order.record())

    def _changed(self, order: Order, kind: str) -> None:
        floor = self._floor
        floor.journal.orders[order.order_id] = None
        floor.journal.urgent = True
        floor.emit(OrderUpdated(kind, order.record(), floor.wall_ms()))

    def _push(self, heap: list[tuple[int, int, Order]], due: int, order: Order) -> None:
        self._n += 1
        heapq.heappush(heap, (due, self._n, order))

"""The simulated part of paper trading: one wallet's orders and balances, filled by what the live books and trades allow.

It is the sandbox's exchange with another house: instead of programs that quote, the live book is laid out for the moment in
which an order is placed, and a public trade becomes a trade with the orders that it would have reached. So checks, fees,
settlement, order types and the database are the same code. What is on a book between two orders is the wallet's own alone.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random

from actors.paper.queue import Queue
from actors.sandbox.accounts import HOUSE_MAKER, HOUSE_TAKER
from actors.sandbox.book import Book, Order
from actors.sandbox.exchange import Exchange
from actors.sandbox.floor import Listener
from actors.sandbox.listing import Listing
from actors.sandbox.records import MarketRecord, NewOrder, OrderRecord, Placed, Refused, TradeRecord
from actors.sandbox.restoration import restore
from actors.sandbox.store import Store
from agents.model import Market, Side
from agents.money import ONE, Micro

#: Seconds for which shares that were taken from the live book, which does not know of that, are not there again.
REPLENISHED = 30.0

_QUEUES = "queues"


@dataclass(frozen=True, slots=True)
class LiveBook:
    """The levels of a market's first token as the venue shows them, by price."""

    bids: Mapping[Micro, Micro]
    asks: Mapping[Micro, Micro]
    tick: Micro | None = None

    def side(self, bid: bool) -> Mapping[Micro, Micro]:
        """Return the bids or the asks."""
        return self.bids if bid else self.asks


class PaperExchange:
    """One wallet's simulated trading, kept in a directory. What changed is on disk once `commit` has returned.

    `wall` gives epoch seconds, `monotonic` the seconds of a clock that never jumps; `ids` is where ids come from.

    Raises:
        InvalidInput: if the directory cannot be used.
        Conflict: if another process has it open.
    """

    def __init__(
        self,
        data_dir: str | None,
        address: str,
        cash: Micro,
        *,
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        ids: Random | None = None,
    ) -> None:
        self.address = address.lower()
        self._monotonic = monotonic
        self._store = Store(data_dir)
        self._exchange = Exchange(wall, lambda: int(wall() * 1000), ids=ids)
        self._floor = self._exchange.floor
        self._floor.archive = self._store.order
        #: Shares taken from the live book: by market, side and level the size and when it was taken.
        self._taken: defaultdict[tuple[str, bool, Micro], list[tuple[float, Micro]]] = defaultdict(list)
        self._queues: dict[str, Queue] = {}
        if facts := self._store.facts():
            self._floor.deposited = int(facts["deposited"])
            restore(self._store, self._exchange)
            stored: dict[str, Micro] = json.loads(self._store.document(_QUEUES) or "{}")
            self._queues = {order.order_id: Queue(stored.get(order.order_id, 0)) for order in self._floor.orders.values()}
        else:
            self._exchange.fund(self.address, cash)
            self._commit()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every change, before it is on disk; returns a function that ends it."""
        return self._exchange.subscribe(listener)

    def commit(self) -> None:
        """Make what changed durable; cheap when nothing did."""
        if self._floor.journal.urgent:
            self._commit()

    def close(self) -> None:
        """Let go of the directory."""
        self._commit()
        self._store.close()

    def _commit(self) -> None:
        now = self._monotonic()
        self._queues = {order_id: queue for order_id, queue in self._queues.items() if order_id in self._floor.orders}
        self._store.put_document(_QUEUES, json.dumps({id: queue.ahead(now) for id, queue in self._queues.items()}))
        self._store.commit(self._exchange, {"deposited": str(self._floor.deposited)})

    # Markets

    def know(self, market: Market) -> None:
        """List a market of the venue, or take in what has changed of it."""
        listing = self._floor.listings.get(market.condition_id)
        if listing is None:
            self._exchange.open_market(_record(market))
            return
        record = listing.record
        fresh = replace(record, accepting_orders=market.accepting_orders, fee=market.fee, min_size=market.min_size)
        if not record.closed and fresh != record:
            listing.record = fresh
            self._floor.journal.markets[market.condition_id] = None

    def market(self, id: str) -> MarketRecord | None:
        """Return a market that was listed, by condition id or token."""
        return self._exchange.market(id) or self._exchange.market_by_token(id)

    def watched(self) -> dict[str, tuple[str, str]]:
        """Return the markets with open orders: their tokens by condition id."""
        listings = (self._floor.listings[order.condition_id].record for order in self._floor.orders.values())
        return {record.condition_id: record.tokens for record in listings}

    def resolve(self, condition_id: str, payouts: tuple[Micro, Micro]) -> None:
        """Take in what a market's shares pay: its orders end."""
        self._exchange.resolve(condition_id, payouts)

    def withdraw(self, condition_id: str) -> None:
        """Cancel the orders in a market whose book the venue has taken away."""
        self._exchange.cancel_market(self.address, condition_id)

    # Orders

    def place(self, order: NewOrder, live: LiveBook) -> Placed:
        """Match an order with the live book as far as its type, its limit and the book go, and rest what is left of it.

        Raises:
            Refused: in the venue's words.
        """
        listing = self._floor.listing_of(order.token_id)
        if listing is None or listing.book is None:
            raise Refused(f"the orderbook {order.token_id} does not exist")
        if live.tick and live.tick != listing.record.tick:
            self._exchange.change_tick(listing, live.tick)
        with self._laid_out(listing, listing.book, live):
            placed = self._exchange.place(order)
        resting = self._floor.orders.get(order.order_id)
        if resting is not None:
            before = [self._ahead(other) for other in self._beside(resting)]
            shown = live.side(resting.bid).get(resting.level, 0)
            # Who came later is never before who came earlier, whatever was cancelled in between.
            self._queues[order.order_id] = Queue(max([shown, *before]))
        return placed

    @contextmanager
    def _laid_out(self, listing: Listing, book: Book, live: LiveBook) -> Iterator[None]:
        """Put the live book's levels on the book, less what was taken from them lately, and take off what is left after."""
        laid = [
            self._maker(listing, bid, level, left)
            for bid in (True, False)
            for level, size in live.side(bid).items()
            if 0 < level < ONE and (left := size - self._gone(listing.record.condition_id, bid, level)) > 0
        ]
        for order in laid:
            # Not placed: a level that crosses one of our own resting orders is no trade yet.
            book.side(order.bid).add(order)
        try:
            yield
        finally:
            now = self._monotonic()
            for order in laid:
                if order.matched:
                    self._taken[listing.record.condition_id, order.bid, order.level].append((now, order.matched))
                self._exchange.desk.withdraw(listing, order)
            listing.touched.clear()

    def _maker(self, listing: Listing, bid: bool, level: Micro, size: Micro) -> Order:
        # The house has no shares: it offers the first token by bidding for the second, which makes a set of both.
        leg = 0 if bid else 1
        return Order(
            order_id=self._floor.hash(),
            account=self._floor.accounts.get(HOUSE_MAKER),
            api_key="",
            condition_id=listing.record.condition_id,
            token_id=listing.record.tokens[leg],
            outcome=listing.record.outcomes[leg],
            leg=leg,
            side=Side.BUY,
            price=level if bid else ONE - level,
            size=size,
        )

    def _gone(self, condition_id: str, bid: bool, level: Micro) -> Micro:
        key = condition_id, bid, level
        since = self._monotonic() - REPLENISHED
        fresh = [(moment, size) for moment, size in self._taken.pop(key, ()) if moment > since]
        if fresh:
            self._taken[key] = fresh
        return sum(size for _, size in fresh)

    def cancel(self, order_ids: list[str]) -> tuple[set[str], dict[str, str]]:
        """Cancel orders; return those that are cancelled and, for the others, why not."""
        result = self._exchange.cancel(self.address, order_ids)
        return set(result.canceled), result.not_canceled

    def cancel_all(self) -> set[str]:
        """Cancel all orders; return those that are cancelled."""
        return set(self._exchange.cancel_all(self.address).canceled)

    def beat(self, heartbeat_id: str) -> str:
        """Take a dead-man heartbeat and return the id of the next. Raises Refused for another than `expected_beat`."""
        return self._exchange.heartbeat(self.address, heartbeat_id)

    def expected_beat(self) -> str:
        """Return the id that the next heartbeat must carry, "" if none is running."""
        return self._exchange.expected_heartbeat(self.address)

    def run_due(self) -> None:
        """Do what time has made due: trades settle, orders expire, or are cancelled where no heartbeat came."""
        self._exchange.run_due()

    # What the venue shows

    def traded(self, condition_id: str, token_id: str, side: Side, price: Micro, size: Micro) -> None:
        """Take in a public trade, as its taker made it: fill the orders that it would have reached.

        Those at a better price than the trade's would have come first; at its price the trade first goes through the queue.
        All together get no more than was traded.
        """
        listing = self._floor.listings.get(condition_id)
        if listing is None or listing.book is None:
            return
        leg = listing.record.index(token_id)
        hits_bids = (side is Side.SELL) == (leg == 0)
        level = price if leg == 0 else ONE - price
        now, left = self._monotonic(), size
        fills: list[tuple[Order, Micro]] = []
        for order in list(listing.book.side(hits_bids).makers()):
            if order.level == level:
                past = self._queues[order.order_id].trade(size, now)
                # Of what went past the queue, our own orders before this one have had their part.
                wanted = min(order.remaining, left, past - (size - left))
            elif (order.level > level) == hits_bids:
                wanted = min(order.remaining, left)
            else:
                break
            if wanted > 0:
                fills.append((order, wanted))
                left -= wanted
        for order, wanted in fills:
            self._fill(listing, order, wanted)

    def _fill(self, listing: Listing, order: Order, size: Micro) -> None:
        """Let the house trade with a resting order: it buys what the order sells, or the other token, which makes a set."""
        leg = 1 if order.bid else 0
        price = ONE - order.level if order.bid else order.level
        taker = self._floor.accounts.get(HOUSE_TAKER)
        self._exchange.desk.house(listing, taker, leg, Side.BUY, price, size, rest=False)

    def shown(self, condition_id: str, token_id: str, side: Side, price: Micro, size: Micro) -> None:
        """Take in what the live book shows at one level of one token."""
        listing = self._floor.listings.get(condition_id)
        if listing is None or listing.book is None:
            return
        leg, now = listing.record.index(token_id), self._monotonic()
        level = price if leg == 0 else ONE - price
        for order in listing.book.side((side is Side.BUY) == (leg == 0)).at(level):
            self._queues[order.order_id].show(size, now)

    def shown_whole(self, condition_id: str, live: LiveBook) -> None:
        """Take in a whole live book."""
        listing = self._floor.listings.get(condition_id)
        if listing is None or listing.book is None:
            return
        now = self._monotonic()
        for bid in (True, False):
            for order in listing.book.side(bid).makers():
                self._queues[order.order_id].show(live.side(bid).get(order.level, 0), now)

    def _ahead(self, order: Order) -> Micro:
        return self._queues[order.order_id].ahead(self._monotonic())

    def _beside(self, order: Order) -> list[Order]:
        """Return our other orders at an order's price."""
        book = self._floor.listings[order.condition_id].book
        assert book is not None
        return [other for other in book.side(order.bid).at(order.level) if other is not order]

    # Reading

    def order(self, order_id: str) -> OrderRecord | None:
        """Return an order, whatever became of it."""
        return self._exchange.order(order_id)

    def open_orders(self) -> list[OrderRecord]:
        """Return the open orders, oldest first."""
        return self._exchange.open_orders(self.address)

    def trades(self) -> list[TradeRecord]:
        """Return the trades, oldest first."""
        return list(reversed(self._exchange.trades(self.address)))

    def trade(self, trade_id: str) -> TradeRecord | None:
        """Return one trade, or None."""
        return self._exchange.trade(trade_id)

    def cash(self) -> Micro:
        """Return the wallet's simulated pUSD."""
        return self._exchange.cash(self.address).total

    def shares(self) -> dict[str, tuple[str, Micro]]:
        """Return the condition id and the shares of each token that the wallet holds."""
        return {row.token_id: (row.condition_id, row.size) for row in self._exchange.positions(self.address) if row.size}

    def redeem(self, condition_id: str) -> str:
        """Pay out the shares of a resolved market; returns the id of that. Raises Refused while it has not resolved."""
        return self._exchange.redeem(self.address, condition_id)

    def payouts(self, condition_id: str) -> list[tuple[str, Micro]]:
        """Return the payouts of a market so far, newest first: their ids and the pUSD that they brought."""
        rows = self._exchange.activity(self.address)
        return [
            (row.transaction_hash, row.cash) for row in rows if row.condition_id == condition_id and str(row.kind) == "REDEEM"
        ]

    def imbalance(self) -> Micro:
        """Return by how much all cash and collateral differ from what was deposited: always 0."""
        return self._exchange.imbalance()


def _record(market: Market) -> MarketRecord:
    return MarketRecord(
        id=market.id,
        condition_id=market.condition_id,
        question_id="",
        question=market.question,
        slug=market.slug,
        description="",
        category="",
        tags=market.tags,
        event_id=market.event_id,
        event_slug=market.event_id,
        event_title=market.event_title,
        tokens=market.tokens,
        outcomes=market.outcomes,
        tick=market.tick,
        min_size=market.min_size,
        fee=market.fee,
        created=0,
        start=0,
        end=market.end,
        neg_risk=market.neg_risk,
        accepting_orders=market.accepting_orders,
    )

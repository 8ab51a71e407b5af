"""The trading floor: the state and the means that the parts of the exchange share."""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from random import Random
from uuid import UUID

from actors.sandbox.accounts import Accounts
from actors.sandbox.book import Order
from actors.sandbox.faults import Faults
from actors.sandbox.journal import Journal
from actors.sandbox.listing import Listing
from actors.sandbox.records import ActivityKind, ActivityRecord, Change, EventRecord, OrderRecord, Refused, TradeRecord
from agents.money import Micro

log = logging.getLogger(__name__)

Listener = Callable[[Change], None]

#: Closed orders, and trades and other activity of each address, that stay in memory; older ones are in the store alone.
KEPT = 20_000


class Floor:
    """All that is listed, held, ordered and traded; and clocks, ids, listeners."""

    def __init__(self, wall: Callable[[], float], venue_now: Callable[[], int], ids: Random, faults: Faults) -> None:
        self.wall = wall
        self.venue_now = venue_now
        self.faults = faults
        self.journal = Journal()
        self.accounts = Accounts(self.journal)
        self.listings: dict[str, Listing] = {}
        #: Condition ids by token, and by other names of a market: "id:..." and "slug:...".
        self.conditions: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.events: dict[str, EventRecord] = {}
        #: Event ids by slug.
        self.event_slugs: dict[str, str] = {}
        self.orders: dict[str, Order] = {}
        self.closed: OrderedDict[str, OrderRecord] = OrderedDict()
        self.open_orders: dict[str, dict[str, Order]] = {}
        self.trades: dict[str, TradeRecord] = {}
        self.trade_ids: dict[str, deque[str]] = {}
        self.activity: dict[str, deque[ActivityRecord]] = {}
        self.activity_seq = 0
        #: All cash that was ever given to users.
        self.deposited: Micro = 0
        #: Looks an order up that has left memory.
        self.archive: Callable[[str], OrderRecord | None] = lambda _: None
        self._ids = ids
        self._listeners: list[Listener] = []

    def wall_ms(self) -> int:
        """Return wall time in epoch milliseconds."""
        return int(self.wall() * 1000)

    def hash(self) -> str:
        """Return a new 32-byte hash for a transaction or a house order."""
        return f"0x{self._ids.getrandbits(256):064x}"

    def uuid(self) -> str:
        """Return a new UUID."""
        return str(UUID(int=self._ids.getrandbits(128), version=4))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; the returned function removes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def emit(self, change: Change) -> None:
        """Tell every listener."""
        for listener in self._listeners:
            listener(change)

    def report(self, listing: Listing) -> None:
        """Tell listeners what changed in a book."""
        change = listing.drain(self.wall_ms())
        if change is not None:
            self.emit(change)

    def listing(self, condition_id: str) -> Listing:
        """Return a listed market. Raises Refused (404) for an unknown one."""
        listing = self.listings.get(condition_id)
        if listing is None:
            raise Refused("market not found", 404)
        return listing

    def listing_of(self, token_id: str) -> Listing | None:
        """Return the market of a token."""
        condition_id = self.conditions.get(token_id)
        return self.listings[condition_id] if condition_id else None

    def add(self, listing: Listing) -> None:
        """List a market and add it to its event."""
        record = listing.record
        self.listings[record.condition_id] = listing
        for token_id in record.tokens:
            self.conditions[token_id] = record.condition_id
        self.names[f"id:{record.id}"] = self.names[f"slug:{record.slug}"] = record.condition_id
        self.event_slugs[record.event_slug] = record.event_id
        event = self.events.get(record.event_id)
        self.events[record.event_id] = EventRecord(
            id=record.event_id,
            slug=record.event_slug,
            title=record.event_title,
            category=record.category,
            tags=record.tags,
            neg_risk=record.neg_risk,
            neg_risk_market_id=record.neg_risk_market_id,
            created=event.created if event else record.created,
            start=event.start if event else record.start,
            end=record.end,
            condition_ids=(*(event.condition_ids if event else ()), record.condition_id),
        )

    def keep(self, record: OrderRecord) -> None:
        """Remember a closed order, and forget the oldest one."""
        self.closed[record.order_id] = record
        if len(self.closed) > KEPT:
            self.closed.popitem(last=False)

    def add_trade(self, trade: TradeRecord) -> None:
        """Remember a trade of users by each of its owners, and forget the oldest."""
        self.trades[trade.trade_id] = trade
        for owner in dict.fromkeys((trade.taker.owner, trade.maker.owner)):
            if self.accounts.get(owner).house:
                continue
            ids = self.trade_ids.setdefault(owner, deque())
            ids.append(trade.trade_id)
            if len(ids) > KEPT:
                self.trades.pop(ids.popleft(), None)

    def add_activity(self, record: ActivityRecord) -> None:
        """Remember what happened to an account."""
        self.activity.setdefault(record.owner, deque(maxlen=KEPT)).append(record)

    def note_activity(
        self, kind: ActivityKind, owner: str, *, condition_id: str = "", token_id: str = "", size: Micro = 0, cash: Micro = 0
    ) -> str:
        """Record a movement that is not a trade and return its new transaction hash."""
        self.activity_seq += 1
        record = ActivityRecord(
            seq=self.activity_seq,
            kind=kind,
            owner=owner,
            condition_id=condition_id,
            token_id=token_id,
            side=None,
            size=size,
            price=cash * 1_000_000 // size if size else 0,
            cash=cash,
            fee=0,
            taker=False,
            trade_id="",
            transaction_hash=self.hash(),
            timestamp=self.wall_ms(),
            venue_time=self.venue_now(),
        )
        self.add_activity(record)
        self.journal.activity.append(record)
        self.journal.urgent = True
        return record.transaction_hash

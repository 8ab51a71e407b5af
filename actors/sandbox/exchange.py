"""The exchange: markets, books, accounts, orders, trades and settlement of the simulated venue.

Synchronous, without I/O: wall time and venue time are parameters, the store drains what changed. Any method that acts may
raise `Refused` with the venue's own wording. Addresses are taken in any case and shown in lower case.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

from actors.sandbox.custody import Custody
from actors.sandbox.desk import Desk
from actors.sandbox.faults import Faults, Mishap
from actors.sandbox.floor import Floor, Listener
from actors.sandbox.heartbeats import Heartbeats
from actors.sandbox.listing import Listing
from actors.sandbox.records import (
    ActivityKind,
    ActivityRecord,
    Balance,
    BookSnapshot,
    Cancelled,
    Credentials,
    EventRecord,
    LastTrade,
    MarketOpened,
    MarketRecord,
    MarketResolved,
    MarketStats,
    NewOrder,
    OrderRecord,
    OrderState,
    Placed,
    PositionRecord,
    Refused,
    TickSizeChanged,
    TradeRecord,
)
from actors.sandbox.settlement import Settlement
from agents.model import Side
from agents.money import Micro, notional

_NO_BOOK = "No orderbook exists for the requested token id"


class Exchange:
    """One venue. `wall` gives wall seconds, `venue_now` venue milliseconds; `ids` is where ids and hashes come from."""

    def __init__(
        self,
        wall: Callable[[], float],
        venue_now: Callable[[], int],
        faults: Faults | None = None,
        ids: Random | None = None,
    ) -> None:
        self.floor = Floor(wall, venue_now, ids or Random(), faults or Faults())
        self.settlement = Settlement(self.floor)
        self.desk = Desk(self.floor, self.settlement)
        self.heartbeats = Heartbeats(self.floor)
        self._custody = Custody(self.floor)
        self._credentials: dict[str, Credentials] = {}

    @property
    def faults(self) -> Faults:
        """What may go wrong."""
        return self.floor.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.floor.faults = faults

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every change, in order, from within the call that made it; returns a function that ends it.

        The change is not durable yet then: commit the venue before a client sees it.
        """
        return self.floor.subscribe(listener)

    # Markets

    def markets(self) -> Iterable[MarketRecord]:
        """Return all markets that opened, resolved ones included, oldest first."""
        return [listing.record for listing in self.floor.listings.values()]

    def market(self, condition_id: str) -> MarketRecord | None:
        """Return a market by its condition id."""
        listing = self.floor.listings.get(condition_id)
        return listing.record if listing else None

    def market_by_id(self, id: str) -> MarketRecord | None:
        """Return a market by its numeric Gamma id."""
        return self.market(self.floor.names.get(f"id:{id}", ""))

    def market_by_slug(self, slug: str) -> MarketRecord | None:
        """Return a market by its slug."""
        return self.market(self.floor.names.get(f"slug:{slug}", ""))

    def market_by_token(self, token_id: str) -> MarketRecord | None:
        """Return the market of a token."""
        listing = self.floor.listing_of(token_id)
        return listing.record if listing else None

    def events(self) -> Iterable[EventRecord]:
        """Return all event groups, oldest first."""
        return list(self.floor.events.values())

    def event(self, id: str) -> EventRecord | None:
        """Return an event group by its id or slug."""
        return self.floor.events.get(id) or self.floor.events.get(self.floor.event_slugs.get(id, ""))

    def stats(self, condition_id: str) -> MarketStats:
        """Return a market's volume, best and last prices. Raises KeyError for an unknown one."""
        return self.floor.listings[condition_id].stats(self.floor.venue_now())

    def book_snapshot(self, token_id: str) -> BookSnapshot:
        """Return the book of a token. Raises Refused (404) if there is none (unknown or resolved)."""
        listing = self.floor.listing_of(token_id)
        if listing is None or listing.book is None:
            raise Refused(_NO_BOOK, 404)
        return listing.snapshot(listing.record.index(token_id))

    def last_trade(self, token_id: str) -> LastTrade | None:
        """Return the latest trade seen from a token, or None."""
        listing = self.floor.listing_of(token_id)
        return listing.last_trade(listing.record.index(token_id)) if listing else None

    def market_trades(self, condition_id: str) -> list[TradeRecord]:
        """Return the latest trades of a market, the house's own included, newest first (at most 200; 20 once it resolved)."""
        listing = self.floor.listings.get(condition_id)
        return list(reversed(listing.trades)) if listing else []

    def open_market(self, record: MarketRecord) -> Listing:
        """List a market."""
        floor = self.floor
        listing = Listing(record, updated_wall=floor.wall_ms())
        floor.add(listing)
        floor.journal.markets[record.condition_id] = None
        floor.journal.urgent = True
        floor.emit(MarketOpened(record, floor.wall_ms()))
        return listing

    def change_tick(self, listing: Listing, tick: Micro) -> None:
        """Give a market another price grid; resting orders stay."""
        floor = self.floor
        old = listing.record.tick
        listing.record = replace(listing.record, tick=tick)
        floor.journal.markets[listing.record.condition_id] = None
        floor.journal.urgent = True
        floor.emit(TickSizeChanged(listing.record, old, tick, floor.wall_ms()))

    def resolve(self, condition_id: str, payouts: tuple[Micro, Micro], at: int | None = None) -> None:
        """Close a market with what a share of each token pays (as of venue time `at`): its orders end, its book goes."""
        floor = self.floor
        listing = floor.listings[condition_id]
        if listing.record.closed:
            return
        for order in [order for order in floor.orders.values() if order.condition_id == condition_id]:
            self.desk.end(order, OrderState.CANCELED, "market resolved")
        payouts = floor.faults.payouts(listing.record, payouts)
        listing.book = None
        listing.touched.clear()
        listing.trades = deque(listing.trades, maxlen=20)
        listing.record = replace(
            listing.record,
            accepting_orders=False,
            closed=True,
            uma_status="resolved",
            payouts=payouts,
            resolved_at=floor.venue_now() if at is None else at,
        )
        self._custody.redeem_house(listing)
        floor.journal.markets[condition_id] = None
        floor.journal.listings.add(condition_id)
        floor.journal.urgent = True
        floor.emit(MarketResolved(listing.record, floor.wall_ms()))

    # Orders

    def place(self, order: NewOrder) -> Placed:
        """Check an order, match it and rest what is left of it, as its type says."""
        return self.desk.place(order)

    def cancel(self, owner: str, order_ids: Iterable[str]) -> Cancelled:
        """Cancel some of an address's orders."""
        return self.desk.cancel(owner, order_ids)

    def cancel_all(self, owner: str) -> Cancelled:
        """Cancel all orders of an address."""
        return self.desk.cancel(owner, list(self.floor.open_orders.get(owner.lower(), {})))

    def cancel_market(self, owner: str, condition_id: str = "", token_id: str = "") -> Cancelled:
        """Cancel an address's orders in one market, on one token, or both."""
        return self.desk.cancel(
            owner,
            [
                order.order_id
                for order in self.floor.open_orders.get(owner.lower(), {}).values()
                if condition_id in ("", order.condition_id) and token_id in ("", order.token_id)
            ],
        )

    def order(self, order_id: str) -> OrderRecord | None:
        """Return a user's order, whatever became of it."""
        order = self.floor.orders.get(order_id)
        return order.record() if order else self.floor.closed.get(order_id) or self.floor.archive(order_id)

    def open_orders(self, owner: str) -> list[OrderRecord]:
        """Return an address's open orders (live and delayed), oldest first."""
        return [order.record() for order in self.floor.open_orders.get(owner.lower(), {}).values()]

    def trades(self, owner: str) -> list[TradeRecord]:
        """Return the trades in which an address was taker or maker, newest first (the latest 20,000)."""
        return [
            self.floor.trades[id] for id in reversed(self.floor.trade_ids.get(owner.lower(), ())) if id in self.floor.trades
        ]

    def trade(self, trade_id: str) -> TradeRecord | None:
        """Return a trade in which a user took part."""
        return self.floor.trades.get(trade_id)

    def heartbeat(self, owner: str, heartbeat_id: str) -> str:
        """Take a dead-man heartbeat and return the id for the next; 10 wall seconds without one cancel all orders.

        Raises Refused "Invalid Heartbeat ID" (400) for a wrong id; `expected_heartbeat` tells the right one.
        """
        return self.heartbeats.beat(owner.lower(), heartbeat_id)

    def expected_heartbeat(self, owner: str) -> str:
        """Return the id that the next heartbeat of an address must carry ("" if none is running)."""
        return self.heartbeats.expected(owner.lower())

    def run_due(self) -> None:
        """Do what wall time has made due: settlements, ends of delays, expiries, missed heartbeats."""
        wall = self.floor.wall_ms()
        for mishap in self.floor.faults.mishaps(self._busy()):
            self._befall(mishap)
        self.settlement.run_due(wall)
        self._end_uncovered()
        self.desk.run_due(wall)
        for owner in self.heartbeats.missed(wall):
            for order in list(self.floor.open_orders.get(owner, {}).values()):
                if order.state is OrderState.LIVE:
                    self.desk.end(order, OrderState.CANCELED, "heartbeat missed")

    def _end_uncovered(self) -> None:
        """End the orders, the latest first, of users whose trades were taken back and who cannot cover them any more."""
        recalled, self.settlement.recalled = self.settlement.recalled, set()
        for owner in recalled:
            account = self.floor.accounts.get(owner)
            for order in reversed(list(self.floor.open_orders.get(owner, {}).values())):
                left = account.available if order.side is Side.BUY else account.free(order.token_id)
                if left < 0 and order.state is OrderState.LIVE:
                    self.desk.end(order, OrderState.CANCELED, "not enough balance / allowance")

    def _busy(self) -> list[MarketRecord]:
        """Return the open markets in which users have open orders."""
        found = dict.fromkeys(order.condition_id for order in self.floor.orders.values())
        return [self.floor.listings[condition_id].record for condition_id in found]

    def _befall(self, mishap: Mishap) -> None:
        match mishap.kind:
            case "close":
                self.resolve(mishap.condition_id, mishap.payouts)
            case "tick":
                self.change_tick(self.floor.listings[mishap.condition_id], mishap.tick)
            case "revoke":
                for api_key in list(self._credentials):
                    self.delete_credentials(api_key)

    # Accounts

    def fund(self, owner: str, cash: Micro) -> str:
        """Give an address cash and return the transaction's hash."""
        return self._custody.fund(owner.lower(), cash)

    def withdraw(self, owner: str, cash: Micro) -> str:
        """Take cash out of an address and return the transaction's hash."""
        return self._custody.withdraw(owner.lower(), cash)

    def addresses(self) -> list[str]:
        """Return the users' addresses that hold an account."""
        return [address for address, account in self.floor.accounts.all.items() if not account.house]

    def cash(self, owner: str) -> Balance:
        """Return an address's pUSD."""
        account = self.floor.accounts.all.get(owner.lower())
        return Balance(account.cash, account.reserved) if account else Balance(0, 0)

    def shares(self, owner: str, token_id: str) -> Balance:
        """Return an address's shares of one token."""
        account = self.floor.accounts.all.get(owner.lower())
        holding = account.holdings.get(token_id) if account else None
        return Balance(holding.size, holding.reserved) if holding else Balance(0, 0)

    def positions(self, owner: str) -> list[PositionRecord]:
        """Return every token that an address ever held, the latest touched first."""
        return self.floor.accounts.positions(owner.lower())

    def activity(self, owner: str) -> list[ActivityRecord]:
        """Return an address's history, newest first. A trade that failed is left out."""
        owner = owner.lower()
        rows = list(self.floor.activity.get(owner, ()))
        for trade in self.trades(owner):
            for side, taker in ((trade.taker, True), (trade.maker, False)):
                if side.owner != owner or trade.status == "FAILED":
                    continue
                rows.append(
                    ActivityRecord(
                        seq=0,
                        kind=ActivityKind.TRADE,
                        owner=owner,
                        condition_id=trade.condition_id,
                        token_id=side.token_id,
                        side=side.side,
                        size=trade.size,
                        price=side.price,
                        cash=notional(trade.size, side.price),
                        fee=side.fee,
                        taker=taker,
                        trade_id=trade.trade_id,
                        transaction_hash=trade.transaction_hash,
                        timestamp=trade.match_wall,
                        venue_time=trade.venue_time,
                    )
                )
        # Of one millisecond's rows the trades, which have no seq, count as the later ones.
        return sorted(rows, key=lambda row: (row.timestamp, not row.seq, row.seq), reverse=True)

    def split(self, owner: str, condition_id: str, amount: Micro) -> str:
        """Turn pUSD into as many shares of both tokens; returns the transaction's hash."""
        return self._custody.split(owner.lower(), condition_id, amount)

    def merge(self, owner: str, condition_id: str, amount: Micro) -> str:
        """Turn shares of both tokens back into pUSD; returns the transaction's hash."""
        return self._custody.merge(owner.lower(), condition_id, amount)

    def redeem(self, owner: str, condition_id: str, token_ids: Iterable[str] | None = None) -> str:
        """Pay out an address's shares of a resolved market (of some tokens only, if named); returns the transaction's hash.

        Shares that pay nothing are given up too. With nothing to redeem it changes nothing, like the contract.
        """
        return self._custody.redeem(owner.lower(), condition_id, token_ids)

    def imbalance(self) -> Micro:
        """Return by how much all cash and collateral differ from what was deposited: always 0."""
        cash = sum(account.cash for account in self.floor.accounts.all.values())
        return cash + sum(listing.collateral for listing in self.floor.listings.values()) - self.floor.deposited

    # API credentials

    def put_credentials(self, credentials: Credentials) -> None:
        """Store an address's API credentials, replacing earlier ones of the same key."""
        stored = replace(credentials, address=credentials.address.lower())
        self._credentials[stored.api_key] = stored
        self.floor.journal.credentials.append(stored)
        self.floor.journal.urgent = True

    def credentials(self, address: str) -> list[Credentials]:
        """Return an address's API credentials."""
        return [stored for stored in self._credentials.values() if stored.address == address.lower()]

    def credentials_of_key(self, api_key: str) -> Credentials | None:
        """Return the credentials of an API key."""
        return self._credentials.get(api_key)

    def delete_credentials(self, api_key: str) -> None:
        """Forget an API key."""
        if self._credentials.pop(api_key, None):
            self.floor.journal.deleted_keys.append(api_key)
            self.floor.journal.urgent = True

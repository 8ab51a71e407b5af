"""The exchange: markets, books, accounts, orders, trades and settlement of the simulated venue.

Synchronous, without I/O: wall time and venue time are parameters, storage drains what changed. Every public method may
raise `Refused` with the venue's own wording.
"""

from collections.abc import Callable, Iterable

from actors.sandbox.faults import Faults
from actors.sandbox.records import (
    ActivityRecord,
    Balance,
    BookSnapshot,
    Cancelled,
    Change,
    Credentials,
    EventRecord,
    LastTrade,
    MarketRecord,
    MarketStats,
    NewOrder,
    OrderRecord,
    Placed,
    PositionRecord,
    TradeRecord,
)
from agents.money import Micro

Listener = Callable[[Change], None]


class Exchange:
    """One venue. `wall` gives wall seconds, `venue_now` venue milliseconds."""

    faults: Faults

    def __init__(self, wall: Callable[[], float], venue_now: Callable[[], int], faults: Faults | None = None) -> None:
        raise NotImplementedError

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every change, in order, from within the call that made it; returns a function that ends it."""
        raise NotImplementedError

    # Markets

    def markets(self) -> Iterable[MarketRecord]:
        """Return all markets that opened, resolved ones included, oldest first."""
        raise NotImplementedError

    def market(self, condition_id: str) -> MarketRecord | None:
        """Return a market by its condition id."""
        raise NotImplementedError

    def market_by_id(self, id: str) -> MarketRecord | None:
        """Return a market by its numeric Gamma id."""
        raise NotImplementedError

    def market_by_slug(self, slug: str) -> MarketRecord | None:
        """Return a market by its slug."""
        raise NotImplementedError

    def market_by_token(self, token_id: str) -> MarketRecord | None:
        """Return the market of a token."""
        raise NotImplementedError

    def events(self) -> Iterable[EventRecord]:
        """Return all event groups, oldest first."""
        raise NotImplementedError

    def event(self, id: str) -> EventRecord | None:
        """Return an event group by its id or slug."""
        raise NotImplementedError

    def stats(self, condition_id: str) -> MarketStats:
        """Return a market's volume, best and last prices. Raises KeyError for an unknown one."""
        raise NotImplementedError

    def book_snapshot(self, token_id: str) -> BookSnapshot:
        """Return the book of a token. Raises Refused (404) if there is none (unknown or resolved)."""
        raise NotImplementedError

    def last_trade(self, token_id: str) -> LastTrade | None:
        """Return the latest trade seen from a token, or None."""
        raise NotImplementedError

    def market_trades(self, condition_id: str) -> list[TradeRecord]:
        """Return the latest trades of a market, the house's own included, newest first (at most 200)."""
        raise NotImplementedError

    # Orders

    def place(self, order: NewOrder) -> Placed:
        """Check an order, match it and rest what is left of it, as its type says."""
        raise NotImplementedError

    def cancel(self, owner: str, order_ids: Iterable[str]) -> Cancelled:
        """Cancel some of an address's orders."""
        raise NotImplementedError

    def cancel_all(self, owner: str) -> Cancelled:
        """Cancel all orders of an address."""
        raise NotImplementedError

    def cancel_market(self, owner: str, condition_id: str = "", token_id: str = "") -> Cancelled:
        """Cancel an address's orders in one market, on one token, or both."""
        raise NotImplementedError

    def order(self, order_id: str) -> OrderRecord | None:
        """Return a user's order, whatever became of it."""
        raise NotImplementedError

    def open_orders(self, owner: str) -> list[OrderRecord]:
        """Return an address's open orders (live and delayed), oldest first."""
        raise NotImplementedError

    def trades(self, owner: str) -> list[TradeRecord]:
        """Return all trades in which an address was taker or maker, newest first."""
        raise NotImplementedError

    def trade(self, trade_id: str) -> TradeRecord | None:
        """Return a trade in which a user took part."""
        raise NotImplementedError

    def heartbeat(self, owner: str, heartbeat_id: str) -> str:
        """Take a dead-man heartbeat and return the id for the next; 10 wall seconds without one cancel all orders.

        Raises Refused "Invalid Heartbeat ID" (400) for a wrong id; `expected_heartbeat` tells the right one.
        """
        raise NotImplementedError

    def expected_heartbeat(self, owner: str) -> str:
        """Return the id that the next heartbeat of an address must carry ("" if it never sent one)."""
        raise NotImplementedError

    # Accounts

    def fund(self, owner: str, cash: Micro) -> str:
        """Give an address cash and return the transaction's hash."""
        raise NotImplementedError

    def addresses(self) -> list[str]:
        """Return the users' addresses that hold an account."""
        raise NotImplementedError

    def cash(self, owner: str) -> Balance:
        """Return an address's pUSD."""
        raise NotImplementedError

    def shares(self, owner: str, token_id: str) -> Balance:
        """Return an address's shares of one token."""
        raise NotImplementedError

    def positions(self, owner: str) -> list[PositionRecord]:
        """Return every token that an address ever held, the latest touched first."""
        raise NotImplementedError

    def activity(self, owner: str) -> list[ActivityRecord]:
        """Return an address's history, newest first."""
        raise NotImplementedError

    def split(self, owner: str, condition_id: str, amount: Micro) -> str:
        """Turn pUSD into as many shares of both tokens; returns the transaction's hash."""
        raise NotImplementedError

    def merge(self, owner: str, condition_id: str, amount: Micro) -> str:
        """Turn shares of both tokens back into pUSD; returns the transaction's hash."""
        raise NotImplementedError

    def redeem(self, owner: str, condition_id: str, token_ids: Iterable[str] | None = None) -> str:
        """Pay out an address's shares of a resolved market (of some tokens only, if named); returns the transaction's hash."""
        raise NotImplementedError

    # API credentials

    def put_credentials(self, credentials: Credentials) -> None:
        """Store an address's API credentials, replacing earlier ones of the same key."""
        raise NotImplementedError

    def credentials(self, address: str) -> list[Credentials]:
        """Return an address's API credentials."""
        raise NotImplementedError

    def credentials_of_key(self, api_key: str) -> Credentials | None:
        """Return the credentials of an API key."""
        raise NotImplementedError

    def delete_credentials(self, api_key: str) -> None:
        """Forget an API key."""
        raise NotImplementedError

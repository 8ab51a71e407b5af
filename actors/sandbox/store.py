"""The venue's database: one SQLite file that one venue holds open; a commit is one transaction, on disk when it ends.

House orders, trades of the house with itself and books are not kept: they come anew.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from actors.sandbox.exchange import Exchange
from actors.sandbox.floor import Floor
from actors.sandbox.records import ActivityRecord, MarketRecord, OrderRecord, TradeRecord
from agents.errors import Conflict, InvalidInput

_SCHEMA = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE documents (name TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE recording (n INTEGER PRIMARY KEY, line BLOB NOT NULL)",
    "CREATE TABLE markets (n INTEGER PRIMARY KEY, condition_id TEXT NOT NULL UNIQUE, record TEXT NOT NULL)",
    "CREATE TABLE listings (condition_id TEXT PRIMARY KEY, last_price INTEGER, last_side TEXT NOT NULL,"
    " volume INTEGER NOT NULL, hours TEXT NOT NULL, collateral INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE accounts (address TEXT PRIMARY KEY, cash INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE holdings (address TEXT, token_id TEXT, condition_id TEXT NOT NULL, size INTEGER NOT NULL,"
    " cost INTEGER NOT NULL, fees INTEGER NOT NULL, realized INTEGER NOT NULL, total_size INTEGER NOT NULL,"
    " total_cost INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,"
    " PRIMARY KEY (address, token_id)) WITHOUT ROWID",
    "CREATE TABLE orders (n INTEGER PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, open INTEGER NOT NULL,"
    " place INTEGER NOT NULL, budget INTEGER NOT NULL, cash INTEGER NOT NULL, record TEXT NOT NULL)",
    "CREATE INDEX open_orders ON orders (n) WHERE open",
    "CREATE TABLE trades (n INTEGER PRIMARY KEY, trade_id TEXT NOT NULL UNIQUE, taker TEXT NOT NULL, maker TEXT NOT NULL,"
    " record TEXT NOT NULL)",
    "CREATE INDEX taker_trades ON trades (taker)",
    "CREATE INDEX maker_trades ON trades (maker)",
    "CREATE TABLE activity (seq INTEGER PRIMARY KEY, owner TEXT NOT NULL, record TEXT NOT NULL)",
    "CREATE INDEX owner_activity ON activity (owner)",
    "CREATE TABLE credentials (api_key TEXT PRIMARY KEY, address TEXT NOT NULL, secret TEXT NOT NULL,"
    " passphrase TEXT NOT NULL, nonce INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE heartbeats (owner TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID",
)

_ORDER = ("order_id", "open", "place", "budget", "cash", "record")
_TRADE = ("trade_id", "taker", "maker", "record")

MARKETS = TypeAdapter(MarketRecord)
ORDERS = TypeAdapter(OrderRecord)
TRADES = TypeAdapter(TradeRecord)
ACTIVITY = TypeAdapter(ActivityRecord)


class Store:
    """The database of one venue; `data_dir` None keeps it in memory."""

    def __init__(self, data_dir: str | None) -> None:
        """Open the database, made if there is none.

        Raises:
            InvalidInput: if the directory cannot be used or holds something else under the database's name.
            Conflict: if another venue has it open.
        """
        try:
            path = _file(data_dir)
            self._db = sqlite3.connect(path, timeout=0.2, isolation_level=None, check_same_thread=False)
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
                self._db.execute(f"PRAGMA {pragma}")
            with self._transaction():
                if not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    for statement in _SCHEMA:
                        self._db.execute(statement)
            self._documents = dict(self._db.execute("SELECT name, content FROM documents"))
        except OSError as error:
            raise InvalidInput(f"data directory {data_dir} cannot be used: {error.strerror or error}") from None
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise Conflict(f"data directory {data_dir} is in use by another venue; stop that one first") from None
            raise InvalidInput(f"{path} cannot be used as a simulated venue's database: {error}") from None
        self._new_documents: set[str] = set()

    def facts(self) -> dict[str, Any]:
        """Return what the venue noted of itself; empty before its first commit."""
        return dict(self._db.execute("SELECT name, value FROM facts"))

    def recording(self) -> Iterator[bytes]:
        """Yield the lines of the markets file that the venue was made with."""
        for (line,) in self._db.execute("SELECT line FROM recording ORDER BY n"):
            yield line

    def order(self, order_id: str) -> OrderRecord | None:
        """Return a stored order, however old."""
        row = self._db.execute("SELECT record FROM orders WHERE order_id = ?", (order_id,)).fetchone()
        return ORDERS.validate_json(row[0]) if row else None

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._db.execute(query, values).fetchall()

    def document(self, name: str) -> str | None:
        """Return a text."""
        return self._documents.get(name)

    def put_document(self, name: str, content: str) -> None:
        """Store a text with the next commit."""
        self._documents[name] = content
        self._new_documents.add(name)

    @property
    def waiting(self) -> bool:
        """Whether a text waits to be stored."""
        return bool(self._new_documents)

    def commit(self, exchange: Exchange, facts: Mapping[str, Any], recording: Iterable[bytes] = ()) -> None:
        """Store all that changed; what fails leaves everything to the next commit."""
        floor, journal = exchange.floor, exchange.floor.journal
        with self._transaction():
            self._put("facts", facts.items())
            self._put("recording", enumerate(recording))
            self._put("documents", ((name, self._documents[name]) for name in self._new_documents))
            self._upsert("markets", ("condition_id", "record"), ((id, _market(floor, id)) for id in journal.markets))
            self._put("listings", (_listing(floor, id) for id in {*journal.listings, *journal.markets}))
            self._put("accounts", ((address, floor.accounts.get(address).cash) for address in journal.accounts))
            self._put_holdings(floor)
            self._upsert("orders", _ORDER, (_order(floor, id) for id in journal.orders))
            self._upsert("trades", _TRADE, (_trade(floor, id) for id in journal.trades))
            self._put("activity", ((row.seq, row.owner, _json(ACTIVITY, row)) for row in journal.activity))
            for api_key in journal.deleted_keys:
                self._db.execute("DELETE FROM credentials WHERE api_key = ?", (api_key,))
            kept = (exchange.credentials_of_key(row.api_key) for row in journal.credentials)
            self._put("credentials", ((c.api_key, c.address, c.secret, c.passphrase, c.nonce) for c in kept if c is not None))
            if journal.heartbeats:
                self._db.execute("DELETE FROM heartbeats")
                self._put("heartbeats", exchange.heartbeats.ids().items())
        journal.clear()
        self._new_documents.clear()

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _put(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        for row in rows:
            self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 - constants

    def _upsert(self, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
        """Write records, by their first column, that keep their place in the order of all."""
        marks = ", ".join("?" * len(columns))
        change = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
        insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - constants
        for row in rows:
            self._db.execute(f"{insert} ON CONFLICT ({columns[0]}) DO UPDATE SET {change}", row)

    def _put_holdings(self, floor: Floor) -> None:
        for address, token_id in floor.journal.holdings:
            h = floor.accounts.get(address).holdings.get(token_id)
            if h is None:
                self._db.execute("DELETE FROM holdings WHERE address = ? AND token_id = ?", (address, token_id))
            else:
                figures = (h.size, h.cost, h.fees, h.realized, h.total_size, h.total_cost, h.first_at, h.last_at)
                self._put("holdings", [(address, token_id, h.condition_id, *figures)])


def _file(data_dir: str | None) -> str:
    if data_dir is None:
        return ":memory:"
    Path(data_dir).mkdir(parents=True, exist_ok=True)
    return str(Path(data_dir) / "venue.db")


def _json(adapter: TypeAdapter[Any], record: Any) -> str:
    return adapter.dump_json(record).decode()


def _market(floor: Floor, condition_id: str) -> str:
    return _json(MARKETS, floor.listings[condition_id].record)


def _listing(floor: Floor, condition_id: str) -> tuple[Any, ...]:
    listing = floor.listings[condition_id]
    hours = json.dumps(listing.hours)
    return condition_id, listing.last_price, listing.last_side, listing.volume, hours, listing.collateral


def _order(floor: Floor, order_id: str) -> tuple[Any, ...]:
    order = floor.orders.get(order_id)
    if order is None:
        return order_id, False, 0, 0, 0, _json(ORDERS, floor.closed[order_id])
    return order_id, True, order.place, order.budget, order.cash, _json(ORDERS, order.record())


def _trade(floor: Floor, trade_id: str) -> tuple[Any, ...]:
    trade = floor.trades[trade_id]
    return trade_id, trade.taker.owner, trade.maker.owner, _json(TRADES, trade)

"""Questions to the log on disk. Any thread may ask; each question is one statement, so it sees one state of the log."""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, func, select

from actors.storage import facts
from actors.storage.engine import connect, reporting
from actors.storage.jobs import Stored
from actors.storage.retention import DROPPED_ORDERS, UNSETTLED_ORDERS, StoredSnapshot
from actors.storage.rows import fetch_events, select_events
from actors.storage.schema import documents, events, fills, orders, signed, snapshots
from agents.events import Type

#: Bytes that an event, or an order, takes beside its data: its other fields, and its places in the indexes.
EVENT_OVERHEAD, ORDER_OVERHEAD = 450, 600


class LogReader:
    """Reads beside the writer. Every method may raise Unavailable."""

    def __init__(self, url: str, busy_timeout: float, connections: int) -> None:
        self._url = url
        self._engine = connect(url, read_only=True, busy_timeout=busy_timeout, connections=connections)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def floor(self) -> int:
        """Return the lowest seq there is, 1 in an empty log."""
        with reporting(self._url), self._engine.connect() as connection:
            return connection.scalar(select(func.min(events.c.seq))) or 1

    def snapshots(self) -> list[StoredSnapshot]:
        """Return the stored snapshots, newest first."""
        query = select(snapshots.c.seq, snapshots.c.version, snapshots.c.state, snapshots.c.counts)
        with reporting(self._url), self._engine.connect() as connection:
            return [StoredSnapshot(*row) for row in connection.execute(query.order_by(snapshots.c.seq.desc()))]

    def size(self) -> int:
        """Return how many bytes the database takes, without what it has free for new rows.

        PostgreSQL does not tell that; it is reckoned from the texts and what their rows and indexes take besides.
        """
        with reporting(self._url), self._engine.connect() as connection:
            if self._engine.dialect.name == "sqlite":
                pages, free, size = (
                    int(connection.exec_driver_sql(f"pragma {name}").scalar_one())
                    for name in ("page_count", "freelist_count", "page_size")
                )
                return (pages - free) * size
            return sum(
                int(connection.scalar(select(func.coalesce(func.sum(func.octet_length(table.c.data) + beside), 0))) or 0)
                for table, beside in ((events, EVENT_OVERHEAD), (orders, ORDER_OVERHEAD))
            )

    def aged(self, first: int, last: int, before: int) -> int:
        """Return the seq up to which the events from `first` to `last` are older than a time, 0 if the first is not."""
        young = select(func.min(events.c.seq)).where(events.c.seq.between(first, last), events.c.timestamp >= before)
        with reporting(self._url), self._engine.connect() as connection:
            youngest = connection.scalar(young)
        return last if youngest is None else 0 if youngest == first else youngest - 1

    def timestamp(self, seq: int) -> int:
        """Return the time of the first event from a seq on, 0 if there is none."""
        query = select(events.c.timestamp).where(events.c.seq >= seq).order_by(events.c.seq).limit(1)
        with reporting(self._url), self._engine.connect() as connection:
            return connection.scalar(query) or 0

    def fills(self, wallet: str) -> dict[str, int]:
        """Return the wallet's fills whose events have left the log, as far as they may matter, with their times."""
        query = select(fills.c.key, fills.c.timestamp).where(fills.c.wallet == wallet)
        with reporting(self._url), self._engine.connect() as connection:
            return {key: timestamp for key, timestamp in connection.execute(query)}

    def events(
        self, after: int, until: int, limit: int, agent: str | None = None, types: Collection[str] | None = None
    ) -> list[Stored]:
        """Return events after one seq and not after another, oldest first."""
        query = select_events().where(events.c.seq > after, events.c.seq <= until, *_narrowed(agent, types))
        with reporting(self._url), self._engine.connect() as connection:
            return fetch_events(connection, query.order_by(events.c.seq).limit(limit))

    def newest(self, before: int, limit: int, agent: str | None = None, types: Collection[str] | None = None) -> list[Stored]:
        """Return events before a seq, newest first."""
        query = select_events().where(events.c.seq < before, *_narrowed(agent, types))
        with reporting(self._url), self._engine.connect() as connection:
            return fetch_events(connection, query.order_by(events.c.seq.desc()).limit(limit))

    def orders(self, before: int, limit: int, agent: str | None = None) -> list[dict[str, Any]]:
        """Return the latest state of the orders whose first event lies before a seq, newest order first."""
        query = select(orders).where(orders.c.seq < before)
        if agent is not None:
            query = query.where(orders.c.agent_id == agent)
        with reporting(self._url), self._engine.connect() as connection:
            return [_order(row) for row in connection.execute(query.order_by(orders.c.seq.desc()).limit(limit))]

    def count_orders(self, agent: str | None = None) -> int:
        """Return how many orders there were, those that were dropped among them."""
        there = select(func.count()).select_from(orders)
        if agent is not None:
            there = there.where(orders.c.agent_id == agent)
        text = facts.value_of(DROPPED_ORDERS)
        with reporting(self._url), self._engine.connect() as connection:
            count, dropped = connection.execute(select(there.scalar_subquery(), text.scalar_subquery())).one()
        gone: dict[str, int] = json.loads(dropped or "{}")
        return int(count) + (sum(gone.values()) if agent is None else gone.get(agent, 0))

    def order(self, order_id: str) -> dict[str, Any] | None:
        """Return the latest state of one order, or None."""
        with reporting(self._url), self._engine.connect() as connection:
            row = connection.execute(select(orders).where(orders.c.order_id == order_id)).one_or_none()
            return None if row is None else _order(row)

    def unsettled(self, wallet: str) -> list[tuple[dict[str, Any], bytes | None]]:
        """Return the latest state and the signed bytes of a wallet's orders that are not settled, oldest first."""
        query = (
            select(orders, signed.c.payload)
            .join_from(orders, signed, isouter=True)
            .where(orders.c.wallet == wallet, UNSETTLED_ORDERS)
            .order_by(orders.c.seq)
        )
        with reporting(self._url), self._engine.connect() as connection:
            return [(_order(row), row.payload) for row in connection.execute(query)]

    def document(self, name: str) -> Any | None:
        """Return a JSON document, or None."""
        with reporting(self._url), self._engine.connect() as connection:
            text = connection.scalar(select(documents.c.content).where(documents.c.name == name))
            return None if text is None else json.loads(text)


def _narrowed(agent: str | None, types: Collection[str] | None) -> list[ColumnElement[bool]]:
    narrowed = []
    if agent is not None:
        narrowed.append(events.c.agent_id == agent)
    if types is not None:
        narrowed.append(events.c.type.in_([str(Type(type)) for type in types]))
    return narrowed


def _order(row: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(row.data)
    return data | {"agentId": row.agent_id, "created": row.created, "seq": row.seq}

"""Questions to the log on disk. Any thread may ask; each question is one statement, so it sees one state of the log."""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, func, select

from actors.storage.engine import connect, reporting
from actors.storage.jobs import Stored
from actors.storage.rows import fetch_events, select_events
from actors.storage.schema import documents, events, orders, signed
from agents.events import Type
from agents.orders import UNSETTLED


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

    def counts(self) -> dict[tuple[str | None, str], int]:
        """Return how many events there are by agent and type."""
        query = select(events.c.agent_id, events.c.type, func.count()).group_by(events.c.agent_id, events.c.type)
        with reporting(self._url), self._engine.connect() as connection:
            return {(agent, type): count for agent, type, count in connection.execute(query)}

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
        """Return how many orders there are."""
        query = select(func.count()).select_from(orders)
        if agent is not None:
            query = query.where(orders.c.agent_id == agent)
        with reporting(self._url), self._engine.connect() as connection:
            return connection.scalar(query) or 0

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
            .where(orders.c.wallet == wallet, orders.c.status.in_([str(status) for status in UNSETTLED]))
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

"""Events as rows of the database, and back."""

import json
from typing import Any

from sqlalchemy import Connection, Select, select

from actors.storage.jobs import Stored
from actors.storage.schema import events
from agents.events import Event, Type

EventQuery = Select[int, str, str, str, str | None, int, int, str]


def encode(content: Any) -> str:
    """Write JSON text. Raises TypeError or ValueError for what JSON does not have (NaN among it)."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def event_row(event: Event, text: str) -> dict[str, Any]:
    """Return the row of an event."""
    return {
        "seq": event.seq,
        "id": event.id,
        "type": str(event.type),
        "source": event.source,
        "agent_id": event.agent_id,
        "incarnation": event.incarnation,
        "timestamp": event.timestamp,
        "data": text,
    }


def select_events() -> EventQuery:
    """Return the query for whole events; the caller narrows and orders it."""
    column = events.c
    return select(
        column.seq,
        column.id,
        column.type,
        column.source,
        column.agent_id,
        column.incarnation,
        column.timestamp,
        column.data,
    )


def fetch_events(connection: Connection, query: EventQuery) -> list[Stored]:
    """Run a query of `select_events`."""
    rows = connection.execute(query).all()
    # Parsed as one text, which is faster, and all events share the strings of their field names.
    contents = json.loads(f"[{','.join([row.data for row in rows])}]")
    return [
        Stored(Event(id, Type(type), source, agent_id, incarnation, timestamp, data, seq), len(text))
        for (seq, id, type, source, agent_id, incarnation, timestamp, text), data in zip(rows, contents, strict=True)
    ]

"""The log's one writer: jobs in, one transaction, outcomes out. Used by one thread."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, func, insert, select

from actors.storage import facts
from actors.storage.engine import connect, reporting
from actors.storage.jobs import Append, Commit, Job, OpenSource, Outcome, PutDocument, Stored
from actors.storage.merge import Lookup, Merge
from actors.storage.migration import upgrade
from actors.storage.rows import event_row, fetch_events, select_events
from actors.storage.schema import documents, events, orders, signed, sources
from agents.errors import StaleIncarnation, Unavailable
from agents.events import Type

T = TypeVar("T")

#: The name in `meta` of the number that each opening of the log for writing raises by one.
_WRITER = "writer"

_OWNER = facts.value_of(_WRITER).with_for_update()
_HEAD = select(func.max(events.c.seq))
_LIVES = select(sources.c.name, sources.c.incarnation)
_KNOWN_EVENTS = Lookup(events.c.id, events.c.seq)
_INSERT_EVENTS = insert(events)
_merge_sources = Merge(sources.c.name)
_merge_documents = Merge(documents.c.name)
_merge_orders = Merge(orders.c.order_id, keep=("created", "seq"))
_merge_signed = Merge(signed.c.order_id, keep=("payload",))


class LogWriter:
    """Owns the database from `open` until another writer opens it: from then on this one stores nothing.

    `seq` grows without a gap: numbers are given within the transaction, on top of what is known to be on disk.
    Every method may raise Unavailable; nothing is half-written then, and trying again is safe.
    """

    def __init__(self, url: str, busy_timeout: float) -> None:
        self._url = url
        self._engine = connect(url, busy_timeout=busy_timeout)
        self._epoch = 0
        self._head = 0
        self._lives: dict[str, int] = {}
        self._in_step = False

    def open(self) -> int:
        """Bring the schema up to date, become the writer and return the head. Raises InvalidInput for a foreign database."""
        with reporting(self._url):
            upgrade(self._engine)
            with self._engine.begin() as connection:
                self._epoch = 1 + int(connection.scalar(_OWNER) or 0)
                facts.put(connection, _WRITER, str(self._epoch))
                self._head = connection.scalar(_HEAD) or 0
        return self._head

    def commit(self, jobs: Sequence[Job]) -> Commit:
        """Store what the jobs ask for, all of them in one transaction; a stale one is refused alone."""
        with self._owned() as connection:
            # A commit that failed may have come through all the same; until this one has, look at the disk again.
            missed = [] if self._in_step else self._catch_up(connection)
            self._in_step = False
            head = self._head + len(missed)
            lives = dict(self._lives)
            outcomes = [_admitted(job, lives) for job in jobs]
            admitted = {
                place: job
                for place, job in enumerate(jobs)
                if isinstance(job, Append) and not isinstance(outcomes[place], StaleIncarnation)
            }
            stored = _store_events(connection, head, admitted, outcomes)
            _store_signed(connection, admitted.values())
            opened = {name: life for name, life in lives.items() if life != self._lives.get(name)}
            _merge_sources(connection, {name: {"name": name, "incarnation": life} for name, life in opened.items()})
            written = {job.name: job.text for job in jobs if isinstance(job, PutDocument)}
            _merge_documents(connection, {name: {"name": name, "content": text} for name, text in written.items()})
        self._head = head + len(stored)
        self._lives = lives
        self._in_step = True
        return Commit(outcomes, missed + stored)

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Do other work on the log in one transaction; it must not add events."""
        with self._owned() as connection:
            return work(connection)

    def close(self) -> None:
        """Give the database back; SQLite then writes its journal into it."""
        self._engine.dispose()

    @contextmanager
    def _owned(self) -> Iterator[Connection]:
        """Begin a transaction as the one writer."""
        with reporting(self._url), self._engine.begin() as connection:
            if connection.scalar(_OWNER) != str(self._epoch):
                raise Unavailable("another process has opened the log for writing; this ledger must end")
            yield connection

    def _catch_up(self, connection: Connection) -> list[Stored]:
        self._lives = {name: life for name, life in connection.execute(_LIVES)}
        return fetch_events(connection, select_events().where(events.c.seq > self._head).order_by(events.c.seq))


def _admitted(job: Job, lives: dict[str, int]) -> Outcome:
    """Judge a job by the lives of the sources as the jobs before it leave them, and take note of a life that it begins."""
    if isinstance(job, OpenSource):
        lives[job.source] = lives.get(job.source, 0) + 1
        return lives[job.source]
    if isinstance(job, PutDocument):
        return None
    for event in job.events:
        life = lives.get(event.source, 0)
        if event.incarnation < life:
            return StaleIncarnation(
                f"{event.source} is in its life {life}; an event of its life {event.incarnation} comes too late"
            )
    lives.update({event.source: event.incarnation for event in job.events})
    return []


def _store_events(connection: Connection, head: int, jobs: Mapping[int, Append], outcomes: list[Outcome]) -> list[Stored]:
    """Insert the events that are not in the log yet, numbered on; fill in the outcomes with every event's seq."""
    known = _KNOWN_EVENTS(connection, {event.id for job in jobs.values() for event in job.events})
    rows, stored = [], []
    touched: dict[str, dict[str, Any]] = {}
    for place, job in jobs.items():
        for event, text in zip(job.events, job.texts, strict=True):
            if event.id not in known:
                head += 1
                known[event.id] = head
                numbered = event.numbered(head)
                row = event_row(numbered, text)
                rows.append(row)
                stored.append(Stored(numbered, len(text)))
                if event.type is Type.ORDER:
                    order = _order_row(row, event.data)
                    first = touched.get(order["order_id"], order)
                    touched[order["order_id"]] = order | {"created": first["created"], "seq": first["seq"]}
        outcomes[place] = [known[event.id] for event in job.events]
    if rows:
        connection.execute(_INSERT_EVENTS, rows)
    _merge_orders(connection, touched)
    return stored


def _order_row(row: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "order_id": data["orderId"],
        "wallet": data["wallet"],
        "agent_id": row["agent_id"],
        "status": data["status"],
        "created": row["timestamp"],
        "seq": row["seq"],
        "data": row["data"],
        "updated": row["timestamp"],
    }


def _store_signed(connection: Connection, jobs: Iterable[Append]) -> None:
    payloads = {order_id: payload for job in jobs for order_id, payload in job.signed.items()}
    _merge_signed(connection, {id: {"order_id": id, "payload": payload} for id, payload in payloads.items()})

"""Connections to the database of the log, and what its errors mean to us."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError

from agents.errors import InvalidInput, Unavailable

#: Seconds that a commit waits for another process that holds the database locked.
BUSY_TIMEOUT = 3.0

#: Megabytes of pages that SQLite keeps in memory for the writer: the indexes of ids and orders are hit all over.
_CACHE_MB = 32

#: Megabytes that SQLite's journal may keep on disk once it was written back.
_JOURNAL_MB = 64


def connect(url: str, *, read_only: bool = False, busy_timeout: float = BUSY_TIMEOUT, connections: int = 1) -> Engine:
    """Return an engine for a SQLAlchemy URL. Statements of a `read_only` one stand alone; the other one's make transactions.

    Raises:
        InvalidInput: if the URL is malformed, or its database driver is not installed.
    """
    options: dict[str, Any] = {"pool_size": connections, "max_overflow": 0}
    if read_only:
        options["isolation_level"] = "AUTOCOMMIT"
    try:
        dialect = make_url(url).get_backend_name()
        if dialect == "sqlite":
            options["connect_args"] = {"timeout": busy_timeout}
        else:
            options["pool_pre_ping"] = True
        engine = create_engine(url, **options)
    except (ArgumentError, ImportError) as error:
        raise InvalidInput(f"DATABASE_URL cannot be used ({error}); expected sqlite:///FILE or postgresql://...") from None
    if dialect == "sqlite":
        event.listen(engine, "connect", _query_only if read_only else _durable)
        if not read_only:
            event.listen(engine, "begin", _begin)
    return engine


def _query_only(connection: sqlite3.Connection, record: object) -> None:
    connection.execute("pragma query_only = on")


def _durable(connection: sqlite3.Connection, record: object) -> None:
    # The driver would begin transactions late, and none at all for DDL: `_begin` does it instead.
    connection.isolation_level = None
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma foreign_keys = on")
    connection.execute(f"pragma cache_size = -{_CACHE_MB * 1000}")
    connection.execute(f"pragma journal_size_limit = {_JOURNAL_MB * 1_000_000}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("begin immediate")


@contextmanager
def reporting(url: str) -> Iterator[None]:
    """Translate the database's errors.

    Raises:
        InvalidInput: for values that it does not take.
        Unavailable: for what the disk, the file or the connection did.
    """
    try:
        yield
    except (DataError, IntegrityError) as error:
        raise InvalidInput(f"the log does not take this: {error.orig}") from error
    except DBAPIError as error:
        raise Unavailable(f"the log at {_shown(url)} cannot be used now: {error.orig}") from error


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)

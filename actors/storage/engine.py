"""Connections to the database of the log, and what its errors mean to us."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError

from agents.errors import InvalidInput, Unavailable

#: Seconds that a commit waits for another process that holds the database locked.
BUSY_TIMEOUT = 3.0

#: Seconds to reach a database server, and after which a connection that says nothing is looked at.
_CONNECT_TIMEOUT = 5
_KEEPALIVE = 10

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
        where = _url(url)
        dialect = where.get_backend_name()
        if dialect == "sqlite":
            options["connect_args"] = {"timeout": busy_timeout}
        else:
            options |= {"pool_pre_ping": True, "connect_args": _server_options(busy_timeout)}
        engine = create_engine(where, **options)
    except (ArgumentError, ImportError) as error:
        raise InvalidInput(f"DATABASE_URL cannot be used ({error}); expected sqlite:///FILE or postgresql://...") from None
    if dialect == "sqlite":
        event.listen(engine, "connect", _query_only if read_only else _durable)
        if not read_only:
            event.listen(engine, "begin", _begin)
    return engine


def _sentence(error: DBAPIError) -> str:
    """Return what the database said: PostgreSQL says it in several lines."""
    return " ".join(str(error.orig).split())


def shown(url: str) -> str:
    """Return a URL without its password, and without its query, in which a password may stand too."""
    return make_url(url).set(query={}).render_as_string(hide_password=True)


def _url(url: str) -> URL:
    """Read a URL; the two databases that it may name have one driver each."""
    try:
        found = make_url(url)
    except ValueError:
        # The error would show what stands where the port should, which may be a part of the password.
        raise ArgumentError("its port is no number; is a : or @ in the password written as %3A or %40?") from None
    if found.drivername in ("postgresql", "postgres"):
        found = found.set(drivername="postgresql+psycopg")
    if found.drivername not in ("sqlite", "postgresql+psycopg"):
        raise ArgumentError(f"there is no support for {found.drivername}")
    return found


def _server_options(lock_timeout: float) -> dict[str, Any]:
    return {
        "connect_timeout": _CONNECT_TIMEOUT,
        "keepalives_idle": _KEEPALIVE,
        "keepalives_interval": _KEEPALIVE,
        "keepalives_count": 3,
        "tcp_user_timeout": 3 * _KEEPALIVE * 1000,
        "application_name": "polyfleet",
        "options": f"-c lock_timeout={int(lock_timeout * 1000)}",
    }


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
        raise Unavailable(f"the log at {shown(url)} cannot be used now: {_sentence(error)}") from error

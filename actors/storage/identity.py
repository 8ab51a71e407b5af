"""Which data directory a log belongs to: both bear the same id, so that neither is used with another's."""

from typing import NamedTuple

from sqlalchemy import select

from actors.storage import facts
from actors.storage.engine import connect, reporting
from actors.storage.migration import upgrade
from actors.storage.schema import events

_FLEET = "fleet"


class Identity(NamedTuple):
    """The id that a log bears, or None, and whether it has no event yet."""

    id: str | None
    blank: bool


def read_identity(url: str) -> Identity:
    """Bring a log's schema up to date and return whose it is.

    Raises:
        InvalidInput: if the database is malformed or not ours.
        Unavailable: if it cannot be reached or used.
    """
    with reporting(url):
        engine = connect(url)
        try:
            upgrade(engine)
            with engine.begin() as connection:
                id = connection.scalar(facts.value_of(_FLEET))
                return Identity(id, connection.scalar(select(events.c.seq).limit(1)) is None)
        finally:
            engine.dispose()


def write_identity(url: str, id: str) -> None:
    """Let a log bear an id. Raises Unavailable if it cannot be written."""
    with reporting(url):
        engine = connect(url)
        try:
            with engine.begin() as connection:
                facts.put(connection, _FLEET, id)
        finally:
            engine.dispose()

"""Facts about the database itself: one text by name, in the table `meta`."""

from sqlalchemy import Connection, Select, select

from actors.storage.merge import Merge
from actors.storage.schema import meta

_merge = Merge(meta.c.name)


def value_of(name: str) -> Select[str]:
    """Return the query for a fact; it has no row while there is none."""
    return select(meta.c.value).where(meta.c.name == name)


def put(connection: Connection, name: str, value: str) -> None:
    """Store a fact, or replace it."""
    _merge(connection, {name: {"name": name, "value": value}})

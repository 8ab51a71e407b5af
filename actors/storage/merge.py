"""Rows by key: which are there, and insert-or-update, in the SQL that every database knows."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Column, Connection, bindparam, insert, select, update

#: Keys that one query asks for: databases limit the parameters of a statement.
_KEYS = 500


class Lookup:
    """Finds one column of the rows that have one of many keys."""

    def __init__(self, key: Column[str], column: Column[Any]) -> None:
        self._query = select(key, column).where(key.in_(bindparam("keys", expanding=True)))

    def __call__(self, connection: Connection, keys: Collection[str]) -> dict[str, Any]:
        """Return the column by key, for the keys that exist."""
        wanted = list(keys)
        chunks = (wanted[start : start + _KEYS] for start in range(0, len(wanted), _KEYS))
        return {key: value for chunk in chunks for key, value in connection.execute(self._query, {"keys": chunk})}


class Merge:
    """Inserts rows by their key, or updates those that are there: all columns but the kept ones."""

    def __init__(self, key: Column[str], keep: Collection[str] = ()) -> None:
        table = key.table
        self._present = Lookup(key, key)
        self._changed = [column.name for column in table.columns if column.name not in (key.name, *keep)]
        self._insert = insert(table)
        self._update = update(table).where(key == bindparam("old_key")).values({n: bindparam(n) for n in self._changed})

    def __call__(self, connection: Connection, rows: Mapping[str, dict[str, Any]]) -> None:
        """Store rows, given by key. There must be no other writer."""
        if not rows:
            return
        present = self._present(connection, rows)
        new = [row for key, row in rows.items() if key not in present]
        old = [{"old_key": key} | {name: rows[key][name] for name in self._changed} for key in present]
        if new:
            connection.execute(self._insert, new)
        if old and self._changed:
            connection.execute(self._update, old)

"""A copy of the simulated venue's database while the venue runs, which keeps everybody else out of it."""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from agents.errors import Unavailable

#: Looks until one was not disturbed, and seconds between two.
_LOOKS = 50
_PAUSE = 0.1

#: Where SQLite's journal says which it is: a new one has another salt.
_HEADER = 32


def copy(file: Path, folder: Path) -> bytes:
    """Return the database as of one commit. Files are copied in `folder`.

    The journal is copied last. As long as it was not begun anew meanwhile, it has every page that was written back into
    the file during the copy, so the two together are the database as of the journal's last whole commit.

    Raises:
        Unavailable: if the venue writes so much that its journal never lasts for the time of a copy.
    """
    database, journal = folder / "venue.db", folder / "venue.db-wal"
    for _ in range(_LOOKS):
        before = _header(file)
        shutil.copyfile(file, database)
        journal.unlink(missing_ok=True)
        if before is not None:
            shutil.copyfile(_journal(file), journal)
        if _header(file) == before and (content := _whole(database)) is not None:
            return content
        time.sleep(_PAUSE)
    raise Unavailable(f"{file} changes too fast to be copied; try again")


def _whole(database: Path) -> bytes | None:
    """Write the journal into the copy and return it, or None if it is not sound."""
    try:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("pragma journal_mode = delete")
            sound = connection.execute("pragma quick_check(1)").fetchone()[0] == "ok"
    except sqlite3.DatabaseError:
        return None
    return database.read_bytes() if sound else None


def _header(file: Path) -> bytes | None:
    try:
        with _journal(file).open("rb") as journal:
            return journal.read(_HEADER) or None
    except FileNotFoundError:
        return None


def _journal(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")

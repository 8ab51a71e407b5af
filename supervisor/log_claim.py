"""Makes sure that a data directory is used with its own log: a venue and a log of two fleets do not add up."""

import os
import uuid
from pathlib import Path

from actors.config import SystemConfig
from actors.private_file import write_private
from actors.storage.engine import shown
from actors.storage.identity import Identity, read_identity, write_identity
from agents.errors import InvalidInput, Unavailable
from supervisor.data_directory import DataDirectory


def log_url(directory: DataDirectory) -> str:
    """Return where a directory's log is to be: at DATABASE_URL if that is set, else where it was, at first in SQLite there."""
    return os.environ.get("DATABASE_URL") or SystemConfig(str(directory.path)).database_url


def is_local(directory: DataDirectory, url: str) -> bool:
    """Whether a log is the SQLite file in the directory."""
    return url.endswith(f"{directory.path}/ledger.db")


def remember_log(directory: DataDirectory, url: str) -> None:
    """Leave the URL of the log to the ledger, and to the next start, in a private file: an environment is inherited."""
    write_private(SystemConfig(str(directory.path)).database_file, "" if is_local(directory, url) else url)


def claim_log(directory: DataDirectory, url: str) -> None:
    """Open the log as the ledger will, and tie it to the directory where both are new (or both from before there were ids).

    Raises:
        InvalidInput: if the log cannot be used, or belongs to another data directory.
    """
    local = is_local(directory, url)
    try:
        log = read_identity(url)
        mine = _read(directory.identity)
        if mine is None or log.id != mine:
            id = _common(directory, url, log, mine, local=local)
            write_private(directory.identity, id)
            write_identity(url, id)
    except Unavailable as error:
        if local:
            raise InvalidInput(f"--data-dir: {error}; expected a polyfleet log or an empty directory") from None
        raise InvalidInput(f"DATABASE_URL: {error}; expected a PostgreSQL that answers") from None


def _common(directory: DataDirectory, url: str, log: Identity, mine: str | None, *, local: bool) -> str:
    """Return the id for a directory and a log that do not bear the same one."""
    fresh = not directory.has_venue
    if log.blank and fresh:
        return mine or log.id or uuid.uuid4().hex
    if mine is None and log.id is None and (local or not (log.blank or fresh)):
        return uuid.uuid4().hex
    where = "--data-dir" if local else "DATABASE_URL"
    if log.blank:
        raise InvalidInput(
            f"{where}: the log at {shown(url)} is empty and {directory.path} has a fleet already; "
            "give the database that it was used with, or a new data directory"
        )
    raise InvalidInput(
        f"{where}: the log at {shown(url)} belongs to another data directory than {directory.path}; "
        "give that one, or an empty database"
    )


def _read(file: Path) -> str | None:
    return file.read_text().strip() if file.exists() else None

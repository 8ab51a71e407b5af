"""`polyfleet backup` and `polyfleet restore`: all that a fleet must not lose, in one file.

The file is a SQLite log as a fleet has it, whatever database the fleet uses, with the other files of the data directory in
a table beside: the simulated venue and, as it is simulated, its wallets' keys. Keys of real wallets are never in it.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rich.console import Console
from sqlalchemy import Connection, Engine, create_engine, func, insert, inspect, select

from actors.config import SystemConfig
from actors.storage.engine import connect, reporting, shown
from actors.storage.migration import upgrade
from actors.storage.schema import events, metadata
from agents.errors import Conflict, InvalidInput
from supervisor import venue_copy
from supervisor.data_directory import DataDirectory
from supervisor.log_claim import log_url, remember_log

out = Console(highlight=False, soft_wrap=True)

#: Rows that are copied at a time, and bytes of a file that one row of the backup holds.
_ROWS = 2000
_PART = 8_000_000

_FILES = "create table backup_files (path text, part integer, content blob not null, primary key (path, part))"


def backup(file: Path, data_dir: Path) -> int:
    """Write a backup of a data directory, whose fleet may run, and return the exit code.

    The log comes first, as of one moment, then the venue, which is never behind it: a broker books what the log lacks.

    Raises:
        InvalidInput: if there is no fleet in the directory, or the file exists or cannot be written.
        Unavailable: if the log cannot be read.
    """
    directory = DataDirectory(data_dir.resolve())
    if not directory.used and not directory.identity.exists():
        raise InvalidInput(f"--data-dir: there is no fleet in {directory.path}")
    if file.exists():
        raise InvalidInput(f"{file} exists already; name another file")
    url = SystemConfig(str(directory.path)).database_url
    with _new_file(file) as temporary:
        head = _copy_log(url, temporary)
        with closing(sqlite3.connect(temporary)) as database, database:
            database.execute(_FILES)
            for path, content in _files(directory, temporary.parent):
                for part in range(0, max(len(content), 1), _PART):
                    row = (path, part // _PART, content[part : part + _PART])
                    database.execute("insert into backup_files values (?, ?, ?)", row)
    keys = "; with the sandbox's wallets, whose keys are worth nothing elsewhere" if directory.has_venue else ""
    out.print(f"{file}: the log up to {head} and the venue, {file.stat().st_size / 1e6:.1f} MB{keys}")
    return 0


def restore(file: Path, data_dir: Path) -> int:
    """Make a data directory, and the log at DATABASE_URL, from a backup, and return the exit code.

    Raises:
        InvalidInput: if the file is no backup, or directory or database hold something.
        Conflict: if a fleet runs on the directory.
    """
    directory = DataDirectory(data_dir.resolve())
    _check_empty(directory)
    url = log_url(directory)
    with tempfile.TemporaryDirectory(prefix="polyfleet-") as folder:
        copy = Path(folder) / "backup.db"
        _check_backup(file)
        shutil.copyfile(file, copy)
        with closing(sqlite3.connect(copy)) as database:
            files = database.execute("select path, part, content from backup_files order by path, part").fetchall()
            database.execute("drop table backup_files")
            database.commit()
        directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        head = _restore_log(copy, url)
        for path, part, content in files:
            _write(directory.path / path, content, append=part > 0)
    remember_log(directory, url)
    out.print(f"{directory.path}: restored, the log up to {head}; start it with `polyfleet up --data-dir {data_dir}`")
    return 0


@contextmanager
def _new_file(file: Path) -> Iterator[Path]:
    """Give a path beside a file, private to its owner, that becomes the file in the end."""
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=file.resolve().parent) as folder:
            temporary = Path(folder) / "backup.db"
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600))
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.rename(file)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror or error}") from None


def _copy_log(url: str, file: Path) -> int:
    """Copy the log as of one moment into a new SQLite file, and return its head."""
    with reporting(url):
        engine = connect(url)
        try:
            upgrade(engine)
        finally:
            engine.dispose()
        source = connect(url, read_only=True)
        target = _plain(file)
        try:
            upgrade(target)
            with _one_moment(source) as reading, target.begin() as writing:
                return _copy_tables(reading, writing)
        finally:
            source.dispose()
            target.dispose()


@contextmanager
def _one_moment(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        postgres = engine.dialect.name == "postgresql"
        connection.exec_driver_sql("begin isolation level repeatable read read only" if postgres else "begin")
        yield connection
        connection.exec_driver_sql("rollback")


def _restore_log(copy: Path, url: str) -> int:
    source = _plain(copy)
    try:
        upgrade(source)
        with reporting(url):
            target = connect(url)
            try:
                if inspect(target).get_table_names():
                    raise InvalidInput(f"DATABASE_URL: the database at {shown(url)} is not empty; give an empty one")
                upgrade(target)
                with source.connect() as reading, target.begin() as writing:
                    return _copy_tables(reading, writing)
            finally:
                target.dispose()
    finally:
        source.dispose()


def _copy_tables(reading: Connection, writing: Connection) -> int:
    for table in metadata.sorted_tables:
        result = reading.execute(select(table), execution_options={"yield_per": _ROWS})
        for rows in result.mappings().partitions(_ROWS):
            writing.execute(insert(table), [dict(row) for row in rows])
    return writing.scalar(select(func.max(events.c.seq))) or 0


def _plain(file: Path) -> Engine:
    """Return an engine for a file that nobody else uses: no journal beside it is left."""
    return create_engine(f"sqlite:///{file}")


def _files(directory: DataDirectory, folder: Path) -> Iterable[tuple[str, bytes]]:
    """Yield the files that a restored fleet needs, with their paths in the data directory."""
    if directory.identity.exists():
        yield directory.identity.name, directory.identity.read_bytes()
    if directory.mode is not None:
        yield "mode", f"{directory.mode}\n".encode()
    for account in sorted((directory.path / "paper").glob("*/venue.db")):
        yield str(account.relative_to(directory.path)), venue_copy.copy(account, folder)
    if directory.has_venue:
        for wallet in sorted((directory.path / "wallets").glob("*.json")):
            yield f"wallets/{wallet.name}", wallet.read_bytes()
        yield str(directory.venue.relative_to(directory.path)), venue_copy.copy(directory.venue, folder)


def _check_empty(directory: DataDirectory) -> None:
    if not directory.path.exists():
        return
    if not directory.path.is_dir():
        raise InvalidInput(f"--data-dir: {directory.path} is not a directory")
    if not any(directory.path.iterdir()):
        return
    if (directory.path / "lock").exists():
        directory.refuse_running()
        if directory.holder() is not None:
            raise Conflict(f"a fleet runs on {directory.path}; restore into a new directory")
    raise InvalidInput(f"--data-dir: {directory.path} is not empty; restore into a new directory")


def _check_backup(file: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
            tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
            sound = database.execute("pragma quick_check(1)").fetchone()[0] == "ok"
    except sqlite3.DatabaseError as error:
        raise InvalidInput(f"{file} cannot be read as a backup: {error}") from None
    if not tables >= {"backup_files", "events", "alembic_version"}:
        raise InvalidInput(f"{file} is not a backup that polyfleet made")
    if not sound:
        raise InvalidInput(f"{file} is damaged")


def _write(path: Path, content: bytes, *, append: bool) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_EXCL)
    with open(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

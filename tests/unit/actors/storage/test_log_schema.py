import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine

from actors.storage.engine import connect
from actors.storage.migration import upgrade
from actors.storage.schema import metadata
from actors.storage.writer import LogWriter
from agents.errors import InvalidInput, Unavailable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def engine(file: Path) -> Iterator[Engine]:
    engine = connect(f"sqlite:///{file}")
    yield engine
    engine.dispose()


def opened(file: Path) -> None:
    writer = LogWriter(f"sqlite:///{file}", 0.05)
    try:
        writer.open()
    finally:
        writer.close()


def run(file: Path, *statements: str) -> list[tuple[object, ...]]:
    database = sqlite3.connect(file, isolation_level=None)
    rows = [row for statement in statements for row in database.execute(statement)]
    database.close()
    return rows


def test_the_migrations_make_the_schema(database: str) -> None:
    engine = connect(database)
    upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_tables_are_as_the_schema_writes_them(engine: Engine, file: Path, tmp_path: Path) -> None:
    def shape(database: Path) -> dict[str, object]:
        tables = [name for (name,) in run(database, "select name from sqlite_master where type = 'table'")]
        strict = run(database, "select name, strict from pragma_table_list where schema = 'main'")
        return {
            "strict": {name: flag for name, flag in strict if not str(name).startswith(("sqlite_", "alembic"))},
            "columns": {
                str(table): run(database, f"pragma table_info({table})") for table in tables if table != "alembic_version"
            },
            "indexes": sorted(run(database, "select name, sql from sqlite_master where type = 'index' and sql is not null")),
        }

    upgrade(engine)
    directly = connect(f"sqlite:///{tmp_path}/direct.db")
    with directly.begin() as connection:
        metadata.create_all(connection)
    directly.dispose()
    assert shape(file) == shape(tmp_path / "direct.db")
    assert set(shape(file)["strict"].values()) == {1}  # type: ignore[attr-defined]


def test_upgrading_twice_changes_nothing(engine: Engine, file: Path) -> None:
    upgrade(engine)
    before = run(file, "select * from sqlite_master")
    upgrade(engine)
    assert run(file, "select * from sqlite_master") == before


def test_an_upgrade_that_fails_leaves_nothing(engine: Engine, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", lambda self, step: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        upgrade(engine)
    assert run(file, "select * from sqlite_master") == []


def test_a_log_of_a_newer_version_is_refused(file: Path) -> None:
    opened(file)
    run(file, "update alembic_version set version_num = '9999'")
    with pytest.raises(
        InvalidInput, match=r"written by a newer version of polyfleet \(its schema is 9999, .* knows up to 0002\)"
    ):
        opened(file)


def test_somebody_elses_database_is_refused(file: Path) -> None:
    run(file, "create table events (x)")
    with pytest.raises(InvalidInput, match=r"ledger.db is not a polyfleet log \(it has a table 'events'\)"):
        opened(file)


def test_a_file_that_is_no_database_is_named(file: Path) -> None:
    file.write_bytes(b"this is no database" * 100)
    with pytest.raises(Unavailable, match=r"ledger.db cannot be used now: file is not a database"):
        opened(file)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"nowhere/ledger.db cannot be used now: unable to open database file"):
        opened(tmp_path / "nowhere" / "ledger.db")


@pytest.mark.parametrize("url", ["ledger.db", "oracle7://host/log", "://"])
def test_a_url_that_names_no_database_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"DATABASE_URL cannot be used .*; expected sqlite:///FILE or postgresql://"):
        connect(url)


def test_a_commit_is_on_disk_before_it_returns(engine: Engine) -> None:
    with engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"pragma {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_reader_cannot_write(engine: Engine, file: Path) -> None:
    upgrade(engine)
    reader = connect(f"sqlite:///{file}", read_only=True)
    with reader.connect() as connection, pytest.raises(Exception, match="attempt to write a readonly database"):
        connection.exec_driver_sql("insert into meta values ('a', 'b')")
    reader.dispose()

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Postgres, postgres


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", choices=["sqlite", "postgresql"], default="sqlite", help="Where whole fleets keep their logs.")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL for the whole run; tests that stop it start one of their own."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty database, SQLite's in `tmp_path`; a ledger made in the test uses it."""
    if request.param == "sqlite":
        monkeypatch.delenv("DATABASE_URL", raising=False)
        return f"sqlite:///{tmp_path}/ledger.db"
    url: str = request.getfixturevalue("postgres_server").new_database()
    monkeypatch.setenv("DATABASE_URL", url)
    return url

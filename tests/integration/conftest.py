"""One fleet of 20 agents in the sandbox serves all tests that need Ray."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.fleet import Fleet


@pytest.fixture(scope="session", autouse=True)
def store(request: pytest.FixtureRequest) -> None:
    """Give every fleet a database of its own, if the run is to use PostgreSQL."""
    if request.config.getoption("--store") == "postgresql":
        Fleet.postgres = request.getfixturevalue("postgres_server")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A running fleet; tests leave it with every agent running."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet") / "data", "--seed", "7")
    try:
        yield fleet.up()
        assert fleet.down() == 0, fleet.output
    finally:
        fleet.end()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory of a test's own."""
    return tmp_path / "data"

"""One served venue for all tests of this folder; a fleet of its own for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from actors.sandbox.venue import VenueConfig
from tests.contract.broker.fleet import Fleet
from tests.contract.sandbox.served import Served


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    venue = Served(VenueConfig(seed=11, speed=60.0))
    yield venue
    venue.stop()


@pytest.fixture
async def fleet(served: Served, tmp_path: Path) -> AsyncIterator[Fleet]:
    fleet = Fleet(served, tmp_path)
    yield fleet
    await fleet.stop()

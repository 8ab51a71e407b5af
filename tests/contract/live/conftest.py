"""A venue that is as a live one should be, or not: the served sandbox behind a door that can be told to lie."""

from collections.abc import Iterator

import pytest

from actors.sandbox.venue import VenueConfig
from tests.contract.live.door import Door
from tests.contract.sandbox.served import Served


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    venue = Served(VenueConfig(seed=12, speed=1.0))
    yield venue
    venue.stop()


@pytest.fixture
def door(served: Served) -> Iterator[Door]:
    door = Door(served.url)
    yield door
    door.close()

"""One served venue for all tests of this folder; a ledger and a feed of its own for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from actors.ledger import LedgerService
from actors.sandbox.venue import VenueConfig
from actors.system import SystemConfig
from tests.contract.feed.feeds import Feeds
from tests.contract.sandbox.served import Served


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    venue = Served(VenueConfig(seed=5, speed=60.0))
    yield venue
    venue.stop()


@pytest.fixture
async def feeds(served: Served, tmp_path: Path) -> AsyncIterator[Feeds]:
    ledger = LedgerService(SystemConfig(str(tmp_path)))
    await ledger.start()
    feeds = Feeds(served, ledger, SystemConfig(str(tmp_path)))
    yield feeds
    await feeds.stop()
    await ledger.stop()

"""One served venue for all tests of this folder."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from polymarket import AsyncSecureClient

from actors.polymarket.environment import environment
from actors.sandbox.venue import VenueConfig
from tests.contract.sandbox.served import Served, Wallet

#: Recorded data of the real venue, outside the project.
RECORDED = Path(__file__).parents[4] / "shared" / "data" / "polymarket"


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    venue = Served(VenueConfig(seed=7, speed=60.0))
    yield venue
    venue.stop()


@pytest.fixture
def http(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def wallet(served: Served) -> Wallet:
    return served.wallet()


async def _client(served: Served, wallet: Wallet) -> AsyncIterator[AsyncSecureClient]:
    client = await AsyncSecureClient.create(
        private_key=wallet.key, wallet=wallet.address, environment=environment(served.endpoints)
    )
    yield client
    await client.close()


# The library takes half a second to make a client, so there are two for all tests: tests trade in markets of their own.


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client(served: Served, wallet: Wallet) -> AsyncIterator[AsyncSecureClient]:
    async for found in _client(served, wallet):
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def other(served: Served) -> AsyncIterator[AsyncSecureClient]:
    async for found in _client(served, served.wallet()):
        yield found


@pytest.fixture(scope="session")
def recorded() -> Path:
    if not RECORDED.is_dir():
        pytest.skip(f"the recorded data is not at {RECORDED}")
    return RECORDED

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from supervisor.api.access import Access, digest
from tests.contract.api.served import Served, served


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as fleet:
        yield fleet


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Served]:
    """Return a fleet whose token is s3cret."""
    async with served(tmp_path, Access(token_digest=digest("s3cret"))) as fleet:
        yield fleet

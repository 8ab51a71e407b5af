from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from actors.ledger import LedgerService
from supervisor.api.access import Access
from supervisor.api.asgi import rest_app
from supervisor.api.context import FleetContext
from tests.unit.supervisor.api.stand import Stand, lifespan


@pytest.fixture
async def stand(ledger: LedgerService, tmp_path: Path) -> AsyncIterator[Stand]:
    stand = Stand(ledger, data_dir=tmp_path)
    yield stand
    await stand.notifier.stop()


@pytest.fixture
def context(stand: Stand) -> FleetContext:
    return stand.context()


@pytest.fixture
async def api(context: FleetContext) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a replica that follows the log."""
    app = rest_app(context, Access())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with lifespan(app), httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        await context.follower.reached(0, 5.0)
        yield client

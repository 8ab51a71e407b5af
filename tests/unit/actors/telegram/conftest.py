import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.ledger import LedgerService
from actors.system import SystemConfig
from tests.unit.actors.telegram.bot_api import BotApi, serving
from tests.unit.actors.telegram.world import World


@pytest.fixture(scope="session")
def empty_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty log, made once: to make one takes longer than most tests."""
    folder = tmp_path_factory.mktemp("log")

    async def make() -> None:
        service = LedgerService(SystemConfig(str(folder)))
        await service.start()
        await service.stop()

    asyncio.run(make())
    return folder / "ledger.db"


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    async with serving(BotApi()) as api:
        yield api


@pytest.fixture
async def world(tmp_path: Path, empty_log: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    shutil.copy(empty_log, tmp_path)
    ledger = LedgerService(SystemConfig(str(tmp_path)))
    await ledger.start()
    world = World(SystemConfig(str(tmp_path)), ledger, api)
    yield world
    await world.end()
    await ledger.stop()

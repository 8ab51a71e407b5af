from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.ledger import LedgerService
from actors.system import SystemConfig
from tests.unit.actors.telegram.bot_api import BotApi, serving
from tests.unit.actors.telegram.world import World


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    async with serving(BotApi()) as api:
        yield api


@pytest.fixture
async def world(tmp_path: Path, ledger: LedgerService, api: BotApi) -> AsyncIterator[World]:
    world = World(SystemConfig(str(tmp_path)), ledger, api)
    yield world
    await world.end()

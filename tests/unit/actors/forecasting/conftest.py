from collections.abc import AsyncIterator

import pytest

from actors.forecasting import models, workshop
from tests.unit.actors.forecasting.model_server import ModelServer, serving
from tests.unit.actors.forecasting.world import World


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with serving(ModelServer()) as server:
        yield server


@pytest.fixture
async def world(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(models, "_RETRIES", 0)
    monkeypatch.setattr(models, "_LOOK", 0.001)
    monkeypatch.setattr(workshop, "_LOOK", 0.005)
    world = World(server)
    yield world
    await world.close()

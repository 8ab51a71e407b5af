"""A real ledger for unit tests, on a log of its own in SQLite."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.ledger import LedgerService
from actors.system import SystemConfig


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
async def ledger(tmp_path: Path, empty_log: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LedgerService]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    shutil.copy(empty_log, tmp_path)
    service = LedgerService(SystemConfig(str(tmp_path)))
    await service.start()
    yield service
    await service.stop()

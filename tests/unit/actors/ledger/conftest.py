from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from actors.ledger import LedgerService
from actors.system import SystemConfig
from agents.events import Event, Type

Open = Callable[..., Awaitable[LedgerService]]
Make = Callable[..., Event]


@pytest.fixture
async def open_ledger(tmp_path: Path, database: str) -> AsyncIterator[Open]:
    """Return what opens one more ledger on the same database; those opened before are abandoned as by a crash."""
    opened = []

    async def open(**options: Any) -> LedgerService:
        ledger = LedgerService(SystemConfig(str(tmp_path)), busy_timeout=0.05, **options)
        await ledger.start()
        opened.append(ledger)
        return ledger

    yield open
    for ledger in opened:
        await ledger.stop()


@pytest.fixture
async def ledger(open_ledger: Open) -> LedgerService:
    return await open_ledger()


@pytest.fixture
def make() -> Make:
    """Return what makes the next event of a source's life."""
    counts: dict[str, Iterator[int]] = {}

    def make(
        type: Type = Type.INFO, *, source: str = "agent:a", agent: str | None = "a", life: int = 1, at: int = 1000, **data: Any
    ) -> Event:
        n = next(counts.setdefault(f"{source}/{life}", count(1)))
        return Event(f"{source}/{life}/{n}", type, source, agent, life, at, data)

    return make

"""A newsroom, a log, a feed that knows some markets, and what opens a librarian on them and waits until it has loaded."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.ledger import LedgerService
from actors.librarian import LibrarianService
from actors.research.embeddings import Embedder, embedder_from
from actors.system import SystemConfig
from agents.errors import Unavailable
from agents.model import MarketView
from tests.contract.librarian.newsroom import Newsroom

Open = Callable[..., Awaitable[LibrarianService]]


class KnownMarkets:
    """The part of a feed that a librarian asks."""

    def __init__(self) -> None:
        self.views: dict[str, MarketView] = {}
        self.down = False

    async def market(self, id: str) -> MarketView | None:
        if self.down:
            raise Unavailable("the market feed is starting")
        return self.views.get(id)


@pytest.fixture
def newsroom() -> Iterator[Newsroom]:
    newsroom = Newsroom()
    yield newsroom
    newsroom.close()


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return embedder_from({}, free=True)


@pytest.fixture
def feed() -> KnownMarkets:
    return KnownMarkets()


@pytest.fixture
async def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LedgerService]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    ledger = LedgerService(SystemConfig(str(tmp_path)))
    await ledger.start()
    yield ledger
    await ledger.stop()


@pytest.fixture
async def librarian(tmp_path: Path, newsroom: Newsroom, ledger: LedgerService, feed: KnownMarkets) -> AsyncIterator[Open]:
    """Return what opens one more librarian on the same directory, by default a sandbox's with nothing but the wire."""
    opened: list[LibrarianService] = []

    async def open(mode: str = "sandbox", **options: Any) -> LibrarianService:
        given: dict[str, Any] = {"settings": {}, "ledger": ledger, "feed": feed, "where": newsroom.where}
        service = LibrarianService(SystemConfig(str(tmp_path), mode), **given | options)
        opened.append(service)
        await service.start()
        await service.load()
        await loaded(service)
        return service

    yield open
    for service in opened:
        await service.stop()


async def loaded(service: LibrarianService) -> None:
    """Wait until a librarian answers."""
    async with asyncio.timeout(60):
        while True:
            try:
                await service.similar("Will it rain?", as_of=1)
            except Unavailable:
                await asyncio.sleep(0.02)
            else:
                return

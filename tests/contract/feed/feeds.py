"""A feed that can be killed and started again, and what the venue itself would say."""

import asyncio
from collections.abc import Awaitable, Callable

from actors.ledger import LedgerService
from actors.market_feed import MarketFeedService
from actors.sandbox.exchange import Exchange
from actors.system import SystemConfig
from agents.events import Event, Type
from agents.model import Book, MarketView
from agents.ports import Endpoints
from tests.contract.sandbox.served import Served


class Feeds:
    """The lives of one feed."""

    def __init__(self, served: Served, ledger: LedgerService, config: SystemConfig) -> None:
        self.served = served
        self.ledger = ledger
        self.config = config
        self.feed: MarketFeedService | None = None

    async def start(self) -> MarketFeedService:
        """Start a feed and wait until it shows every market that can be traded."""
        feed = self.feed = MarketFeedService(
            self.config, ledger=self.ledger, where=self._where, venue_now=lambda: self._venue_now()
        )
        await feed.start()
        await until(lambda: self._complete(feed))
        return feed

    async def stop(self) -> None:
        """Kill the feed."""
        if self.feed is not None:
            await self.feed.stop()

    async def restart(self) -> MarketFeedService:
        """Kill the feed and start its next life."""
        await self.stop()
        return await self.start()

    async def _where(self) -> Endpoints:
        return self.served.endpoints

    async def _venue_now(self) -> int:
        return self.served.server.venue.now

    async def _complete(self, feed: MarketFeedService) -> bool:
        if not feed._discovered:
            return False
        shown = {view.market.condition_id for view in (await feed.snapshot()).changed}
        return shown >= self.served.run(_tradable)

    async def resolutions(self) -> list[Event]:
        """Return the resolutions in the log."""
        return (await self.ledger.poll(0, types=[Type.RESOLUTION])).events

    def books(self, view: MarketView) -> tuple[Book, ...]:
        """Return a market's books as the venue has them now."""

        def read(exchange: Exchange) -> tuple[Book, ...]:
            found = (exchange.book_snapshot(token) for token in view.market.tokens)
            return tuple(Book(book.token_id, book.bids, book.asks) for book in found)

        return self.served.run(read)


def _tradable(exchange: Exchange) -> set[str]:
    now = exchange.floor.venue_now() + 600_000
    return {
        record.condition_id
        for record in exchange.markets()
        if record.accepting_orders and not record.closed and (record.end is None or record.end > now)
    }


async def until(done: Callable[[], Awaitable[object]], seconds: float = 30.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not await done():
            await asyncio.sleep(0.02)

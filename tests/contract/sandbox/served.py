"""A venue served on loopback for tests: its server runs in a thread of its own, tests talk to it as any client would."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from eth_account import Account

from actors.sandbox.api.server import Server, listen
from actors.sandbox.exchange import Exchange
from actors.sandbox.records import MarketRecord
from actors.sandbox.venue import Venue, VenueConfig
from agents.model import FeeSchedule
from agents.money import ONE
from agents.ports import Endpoints

T = TypeVar("T")

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Wallet:
    """A funded wallet of signature type 0."""

    key: str
    address: str


class QuietVenue(Venue):
    """A venue whose background traders have quoted every market once and then keep still, so that only tests trade."""

    def tick(self) -> None:
        """Do what is due, but open, resolve and trade nothing."""
        self.exchange.run_due()


class Served:
    """The venue and its server. `run` does something on the venue's own thread."""

    def __init__(self, config: VenueConfig) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="venue", daemon=True)
        self._thread.start()
        self.server = self._call(self._start(config)).result(10)

    async def _start(self, config: VenueConfig) -> Server:
        server = Server(QuietVenue(config), listen(0))
        await server.start()
        return server

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    @property
    def endpoints(self) -> Endpoints:
        """Where it answers."""
        return self.server.endpoints

    @property
    def url(self) -> str:
        """Its root."""
        return self.server.endpoints.clob_url.removesuffix("/clob")

    def run(self, action: Callable[[Exchange], T]) -> T:
        """Do something to the exchange, on its thread."""

        async def act() -> T:
            return action(self.server.venue.exchange)

        return self._call(act()).result(10)

    def wallet(self, cash: int = 10_000 * ONE) -> Wallet:
        """Return a new wallet with cash."""
        account = Account.create()
        if cash:
            self.run(lambda exchange: exchange.fund(account.address, cash))
        return Wallet(account.key.to_0x_hex(), account.address)

    def market(self, **changes: object) -> MarketRecord:
        """Open a market that only the test trades in."""
        record = replace(quiet_market(), **changes)  # type: ignore[arg-type]
        self.run(lambda exchange: exchange.open_market(record))
        return record

    def stop(self) -> None:
        """Stop server, venue and thread."""

        async def finish() -> None:
            self.server.stop()
            await self.server.finished()
            self.server.venue.close()

        self._call(finish()).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def quiet_market() -> MarketRecord:
    """Return a market that nobody trades in; no two are the same."""
    number = next(_numbers)
    return MarketRecord(
        id=str(900_000 + number),
        condition_id=f"0x{number:064x}",
        question_id=f"0x{number + 2**128:064x}",
        question=f"Will quiet thing {number} happen?",
        slug=f"quiet-thing-{number}",
        description="It happens or it does not.",
        category="economics",
        tags=("Economy", "Quiet Things"),
        event_id=str(700_000 + number),
        event_slug=f"quiet-event-{number}",
        event_title=f"Quiet event {number}",
        # Token ids have 77 or 78 digits; neither of two is always the lower.
        tokens=(str(10**76 + 7919 * number), str(10**77 - 104_729 * number) if number % 2 else str(10**76 + number)),
        outcomes=("Yes", "No"),
        tick=10_000,
        min_size=5 * ONE,
        fee=FeeSchedule(Decimal("0.05")),
        created=1_790_000_000_000,
        start=1_790_000_000_000,
        end=1_900_000_000_000,
    )

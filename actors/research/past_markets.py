"""Learns from the log which markets have resolved, and recalls those that are like a question."""

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from langchain_core.documents import Document

from actors.naming import LIBRARIAN
from actors.research.store import MARKETS, Store
from agents.errors import PolyfleetError
from agents.events import Event, Type
from agents.forecasting.records import PastMarket
from agents.ports import Ledger, MarketFeed
from agents.rag.price_path import price_path
from agents.rag.text import plain

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that one poll waits for news, and between attempts while ledger, feed or store cannot be reached.
_WAIT = 20.0
_RETRY = 2.0
#: Events of one step: after each the place in the log is noted.
_STEP = 100

#: Characters of a question and of a category that are kept.
_QUESTION = 500
_CATEGORY = 60


class PastMarkets:
    """The second collection of a store. `threads` run what waits for the disk; `retry` is in seconds."""

    def __init__(self, store: Store, ledger: Ledger, feed: MarketFeed, threads: Executor, retry: float = _RETRY) -> None:
        self._store = store
        self._ledger = ledger
        self._feed = feed
        self._threads = threads
        self._retry = retry

    async def learn(self) -> None:
        """Follow the log for ever."""
        reason = ""
        while True:
            try:
                await self._step()
                reason = ""
            except PolyfleetError as error:
                if str(error) != reason:
                    reason = str(error)
                    log.warning("the librarian cannot learn of resolved markets now: %s", reason)
                await asyncio.sleep(self._retry)
            except Exception:
                log.exception("the librarian failed to learn of resolved markets; trying again")
                await asyncio.sleep(self._retry)

    async def _step(self) -> None:
        cursor, life = await self._run(self._store.cursor)
        batch = await self._ledger.poll(cursor, limit=_STEP, wait=_WAIT, types=[Type.RESOLUTION], reader=LIBRARIAN)
        if batch.head < cursor:
            log.warning("the log ends at %d and was read up to %d; it is read from its beginning", batch.head, cursor)
            await self._run(lambda: self._store.advance(0, life))
            return
        resolved = {event.data["conditionId"]: event for event in batch.events if _counts(event)}
        # After a kill events come again, and the feed may know less of their markets by then.
        known = await self._run(lambda: self._store.known(MARKETS, list(resolved)))
        entries = [await self._entry(event) for id, event in resolved.items() if id not in known]
        await self._run(lambda: self._store.add(MARKETS, entries))
        if batch.next != cursor:
            await self._run(lambda: self._store.advance(batch.next, life))

    async def _entry(self, event: Event) -> Document:
        data = event.data
        view = await self._feed.market(data["conditionId"])
        tags = view.market.tags if view else ()
        prices = price_path(view.prices, data["venueTime"]) if view else ()
        return Document(
            id=data["conditionId"],
            page_content=plain(data["marketQuestion"], _QUESTION),
            metadata={
                "category": plain(tags[0], _CATEGORY) if tags else "",
                "outcome": plain(data["outcome"], _CATEGORY),
                "resolved": data["venueTime"],
                "prices": json.dumps(prices),
            },
        )

    async def similar(self, question: str, *, as_of: int, least: float, limit: int) -> list[PastMarket]:
        """Return markets of likeness `least` or more that had resolved by `as_of`, the most alike first. Raises Unavailable."""
        asked = plain(question, _QUESTION)
        found = await self._run(lambda: self._store.find(MARKETS, asked, as_of=as_of, limit=limit))
        return [
            PastMarket(
                entry.page_content,
                entry.metadata["category"],
                entry.metadata["outcome"],
                entry.metadata["resolved"],
                tuple((hours, price) for hours, price in json.loads(entry.metadata["prices"])),
                round(likeness, 4),
            )
            for entry, likeness in found
            if likeness >= least
        ]

    async def _run(self, action: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, action)


def _counts(event: Event) -> bool:
    """Whether an event is the resolution itself, not a redemption after it, and one side has won."""
    return "redeemed" not in event.data and len(set(event.data["payouts"].values())) > 1

"""Sells what agents hold while the kill switch says so, for as long as it does; what is left, and why, is in the log."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from actors.brokerage.desk import Desk
from actors.brokerage.entry import Entry
from agents.errors import PolyfleetError, Unavailable
from agents.events import Type
from agents.model import MarketView
from agents.money import Micro
from agents.orders import OrderStatus
from agents.portfolio import UNALLOCATED
from agents.ports import Intent
from agents.sell_out import Left, SellOut, limit_of, sale, sell_out_data, why_not

log = logging.getLogger(__name__)

#: Sales at the venue at once, and seconds before what was not sold is tried again, at first and at most.
_AT_ONCE = 10
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


@dataclass(frozen=True, slots=True)
class _Holding:
    owner: str
    token_id: str
    view: MarketView | None


class SellingOut:
    """Sells out one wallet.

    It needs no memory of its own: what there is to sell is in the books, whether to sell and at what price at least in the
    log. An order whose outcome is not known holds its shares back, so nothing is sold twice.
    """

    def __init__(self, desk: Desk, entry: Entry) -> None:
        self._desk = desk
        self._entry = entry
        self._task: asyncio.Task[None] | None = None
        self._since = 0
        #: What the log was told of this, or None.
        self._told: SellOut | None = None
        self._sales = 0
        self._due = 0.0
        self._pause = _SHORTEST_PAUSE

    def look(self, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]) -> None:
        """Begin to go over what is held, unless that is being done; a lost connection does not cut it off."""
        if self._task is None or self._task.done():
            self._task = spawn(self._look())

    async def _look(self) -> None:
        try:
            await self._work()
        except PolyfleetError as error:
            log.warning("%s could not sell out: %s", self._desk.name, error)
        except Exception:
            log.exception("%s failed to sell out", self._desk.name)

    async def _work(self) -> None:
        """Go once over it, if the kill switch sells out and it is time; what fails is tried again later."""
        since = self._desk.fleet.flattening
        if since != self._since:
            self._since, self._due, self._pause = since, 0.0, _SHORTEST_PAUSE
            self._told = self._desk.fleet.sell_outs.get(self._desk.wallet.name)
            log.warning("%s %s", self._desk.name, "sells out" if since else "no longer sells out")
        if not since or time.monotonic() < self._due:
            return
        try:
            left = await self._pass()
        except Unavailable as error:
            log.warning("%s cannot sell out now: %s", self._desk.name, error)
            news = False
        else:
            news = await self._tell(replace(self._known, left=left))
        self._pause = _SHORTEST_PAUSE if news else min(self._pause * 2, _LONGEST_PAUSE)
        self._due = time.monotonic() + self._pause

    async def _pass(self) -> tuple[Left, ...]:
        """Sell what can be sold, and return what is left."""
        desk = self._desk
        held = [
            _Holding(owner, token_id, await desk.feed.market(token_id))
            for owner, book in desk.portfolio.wallets.get(desk.wallet.name, {}).items()
            for token_id, position in book.positions.items()
            if position.size > 0
        ]
        await self._set_limits(held)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def attempt(holding: _Holding) -> Left | None:
            async with slots:
                return await self._sell(holding)

        found = await asyncio.gather(*(attempt(holding) for holding in held))
        return tuple(sorted(filter(None, found), key=lambda left: (left.owner, left.token_id)))

    async def _set_limits(self, held: list[_Holding]) -> None:
        """Log the least price of each token that is bid for, before the first of it is sold: it counts in every life."""
        limits = dict(self._known.limits)
        for holding in held:
            view, token_id = holding.view, holding.token_id
            if view is None or token_id in limits or why_not(view, token_id, view.market.min_size, None):
                continue
            bid = view.books[view.market.index(token_id)].bid
            if bid is not None:
                limits[token_id] = limit_of(bid, view.market.tick)
        if limits != self._known.limits:
            left = tuple(self._left(holding, "it is being sold") for holding in held)
            await self._tell(SellOut(limits, left))

    async def _sell(self, holding: _Holding) -> Left | None:
        """Sell a holding as far as that is possible; return what is left of it."""
        desk, view = self._desk, holding.view
        if holding.owner == UNALLOCATED or holding.owner not in desk.fleet.agents:
            return self._left(holding, "no agent owns them")
        free = desk.free_shares(holding.owner, holding.token_id)
        limit = self._known.limits.get(holding.token_id)
        reason = why_not(view, holding.token_id, free, limit)
        if reason is None and view is not None and limit is not None:
            self._sales += 1
            id = f"{desk.source.name}/{desk.source.incarnation}/sale/{self._sales}"
            intent = Intent(id, sale(view, holding.token_id, free, limit))
            try:
                placed = await self._entry.sell_out(holding.owner, intent)
            except PolyfleetError as error:
                log.warning("%s could not sell %s of %s: %s", desk.name, holding.token_id, holding.owner, error)
                reason = str(error)
            else:
                rejected = placed.status == OrderStatus.REJECTED
                reason = placed.reason if rejected else "bids took a part of them only"
        return self._left(holding, reason or "nobody has bid for them yet") if self._size(holding) > 0 else None

    def _size(self, holding: _Holding) -> Micro:
        position = self._desk.book(holding.owner).positions.get(holding.token_id)
        return position.size if position else 0

    def _left(self, holding: _Holding, reason: str) -> Left:
        market = holding.view.market if holding.view else None
        question, outcome = (market.question, market.outcome(holding.token_id)) if market else ("", "")
        return Left(holding.owner, holding.token_id, self._size(holding), question, outcome, reason)

    @property
    def _known(self) -> SellOut:
        return self._told or SellOut()

    async def _tell(self, sell_out: SellOut) -> bool:
        """Log how far it is, if that has changed; return whether it has."""
        if sell_out == self._told:
            return False
        desk = self._desk
        event = desk.source.event(Type.RISK, sell_out_data(desk.wallet.name, self._since, sell_out))
        await desk.record([event])
        self._told = sell_out
        return True

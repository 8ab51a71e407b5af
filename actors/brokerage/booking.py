"""What the venue says becomes what the log says: fills, settlements and the ends of orders, each once."""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence

from actors.brokerage.desk import Desk
from actors.brokerage.fills import ON_CHAIN, SETTLED, VenueFill, fills_of
from actors.brokerage.orders import Order
from actors.polymarket.account import VenueOrder, VenueTrade
from agents.orders import OrderStatus

log = logging.getLogger(__name__)

S = OrderStatus

#: An order that the venue does not know this many wall seconds after it was last sent never arrived.
GRACE = 5.0

#: Seconds that the user channel has to report the fills of an answered order before they are asked for.
_CHANNEL = 0.1

#: Wall seconds by which the venue's clock may be behind ours.
_SKEW = 60

_ENDED = {S.CANCELLED, S.EXPIRED, S.REJECTED}


class Booking:
    """Takes what the venue reports, in any order and any number of times."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def trades(self, trades: Iterable[VenueTrade]) -> int:
        """Book the wallet's fills in these trades; return how many changes were new."""
        desk, changes = self._desk, 0
        owner, address = desk.venue.owner, desk.venue.address
        for trade in trades:
            for fill in fills_of(trade, owner, address, desk.owns):
                changes += await self.fill(fill)
        return changes

    async def fill(self, fill: VenueFill) -> int:
        """Book one fill and its settlement; return how many of the two were new."""
        desk = self._desk
        settled = SETTLED.get(fill.status)
        if fill.status in ON_CHAIN:
            desk.mined.add(fill.key)
        if fill.key in desk.known and not (settled and fill.key in desk.portfolio.pending):
            return 0
        with desk.working():
            order = await desk.find(fill.order_id) or await self._outside(fill)
            if order is None:
                return 0
            async with desk.lock(order.agent_id):
                return await self._book(order, fill, settled)

    async def _book(self, order: Order, fill: VenueFill, settled: str | None) -> int:
        desk, changes = self._desk, 0
        if fill.key not in desk.known:
            # One that failed before the books heard of it is booked, and taken back: the venue counts it as matched for good.
            if order.agent_id is not None and order.agent_id not in desk.fleet.agents:
                order.agent_id = None
            if order.intent_id == "":
                order.size = max(order.size, order.filled + fill.size)
            await desk.move(order, _after_fill(order, fill), fill=fill)
            changes += 1
        if settled and fill.key in desk.portfolio.pending:
            order.unsettled.discard(fill.trade_id)
            order.failed = order.failed or settled == "failed"
            await desk.move(order, _after_settlement(order), settled=(fill.trade_id, settled))
            desk.mined.discard(fill.key)
            changes += 1
        return changes

    async def _outside(self, fill: VenueFill) -> Order | None:
        """Return an order for what somebody else did with this wallet; it belongs to no agent."""
        desk = self._desk
        market = await desk.market(fill.token_id)
        if market is None:
            log.error("trade %s is on token %s, of which the venue knows no market", fill.trade_id, fill.token_id)
            return None
        order = desk.orders.get(fill.order_id)
        if order is None:
            order = Order(
                id=fill.order_id,
                agent_id=None,
                intent_id="",
                market=market,
                token_id=fill.token_id,
                side=fill.side,
                price=fill.price,
                size=fill.size,
                order_type="GTC" if fill.maker else "FAK",
                post_only=False,
                created=fill.matched_at * 1000,
                venue_time=desk.clock.reckoned,
                status=S.SENT,
                reason="placed outside the fleet",
            )
            desk.orders.add(order)
        return order

    async def collect(self, order: Order, trade_ids: Sequence[str], patience: float) -> None:
        """Wait until an answered order's trades are in the books, asking the venue for those that the channel is late with."""
        desk = self._desk
        deadline = time.monotonic() + patience
        wait = _CHANNEL
        while missing := [id for id in trade_ids if f"{id}/{order.id}" not in desk.known]:
            if await desk.changed(wait):
                continue
            if time.monotonic() > deadline:
                return
            wait = min(wait * 2, 1.0)
            found = await asyncio.gather(*(desk.venue.trade(id) for id in missing))
            await self.trades(trade for trade in found if trade)

    async def report(self, update: VenueOrder) -> None:
        """Take an order's frame of the user channel; only its end is news."""
        order = self._desk.orders.get(update.id)
        if order is not None and order.open and not order.posting and _venue_end(update) is not None:
            await self.settle(order, update)

    async def settle(self, order: Order, found: VenueOrder | None) -> bool:
        """Bring an order to what the venue says of it (None: it has no such order); return whether that is known now."""
        desk = self._desk
        if order.waiting:
            return True
        if found is None:
            if desk.wall() - max(order.created / 1000, order.sent) < GRACE:
                return False
            await self._missing(order)
            await self.end(order, S.EXPIRED, "the venue does not know it")
            return True
        if found.matched > order.filled:
            await self._missing(order)
            if found.matched > order.filled:
                return False
        end = _venue_end(found)
        if end is None:
            return await self._attach(order, found)
        if end is S.CANCELLED and order.expires is not None and order.expires <= desk.clock.reckoned:
            await self.end(order, S.EXPIRED, "its time was over")
        else:
            await self.end(order, end, "" if end is S.MATCHED else f"the venue says {found.status.lower()}")
        return order.status is not S.UNKNOWN

    async def _missing(self, order: Order) -> None:
        """Book the trades of an order's market that happened since it was signed."""
        venue = self._desk.venue
        await self.trades(await venue.trades(after=order.created // 1000 - _SKEW, condition_id=order.market.condition_id))

    async def _attach(self, order: Order, found: VenueOrder) -> bool:
        if found.status != "LIVE":
            return False
        desk = self._desk
        async with desk.lock(order.agent_id):
            if order.status in (S.SIGNED, S.SENT, S.UNKNOWN):
                await desk.move(order, S.PARTIALLY_FILLED if order.filled else S.LIVE, reason="")
        return True

    async def end(self, order: Order, status: OrderStatus, reason: str) -> None:
        """Log that the venue will not fill an order any more."""
        desk = self._desk
        with desk.working():
            async with desk.lock(order.agent_id):
                if not order.open:
                    return
                final = _final(order, status)
                await desk.move(order, final, reason=reason if final is not S.MATCHED else "")
                if order.status in (S.MATCHED, S.PENDING) and not order.unsettled and order.filled:
                    await desk.move(order, S.FAILED if order.failed else S.CONFIRMED)


def _after_fill(order: Order, fill: VenueFill) -> OrderStatus:
    """Return the state of an order once a fill is added."""
    if not order.open and order.status is not S.MATCHED:
        return order.status
    return S.MATCHED if order.filled + fill.size >= order.size else S.PARTIALLY_FILLED


def _after_settlement(order: Order) -> OrderStatus:
    """Return the state of an order once one of its trades has settled."""
    if order.unsettled or order.status not in (S.MATCHED, S.PENDING, S.CONFIRMED):
        return order.status
    return S.FAILED if order.failed else S.CONFIRMED


def _final(order: Order, status: OrderStatus) -> OrderStatus:
    """Return how an order ends for which the venue says `status`."""
    if order.filled >= order.size:
        return S.MATCHED
    if order.filled and (order.taking or status in (S.MATCHED, S.REJECTED)):
        return S.PENDING
    if status is S.MATCHED:
        # The venue says that it was filled, and no trade says so: look again rather than invent one.
        return S.UNKNOWN
    if order.status in (S.LIVE, S.PARTIALLY_FILLED):
        return S.CANCELLED if status is S.REJECTED else status
    return S.REJECTED if order.taking and status is S.CANCELLED else status


def _venue_end(order: VenueOrder) -> OrderStatus | None:
    """Return how the venue says that an order has ended, or None while it has not."""
    if order.status in ("LIVE", "DELAYED", "UNMATCHED"):
        return None
    if order.status == "MATCHED":
        return S.MATCHED
    if "EXPIRED" in order.status:
        return S.EXPIRED
    return S.CANCELLED if order.status.startswith("CANCEL") else S.REJECTED

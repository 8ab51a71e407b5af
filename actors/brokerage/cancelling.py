"""Cancelling orders, and learning how each of them has ended."""

import asyncio
import time
from collections.abc import Iterable

from actors.brokerage.booking import Booking
from actors.brokerage.desk import Desk
from actors.brokerage.orders import Order
from agents.orders import OrderStatus

#: Seconds that the user channel has to report what came of an order before it is asked for.
CHANNEL = 0.5


class Cancelling:
    """Cancels orders of one wallet at the venue and logs how they ended: cancelled, or filled before that."""

    def __init__(self, desk: Desk, booking: Booking) -> None:
        self._desk = desk
        self._booking = booking

    async def cancel(self, orders: Iterable[Order]) -> int:
        """Cancel those of these orders that may rest, in one request, and log how each ended; return their number."""
        desk = self._desk
        wanted = [order for order in orders if order.open and not order.posting]
        resting = [order for order in wanted if not order.waiting]
        await asyncio.gather(*(self.drop(order) for order in wanted if order.waiting))
        if not resting:
            return len(wanted)
        _note_unwanted(resting)
        with desk.working():
            done, _ = await desk.venue.cancel([order.id for order in resting])
            await self._all_ended(resting, done)
        return len(wanted)

    async def sweep(self) -> int:
        """Cancel whatever the wallet has at the venue in one request that names no order; return how many that were.

        It is the first thing that is sent, so neither their number nor what else goes on holds it up.
        """
        desk = self._desk
        resting = [order for order in desk.orders.open() if not order.posting and not order.waiting]
        _note_unwanted(resting)
        with desk.working():
            done = await desk.venue.cancel_all()
            await self._all_ended(resting, done)
        return len(done)

    async def drop(
        self, order: Order, status: OrderStatus = OrderStatus.CANCELLED, reason: str = "it was cancelled before it was approved"
    ) -> bool:
        """End an order that waits for a person, of which the venue knows nothing; return whether it still did."""
        desk = self._desk
        async with desk.lock(order.agent_id):
            if not order.waiting:
                return False
            await desk.move(order, status, reason=reason)
            return True

    async def ends_within(self, order: Order, seconds: float) -> bool:
        """Return whether an order has ended, waiting at most so long for the user channel to say so."""
        deadline = time.monotonic() + seconds
        while order.open and (left := deadline - time.monotonic()) > 0:
            await self._desk.changed(left)
        return not order.open

    async def _all_ended(self, orders: Iterable[Order], done: set[str]) -> None:
        await asyncio.gather(*(self._ended(order, reported=order.id in done) for order in orders))

    async def _ended(self, order: Order, *, reported: bool) -> None:
        """Wait for the user channel to tell how a cancelled order ended, or ask."""
        if order.open and not (reported and await self.ends_within(order, CHANNEL)):
            await self._booking.settle(order, await self._desk.venue.order(order.id))


def _note_unwanted(orders: Iterable[Order]) -> None:
    for order in orders:
        order.unwanted = order.unwanted or order.in_doubt

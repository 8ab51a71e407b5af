"""The dead-man switch: the venue hears from the broker while it lives; if it does not, it cancels the wallet's orders."""

import asyncio
import logging
import time

from actors.brokerage.desk import Desk
from actors.brokerage.orders import Order
from actors.polymarket.trading import OtherHeartbeat
from agents.errors import PolyfleetError
from agents.events import Type
from agents.orders import OrderStatus

log = logging.getLogger(__name__)

S = OrderStatus

#: Wall seconds between heartbeats, and before one that failed is sent again. The venue waits for ten: so the orders of a broker
#: that dies survive if its next life is back within seven.
EVERY, _RETRY = 3.0, 1.0

_RESTING = (S.LIVE, S.PARTIALLY_FILLED)


class Heartbeat:
    """One wallet's heartbeat. It runs on the loop that does the broker's work: where that hangs, the venue hears nothing.

    The id need not be remembered by anyone: the venue tells the right one when it is told a wrong one.
    """

    def __init__(self, desk: Desk, *, on: bool) -> None:
        self._desk = desk
        self._on = on
        self._id = ""
        self._troubled = False
        #: The orders that rested when the venue last heard of this broker, and those of them that may be cancelled since then.
        self._resting: list[Order] = []
        self._doubtful: list[Order] = []
        self._lapsed = False

    async def begin(self) -> None:
        """Send the first heartbeat of a connection, before anything is settled: what rests survives then, if it still does."""
        if self._on and not self._id:
            # What the log says of the life before this one.
            self._resting = self._at_rest()
        if self._on:
            await self._try()

    async def run(self) -> None:
        """Send the others, for as long as there is a connection."""
        while self._on:
            began = time.monotonic()
            fine = await self._try()
            await asyncio.sleep(max(EVERY - (time.monotonic() - began), 0.0) if fine else _RETRY)

    async def _try(self) -> bool:
        """Send one, and return whether it was taken. The venue's refusal stops nothing else: the next one comes soon."""
        try:
            await self._beat()
        except PolyfleetError as error:
            if not self._troubled:
                log.warning("%s is not heard by the venue: %s", self._desk.name, error)
            self._troubled = True
        else:
            self._troubled = False
        return not self._troubled

    @property
    def lapsed(self) -> bool:
        """Whether the venue has given this broker up for dead, and `tell` has not been called since."""
        return self._lapsed

    async def tell(self) -> None:
        """Log what the venue has cancelled meanwhile; to be called once that was settled."""
        lost = [order for order in self._doubtful if order.status is S.CANCELLED]
        self._doubtful, self._lapsed = [], False
        name = self._desk.wallet.name
        if not lost:
            log.warning("%s was not heard of by the venue for a while; nothing of it was resting there", self._desk.name)
            return
        message = f"The venue did not hear of wallet {name} for a while and has cancelled {len(lost)} of its orders"
        data = {"kind": "heartbeat", "wallet": name, "orders": [order.id for order in lost], "message": message}
        await self._desk.record([self._desk.source.event(Type.RISK, data)])

    async def _beat(self) -> None:
        venue, known = self._desk.venue, self._id
        try:
            self._id = await venue.beat(known)
            anew = not known
        except OtherHeartbeat as error:
            # Ours was lost on its way back, an earlier life sent the last one, or the venue has ended it.
            self._id = await venue.beat(error.expected)
            anew = not error.expected
        if anew and (known or self._resting):
            self._lapsed, self._doubtful = True, self._resting
        self._resting = self._at_rest()

    def _at_rest(self) -> list[Order]:
        return [order for order in self._desk.orders.open() if order.status in _RESTING]

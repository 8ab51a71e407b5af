"""The user channel: what it says is booked, and when it has gone silent it gets a new connection."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence

from actors.brokerage.booking import Booking
from actors.brokerage.desk import Desk
from actors.brokerage.venue_session import VenueSession
from actors.polymarket.account import VenueOrder, VenueTrade
from agents.errors import PolyfleetError, Unavailable

log = logging.getLogger(__name__)

#: Seconds that a channel has to tell what REST has told already before it is taken for silent.
_LATE = 1.0
#: Things told that are remembered.
_REMEMBERED = 20_000


class UserChannel:
    """Takes in the updates of one session after the other. No lost connection interrupts the booking."""

    def __init__(self, desk: Desk, booking: Booking) -> None:
        self._desk = desk
        self._booking = booking
        self._updates: asyncio.Queue[VenueOrder | VenueTrade] = asyncio.Queue()
        self._renew = asyncio.Event()
        #: What it has told of late, as `told_by` names it, and how often it was replaced for silence.
        self._told: OrderedDict[str, None] = OrderedDict()
        self.renewals = 0

    @property
    def waiting(self) -> int:
        """Updates that are not booked yet."""
        return self._updates.qsize()

    async def listen(self, session: VenueSession) -> None:
        """Take in what the channel says, over a new connection whenever it has gone silent.

        Raises:
            Unavailable, VenueRefused, VenueUnknown: when it ends otherwise.
        """
        while True:
            self._renew.clear()
            taking = asyncio.ensure_future(self._take(session))
            waiting = asyncio.ensure_future(self._renew.wait())
            try:
                await asyncio.wait({taking, waiting}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (taking, waiting):
                    task.cancel()
                [ended, _] = await asyncio.gather(taking, waiting, return_exceptions=True)
            if isinstance(ended, Exception):
                raise ended

    async def _take(self, session: VenueSession) -> None:
        async for update in session.updates():
            self._told[told_by(update)] = None
            if len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
            self._updates.put_nowait(update)
        raise Unavailable("the user channel has ended")

    async def doubt(self, news: Sequence[str]) -> None:
        """Replace the connection unless it tells in a moment, too, what REST has told first."""
        await asyncio.sleep(_LATE)
        missing = [name for name in news if name not in self._told]
        if missing:
            log.warning("%s: its user channel did not tell of %s; it is replaced", self._desk.name, missing[0])
            self.renewals += 1
            self._renew.set()

    async def book(self) -> None:
        """Book for ever what came in."""
        while True:
            update = await self._updates.get()
            try:
                if isinstance(update, VenueTrade):
                    await self._booking.trades([update])
                else:
                    await self._booking.report(update)
            except PolyfleetError as error:
                # Nothing is lost: the next reconciliation brings it again.
                log.warning("%s could not book an update: %s", self._desk.name, error)
            except Exception:
                log.exception("%s could not book %s", self._desk.name, update)


def told_by(update: VenueOrder | VenueTrade) -> str:
    """Return the name of what an update tells: a trade's status, or an order's end by its id."""
    if isinstance(update, VenueTrade) or update.status == "LIVE":
        return f"{update.id}/{update.status}"
    return update.id

"""Settling with the venue what is open or unknown: before the first order of a life or connection, and from time to time."""

import asyncio
import logging

from actors.brokerage.booking import GRACE, Booking
from actors.brokerage.desk import Desk
from actors.brokerage.fills import fills_of
from actors.brokerage.orders import Order
from actors.brokerage.user_channel import told_by
from agents.errors import Unavailable
from agents.orders import OrderStatus
from agents.ports import Placed

log = logging.getLogger(__name__)

S = OrderStatus

#: Wall seconds of trades that are asked for again, before the latest that is known: some are listed late.
_OVERLAP = 60

#: Wall seconds for which fills are remembered beyond the time of which the venue may be asked again.
_FORGOTTEN = 3600

#: A page of the log, and how many pages of ended orders are remembered for intents that come again.
_PAGE = 1000
_PAGES = 5


class Recovery:
    """Makes the log agree with the venue about orders and trades."""

    def __init__(self, desk: Desk, booking: Booking) -> None:
        self._desk = desk
        self._booking = booking
        #: The wall second up to which all trades are booked.
        self._reconciled = 0

    async def load(self) -> None:
        """Take up from the log what earlier lives left: open orders, booked fills, and what came of recent intents."""
        desk = self._desk
        before: int | None = None
        for _ in range(_PAGES):
            page = await desk.ledger.history("orders", limit=_PAGE, before=before)
            for data in page.items:
                if data["wallet"] == desk.wallet.name and data["decisionId"]:
                    desk.orders.remember(Placed(data["decisionId"], data["orderId"], data["status"], data["reason"]))
            before = page.next
            if before is None:
                break
        for data, _ in await desk.ledger.unsettled_orders(desk.wallet.name):
            await desk.restore(data)
        for key in desk.pending():
            await desk.find(key.split("/")[1])
        await self._load_fills()

    async def _load_fills(self) -> None:
        """Remember the fills that are in the books, back to the oldest that the venue may report again."""
        desk = self._desk
        oldest, before = self._since(), None
        while True:
            page = await desk.ledger.history("trades", limit=_PAGE, before=before)
            mine = [data for data in page.items if data.get("wallet") == desk.wallet.name and "orderId" in data]
            desk.known.update((data["id"], data["timestamp"] // 1000) for data in mine)
            desk.matched_until = max([desk.matched_until, *(data["timestamp"] // 1000 for data in mine)])
            oldest = oldest or desk.matched_until - 2 * _OVERLAP
            before = page.next
            if before is None or (mine and max(data["timestamp"] for data in mine) // 1000 < oldest - _OVERLAP):
                break
        # Asked for last: what leaves the log while it is read is found here.
        dropped = await desk.ledger.dropped_fills(desk.wallet.name)
        desk.known.update((key, timestamp // 1000) for key, timestamp in dropped.items())
        desk.matched_until = max([desk.matched_until, *(timestamp // 1000 for timestamp in dropped.values())])

    async def settle(self) -> None:
        """Settle every order by its id and book what was missed, until nothing is unknown.

        Raises:
            Unavailable, VenueRefused, VenueUnknown: if the venue does not say.
        """
        desk = self._desk
        await self._book_missing()
        unknown = list(desk.orders.open())
        for _ in range(int(GRACE) + 3):
            unknown = [order for order in unknown if not await self._settled(order)]
            if not unknown:
                break
            await asyncio.sleep(1.0)
        else:
            raise Unavailable(f"the venue does not say what became of order {unknown[0].id}")
        await self._compare_open()

    async def _book_missing(self) -> list[str]:
        """Book what is not booked yet of the venue's trades; return what was news, as `told_by` names it."""
        desk, began, news = self._desk, int(self._desk.wall()), []
        if since := self._since():
            found = await desk.venue.trades(after=since - _OVERLAP)
            news = [told_by(trade) for trade in found if await self._booking.trades([trade])]
        else:
            # There is no trade of the fleet yet; what others did before is in the balance that it begins with.
            earlier = await desk.venue.trades(after=began - 2 * _OVERLAP)
            fills = [fill for trade in earlier for fill in fills_of(trade, desk.venue.owner, desk.venue.address)]
            desk.known.update((fill.key, fill.matched_at) for fill in fills)
        self._reconciled = began
        return news

    async def _settled(self, order: Order) -> bool:
        if not order.open or order.posting or order.waiting:
            return True
        if order.unsent:
            await self._booking.end(order, S.REJECTED, "the ledger did not acknowledge it in time; it was never sent")
            return True
        return await self._booking.settle(order, await self._desk.venue.order(order.id))

    async def settle_unknown(self) -> None:
        """Ask once for each order of which it is not known whether the venue has it."""
        for order in list(self._desk.orders.open()):
            if order.in_doubt:
                await self._settled(order)

    async def reconcile(self) -> list[str]:
        """Book what the user channel may have lost: trades, settlements, ends of orders; return what was (see `told_by`)."""
        news = await self._book_missing() + await self._compare_open()
        self._desk.forget(self._oldest() - _FORGOTTEN)
        return news

    async def _compare_open(self) -> list[str]:
        """Settle the orders that the venue lists no longer, and cancel those of the fleet's own that have ended in the log.

        What others placed with the wallet is left alone, and so is what was placed or ended after the question. Returns the
        ids of the former that have ended.
        """
        desk = self._desk
        asked, known = int(desk.wall() * 1000), {order.id for order in desk.orders.open()}
        listed = {order.id for order in await desk.venue.open_orders()}
        gone = [
            order for order in desk.orders.open() if order.id not in listed and order.created < asked and not order.in_doubt
        ]
        for order in gone:
            await self._settled(order)
        found = [await desk.find(order_id) for order_id in listed - known]
        strays = [order.id for order in found if order is not None and order.intent_id and order.created < asked]
        if strays:
            log.warning("cancelling %d orders that rest at the venue and have ended in the log: %s", len(strays), strays)
            await desk.venue.cancel(strays)
        return [order.id for order in gone if not order.open]

    def _since(self) -> int:
        """Return the wall second from which on a trade may be missing or unsettled; 0 if nothing can be missing."""
        desk = self._desk
        if self._reconciled:
            return min([self._reconciled, *self._unsettled()])
        known = [desk.matched_until] if desk.matched_until else []
        return min([*known, *self._unsettled(), *(order.created // 1000 for order in desk.orders.open())], default=0)

    def _unsettled(self) -> list[int]:
        """Return when the orders were signed that have fills which are not settled."""
        orders = (self._desk.orders.get(key.split("/")[1]) for key in self._desk.pending())
        return [order.created // 1000 for order in orders if order is not None]

    def _oldest(self) -> int:
        """Return the wall second from which on the venue may be asked for trades again."""
        return min([self._since(), *(order.created // 1000 for order in self._desk.orders.open())])

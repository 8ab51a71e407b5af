"""Sending signed orders: the stored bytes, again where that is right, until it is known what came of each."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from actors.brokerage.booking import Booking
from actors.brokerage.breakers import Breakers
from actors.brokerage.cancelling import CHANNEL, Cancelling
from actors.brokerage.desk import Desk
from actors.brokerage.orders import Order
from actors.polymarket.trading import Reply
from agents.errors import Unavailable, VenueBusy, VenueRefused, VenueUnknown
from agents.orders import OrderStatus

log = logging.getLogger(__name__)

S = OrderStatus

#: Wall seconds for which an order is sent again, and between one time and the next.
_PATIENCE = 15.0
_PAUSES = (0.25, 0.5, 1.0, 2.0)

#: Seconds that the venue has to list the trades of an order that it called matched.
_FILL_PATIENCE = 10.0

#: Seconds between questions about an order of which the venue has not said what came, at most.
_LONGEST_WAIT = 1.0

_Outcome = Reply | VenueRefused | VenueUnknown | Unavailable


@dataclass(slots=True)
class _Parcel:
    """An order on its way; `doubtful`: one of its sendings may have arrived."""

    order: Order
    payload: bytes
    doubtful: bool = False
    reason: str = ""


class Delivery:
    """Sends orders to the venue. An order is only ever sent as the bytes that are in the log.

    Sent again is what the venue did not take for a while (its engine restarts, it limits the rate, it was not reached) or
    may have taken (a time-out, a lost answer): it knows an order by its hash, so the same bytes are one order, however often
    they arrive. It is asked for a doubtful order first. What it refuses for good is not sent again, nor is anything after
    `_PATIENCE`, after its own time is over, or once the agent may not trade any more.
    """

    def __init__(self, desk: Desk, booking: Booking, cancelling: Cancelling, breakers: Breakers) -> None:
        self._desk = desk
        self._booking = booking
        self._cancelling = cancelling
        self._breakers = breakers

    async def send(self, stored: Mapping[str, bytes], stopped: Callable[[], str | None]) -> None:
        """Send orders, by id, together, and bring each to what came of it; what stays unknown is settled later, by its id.

        Args:
            stored: the signed orders, all of one agent.
            stopped: tells why nothing may be sent any more, or None.
        """
        tracked = ((self._desk.orders.get(order_id), payload) for order_id, payload in stored.items())
        parcels = [_Parcel(order, payload) for order, payload in tracked if order is not None]
        deadline = time.monotonic() + _PATIENCE
        left = parcels
        try:
            async with asyncio.TaskGroup() as answers:
                for pause in (*_PAUSES, None):
                    left, wait = await self._attempt(left, stopped, answers)
                    wait = max(pause or 0.0, wait)
                    if not left or pause is None or time.monotonic() + wait > deadline:
                        break
                    await asyncio.sleep(wait)
                    await self._desk.gate.wait()
                for parcel in left:
                    answers.create_task(self._given_up(parcel))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        finally:
            for parcel in parcels:
                parcel.order.posting = False

    async def _attempt(
        self, parcels: Sequence[_Parcel], stopped: Callable[[], str | None], answers: asyncio.TaskGroup
    ) -> tuple[list[_Parcel], float]:
        """Send once; return what may be sent again, and the seconds after which the venue wants it."""
        desk, again, wait = self._desk, [], 0.0
        wanted = []
        for parcel in parcels:
            reason = stopped() or self._late(parcel.order)
            if parcel.order.status is not S.SIGNED:
                answers.create_task(self._followed(parcel.order))  # The user channel told of it meanwhile.
            elif reason:
                parcel.order.unwanted = True
                parcel.reason = f"it was not sent{' again' if parcel.reason else ''}: {reason}"
                answers.create_task(self._given_up(parcel))
            else:
                wanted.append(parcel)
        if not wanted:
            return [], 0.0
        with desk.working():
            for parcel, outcome in zip(wanted, await self._sent(wanted), strict=True):
                parcel.order.sent = desk.wall()
                if isinstance(outcome, Reply):
                    answers.create_task(self._answered(parcel.order, outcome))
                elif await self._may_go_again(parcel, outcome):
                    again.append(parcel)
                    wait = max(wait, outcome.retry_after if isinstance(outcome, VenueBusy) else 0.0)
        return again, wait

    async def _sent(self, parcels: Sequence[_Parcel]) -> Sequence[_Outcome]:
        """Send orders together the first time, then one by one: several may be more than a bucket of the venue holds."""
        if not any(parcel.reason for parcel in parcels):
            return await self._posted([parcel.payload for parcel in parcels])
        return [outcome for parcel in parcels for outcome in await self._posted([parcel.payload])]

    async def _posted(self, payloads: Sequence[bytes]) -> Sequence[_Outcome]:
        try:
            with self._breakers.request():
                if len(payloads) == 1:
                    return [await self._desk.venue.post(payloads[0])]
                return await self._desk.venue.post_all(payloads)
        except (Unavailable, VenueRefused, VenueUnknown) as error:
            return [error] * len(payloads)

    async def _may_go_again(self, parcel: _Parcel, outcome: VenueRefused | VenueUnknown | Unavailable) -> bool:
        """Take an outcome that is no answer; return whether the order is still to be sent."""
        order, parcel.reason = parcel.order, str(outcome)
        if isinstance(outcome, VenueUnknown):
            log.warning("order %s: %s", order.id, outcome)
            parcel.doubtful = True
            order.posting = not await self._told(order)
            return order.posting
        if isinstance(outcome, VenueBusy | Unavailable):
            return True
        # Where an earlier sending may have arrived, this refusal says nothing of that one.
        await self._given_up(parcel)
        return False

    async def _told(self, order: Order) -> bool:
        """Ask for an order; return whether the venue says what it did with it."""
        try:
            return await self._booking.settle(order, await self._desk.venue.order(order.id))
        except (Unavailable, VenueRefused, VenueUnknown) as error:
            log.warning("order %s: %s", order.id, error)
            return False

    def _late(self, order: Order) -> str | None:
        if self._desk.fenced:
            return f"another life of {self._desk.name} has begun"
        over = order.expires is not None and order.expires <= self._desk.clock.reckoned
        return "its time was over before the venue had taken it" if over else None

    async def _given_up(self, parcel: _Parcel) -> None:
        if parcel.doubtful:
            await self._unknown(parcel.order, parcel.reason)
        else:
            await self._booking.end(parcel.order, S.REJECTED, parcel.reason)
        parcel.order.posting = False

    async def _unknown(self, order: Order, reason: str) -> None:
        log.warning("order %s: %s", order.id, reason)
        desk = self._desk
        async with desk.lock(order.agent_id):
            if order.status is S.SIGNED:
                await desk.move(order, S.UNKNOWN, reason=reason)

    async def _answered(self, order: Order, reply: Reply) -> None:
        desk, booking = self._desk, self._booking
        try:
            with desk.working():
                if reply.order_id != order.id:
                    raise VenueUnknown(f"the venue answered for order {reply.order_id}")
                if reply.trade_ids:
                    await booking.collect(order, reply.trade_ids, _FILL_PATIENCE)
                complete = all(f"{trade_id}/{order.id}" in desk.known for trade_id in reply.trade_ids)
                if reply.status == "live" or (reply.status == "matched" and not order.taking and complete):
                    async with desk.lock(order.agent_id):
                        if order.status is S.SIGNED:
                            await desk.move(order, S.LIVE)
                elif reply.status == "matched" and complete and order.filled:
                    await booking.end(order, S.MATCHED, "")
                else:
                    await self._watch(order, delayed=reply.status == "delayed")
        except (Unavailable, VenueRefused, VenueUnknown) as error:
            await self._unknown(order, str(error))
        finally:
            order.posting = False

    async def _followed(self, order: Order) -> None:
        """See what comes of an order of which the venue has told by itself."""
        try:
            with self._desk.working():
                await self._watch(order, delayed=False)
        except (Unavailable, VenueRefused, VenueUnknown) as error:
            await self._unknown(order, str(error))
        finally:
            order.posting = False

    async def _watch(self, order: Order, *, delayed: bool) -> None:
        """Ask for an order that was delayed, or whose trades are not listed yet, until it is known what came of it."""
        desk = self._desk
        deadline = time.monotonic() + _FILL_PATIENCE
        # A taker delay is up to a second, and the user channel tells of its end.
        wait = _LONGEST_WAIT if delayed else CHANNEL
        while order.open and time.monotonic() < deadline:
            ended = await self._cancelling.ends_within(order, wait)
            wait = min(wait * 2, _LONGEST_WAIT)
            if ended or await self._booking.settle(order, await desk.venue.order(order.id)):
                return
        if order.open:
            await self._unknown(order, "the venue took it and has not said yet what came of it")

"""Order entry: an agent's intents are checked, signed, stored, sent, and answered for; its orders are cancelled."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from actors.brokerage.booking import Booking
from actors.brokerage.cancelling import CHANNEL, Cancelling
from actors.brokerage.desk import Desk
from actors.brokerage.notices import order_event
from actors.brokerage.orders import Order
from actors.brokerage.ticket import write_ticket
from actors.polymarket.signing import Ticket
from actors.polymarket.trading import Reply
from agents.errors import InvalidInput, StaleIncarnation, Unavailable, VenueRefused, VenueUnknown
from agents.model import Side
from agents.money import Micro, text
from agents.orders import OrderStatus
from agents.ports import Intent, Placed

log = logging.getLogger(__name__)

S = OrderStatus

#: Seconds that the ledger has to acknowledge an intent before the order is given up, unsent.
_LEDGER_PATIENCE = 5.0

#: Seconds that the venue has to list the trades of an order that it called matched.
_FILL_PATIENCE = 10.0

#: Seconds between questions about an order of which the venue has not said what came, at most.
_LONGEST_WAIT = 1.0


class Entry:
    """Takes the intents of all agents of a wallet. One agent's calls run one after the other, those of several side by side."""

    def __init__(self, desk: Desk, booking: Booking) -> None:
        self._desk = desk
        self._booking = booking
        self._cancelling = Cancelling(desk, booking)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._incarnations: dict[str, int] = {}
        #: Counts, per agent, how often all its orders were cancelled: what it asked for before is not placed after.
        self._cleared: defaultdict[str, int] = defaultdict(int)
        self._halted: str | None = None

    @property
    def halted(self) -> str | None:
        """Why no order may be placed, or None."""
        return self._halted or self._desk.fleet.halted

    def halt(self, reason: str | None) -> None:
        """Refuse new orders for a reason, or no longer."""
        self._halted = reason

    def admit(self, agent_id: str, incarnation: int) -> None:
        """Let this life of an agent trade, and no earlier one."""
        self._incarnations[agent_id] = max(incarnation, self._incarnations.get(agent_id, 0))

    async def execute(self, agent_id: str, incarnation: int, intents: Sequence[Intent], cancels: Sequence[str]) -> list[Placed]:
        """Cancel, then place in order. Raises StaleIncarnation, or Unavailable before anything was placed."""
        self._check_life(agent_id, incarnation)
        cleared = self._cleared[agent_id]
        async with self._turns[agent_id]:
            self._check_life(agent_id, incarnation)
            wanted = (self._desk.orders.get(order_id) for order_id in dict.fromkeys(cancels))
            await self._cancelling.cancel([order for order in wanted if order is not None and order.agent_id == agent_id])
            if intents:
                self._check_open()
            placed: list[Placed] = []
            broken: dict[str, str] = {}
            for intent in intents:
                group = intent.decision.group
                if reason := self._swept(agent_id, cleared):
                    outcome = _refused(intent, reason)
                elif group and group in broken:
                    outcome = _refused(intent, f"an earlier leg of its group was not placed: {broken[group]}")
                else:
                    outcome = await self._place(agent_id, intent, lambda: self._stopped(agent_id, cleared))
                if group and outcome.status in (S.REJECTED, S.UNKNOWN, S.EXPIRED):
                    broken.setdefault(group, outcome.reason)
                placed.append(outcome)
            return placed

    def _check_life(self, agent_id: str, incarnation: int) -> None:
        record = self._desk.fleet.agents.get(agent_id)
        if record is None:
            raise StaleIncarnation(f"there is no agent {agent_id} any more")
        current = max(record.incarnation, self._incarnations.get(agent_id, 0))
        if incarnation < current:
            raise StaleIncarnation(f"agent {agent_id} is in its life {current}; life {incarnation} may not trade any more")

    async def sell_out(self, agent_id: str, intent: Intent) -> Placed:
        """Place the kill switch's own sale of what an agent holds: the one order that a halt lets through."""
        async with self._turns[agent_id]:
            return await self._place(agent_id, intent, self._not_selling_out)

    def _check_open(self) -> None:
        if self.halted is not None:
            raise Unavailable(f"trading is halted: {self.halted}")
        if self._desk.fenced:
            raise Unavailable(f"another life of {self._desk.name} has begun; this one has ended")
        _ = self._desk.venue

    def _swept(self, agent_id: str, cleared: int) -> str | None:
        return "all orders of the agent were cancelled meanwhile" if cleared != self._cleared[agent_id] else None

    def _stopped(self, agent_id: str, cleared: int) -> str | None:
        """Return why what an agent asked for when its orders had been cleared so often is not sent now, or None."""
        return f"trading is halted: {self.halted}" if self.halted is not None else self._swept(agent_id, cleared)

    def _not_selling_out(self) -> str | None:
        return None if self._desk.fleet.flattening else "the kill switch no longer sells out"

    async def _place(self, agent_id: str, intent: Intent, stopped: Callable[[], str | None]) -> Placed:
        """Place an order; `stopped` says why it may not be, and is asked again last of all before it is sent."""
        desk = self._desk
        if known := desk.orders.outcome(intent.id):
            return known
        try:
            if reason := stopped():
                raise Unavailable(reason)
            ticket, size = write_ticket(intent.decision)
            await desk.gate.wait()
            with desk.working():
                async with desk.lock(agent_id):
                    order, payload = await self._store(agent_id, intent, ticket, size)
                if reason := stopped():
                    await self._booking.end(order, S.REJECTED, f"it was not sent: {reason}")
                    order.posting = False
                else:
                    await self._send(order, payload)
        except (InvalidInput, Unavailable, VenueRefused) as error:
            return _refused(intent, str(error))
        return order.placed

    async def _store(self, agent_id: str, intent: Intent, ticket: Ticket, size: Micro) -> tuple[Order, bytes]:
        """Sign an order, check it against its agent's own book, and store intent and signed bytes in one commit.

        Raises:
            InvalidInput: if the agent does not have what it takes, or the order would meet the wallet's own.
            Unavailable: if the ledger did not acknowledge it.
        """
        desk, decision = self._desk, intent.decision
        signed = await desk.venue.sign(ticket)
        order = Order(
            id=signed.order_id,
            agent_id=agent_id,
            intent_id=intent.id,
            market=decision.market,
            token_id=decision.token_id,
            side=ticket.side,
            price=decision.price,
            size=size,
            order_type=str(ticket.order_type),
            post_only=ticket.post_only,
            created=int(desk.wall() * 1000),
            venue_time=desk.clock.reckoned,
            status=S.SIGNED,
            posting=True,
        )
        # Nothing is awaited between the check and `add`: what one agent is about to place, the next one's check sees.
        if reason := self._risk(order, agent_id):
            raise InvalidInput(reason)
        desk.learn(decision.market)
        desk.orders.add(order)
        states = (S.INTENDED, S.SIGNED)
        events = [order_event(desk.source, desk.wallet.name, order, status, order.venue_time) for status in states]
        try:
            await desk.record(events, {signed.order_id: signed.payload}, patience=_LEDGER_PATIENCE)
        except Unavailable:
            # It may be in the log all the same. It was not sent, and the broker says so as soon as the ledger is back.
            order.posting, order.unsent = False, True
            raise
        return order, signed.payload

    def _risk(self, order: Order, agent_id: str) -> str | None:
        """Return why an agent may not place an order, or None."""
        desk = self._desk
        if order.side is Side.BUY:
            need, free = order.held_cash, desk.free_cash(agent_id)
            if need > free:
                return f"it may cost {text(need)} pUSD, fee included, and the agent has {text(free)} free"
        else:
            free = desk.free_shares(agent_id, order.token_id)
            if order.size > free:
                return f"it sells {text(order.size)} shares, and the agent has {text(max(free, 0))} free"
        return desk.orders.crossing(order.market, order.token_id, order.side, order.price)

    async def _send(self, order: Order, payload: bytes) -> None:
        """Send an order and bring it to what the venue says came of it. What stays unknown is settled later, by its id."""
        try:
            reply = await self._desk.venue.post(payload)
            await self._answered(order, reply)
        except VenueUnknown as error:
            await self._unknown(order, str(error))
        except (VenueRefused, Unavailable) as error:
            await self._booking.end(order, S.REJECTED, str(error))
        finally:
            order.posting = False

    async def _unknown(self, order: Order, reason: str) -> None:
        log.warning("order %s: %s", order.id, reason)
        desk = self._desk
        async with desk.lock(order.agent_id):
            if order.status is S.SIGNED:
                await desk.move(order, S.UNKNOWN, reason=reason)

    async def _answered(self, order: Order, reply: Reply) -> None:
        desk, booking = self._desk, self._booking
        try:
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

    async def cancel_agent(self, agent_id: str) -> int:
        """Cancel all resting orders of an agent; what it asked for before is not placed any more."""
        self._cleared[agent_id] += 1
        count = await self._cancelling.cancel(self._desk.orders.open(agent_id))
        return count + await self._cancel_late(agent_id)

    async def cancel_all(self) -> int:
        """Cancel all resting orders of the wallet, others' too; what its agents asked for before is not placed any more."""
        owners = {order.agent_id for order in self._desk.orders.open() if order.agent_id is not None} | set(self._turns)
        for owner in owners:
            self._cleared[owner] += 1
        count = await self._cancelling.sweep()
        # What was on its way to the venue just then is cancelled as soon as it has answered.
        return count + sum(await asyncio.gather(*(self._cancel_late(owner) for owner in owners)))

    async def _cancel_late(self, agent_id: str) -> int:
        async with self._turns[agent_id]:
            return await self._cancelling.cancel(self._desk.orders.open(agent_id))


def _refused(intent: Intent, reason: str) -> Placed:
    return Placed(intent.id, None, str(S.REJECTED), reason)

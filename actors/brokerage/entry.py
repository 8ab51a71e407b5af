"""Order entry: an agent's intents are checked, signed, stored, sent, and answered for; its orders are cancelled."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from actors.brokerage.approvals import needed
from actors.brokerage.booking import Booking
from actors.brokerage.breakers import Breakers
from actors.brokerage.cancelling import Cancelling
from actors.brokerage.delivery import Delivery
from actors.brokerage.desk import Desk
from actors.brokerage.limits import Limits
from actors.brokerage.notices import order_event
from actors.brokerage.orders import Order
from actors.brokerage.ticket import write_ticket
from actors.polymarket.signing import Ticket
from actors.polymarket.trading import PLACE_BATCH
from agents.approvals import Approval
from agents.errors import InvalidInput, StaleIncarnation, Unavailable, VenueRefused
from agents.events import Event
from agents.limits.exposure import Commitment, Place
from agents.model import Decision, Side
from agents.money import text
from agents.order_terms import check_terms, stated_expiration
from agents.orders import OrderStatus
from agents.ports import Intent, Placed

log = logging.getLogger(__name__)

S = OrderStatus

#: Looks for which a halt's own sweep has time to cancel all that rests.
_SWEEP = 4

#: Seconds that the ledger has to acknowledge an intent before the order is given up, unsent.
_LEDGER_PATIENCE = 5.0


class Entry:
    """Takes the intents of all agents of a wallet. One agent's calls run one after the other, those of several side by side."""

    def __init__(self, desk: Desk, booking: Booking, limits: Limits, breakers: Breakers) -> None:
        self._desk = desk
        self._booking = booking
        self.limits = limits
        self.cancelling = Cancelling(desk, booking)
        self.delivery = Delivery(desk, booking, self.cancelling, breakers)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._incarnations: dict[str, int] = {}
        #: Counts, per agent, how often all its orders were cancelled: what it asked for before is not placed after.
        self._cleared: defaultdict[str, int] = defaultdict(int)
        self._halted: str | None = None
        #: Looks at what must not rest any more since all trading was halted.
        self._halts = 0

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
            await self.cancelling.cancel([order for order in wanted if order is not None and order.agent_id == agent_id])
            if intents:
                self._check_open()
            asked = await needed(self._desk, agent_id, intents) if intents else {}
            placed: list[Placed] = []
            broken = await self._beyond(agent_id, intents)
            for batch in _batches(intents):
                group = batch[0].decision.group
                if group in broken:
                    outcomes = [_refused(batch[0], f"an earlier leg of its group was not placed: {broken[group]}")]
                else:
                    outcomes = await self._place(agent_id, batch, partial(self.stopped, agent_id, cleared), asked)
                if group and outcomes[0].status in (S.REJECTED, S.UNKNOWN, S.EXPIRED):
                    broken.setdefault(group, outcomes[0].reason)
                placed += outcomes
            for intent in intents:
                if intent.decision.group in broken and (order := self._desk.orders.of(intent.id)) is not None:
                    await self.cancelling.drop(order, S.REJECTED, "another leg of its trade was not placed")
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
            return (await self._place(agent_id, [intent], self._not_selling_out))[0]

    def _check_open(self) -> None:
        if self.halted is not None:
            raise Unavailable(f"trading is halted: {self.halted}")
        if self._desk.differing is not None:
            raise Unavailable(self._desk.differing)
        if self._desk.fenced:
            raise Unavailable(f"another life of {self._desk.name} has begun; this one has ended")
        _ = self._desk.venue

    def _swept(self, agent_id: str, cleared: int) -> str | None:
        return "all orders of the agent were cancelled meanwhile" if cleared != self._cleared[agent_id] else None

    def stopped(self, agent_id: str, cleared: int) -> str | None:
        """Return why what an agent asked for when its orders had been cleared so often is not sent now, or None."""
        halted = f"trading is halted: {self.halted}" if self.halted is not None else None
        return halted or self._desk.differing or self._swept(agent_id, cleared)

    def _not_selling_out(self) -> str | None:
        return None if self._desk.fleet.flattening else "the kill switch no longer sells out"

    def turn(self, agent_id: str) -> asyncio.Lock:
        """Return the lock under which an agent's orders are placed one after the other."""
        return self._turns[agent_id]

    def cleared(self, agent_id: str) -> int:
        """Return how often an agent's orders were all cancelled, for `stopped`."""
        return self._cleared[agent_id]

    async def _place(
        self,
        agent_id: str,
        batch: Sequence[Intent],
        stopped: Callable[[], str | None],
        asked: Mapping[str, Approval] = MappingProxyType({}),
    ) -> list[Placed]:
        """Place orders that need not wait for each other: stored in one commit, sent in one request.

        `stopped` says why they may not be, and is asked again before each sending; for whose intents a person is `asked`,
        by intent id, wait for him.
        """
        desk = self._desk
        outcomes = {intent.id: known for intent in batch if (known := desk.orders.outcome(intent.id))}
        fresh = {intent.id: intent for intent in batch if intent.id not in outcomes}
        try:
            if fresh:
                if reason := stopped():
                    raise Unavailable(reason)
                checked = [await self.limits.checked(intent) for intent in fresh.values()]
                await desk.gate.wait()
                with desk.working():
                    async with desk.lock(agent_id):
                        orders, signed, seq = await self._store(agent_id, checked, outcomes, asked)
                    for order in orders:
                        if reason := await self.limits.overrun(order, seq):
                            await self._booking.end(order, S.REJECTED, f"it was not sent: {reason}")
                            order.posting = False
                await self.delivery.send({order.id: signed[order.id] for order in orders if order.posting}, stopped)
                outcomes |= {order.intent_id: order.placed for order in orders}
        except (InvalidInput, Unavailable, VenueRefused) as error:
            outcomes = {id: _refused(intent, str(error)) for id, intent in fresh.items()} | outcomes
        return [outcomes[intent.id] for intent in batch]

    async def _store(
        self,
        agent_id: str,
        intents: Iterable[Intent],
        outcomes: dict[str, Placed],
        asked: Mapping[str, Approval],
    ) -> tuple[list[Order], dict[str, bytes], int]:
        """Sign orders, check each against its agent's own book, and store intents and signed bytes in one commit.

        What may not be placed goes into `outcomes`. Returns the orders, their signed bytes by id, and the seq of the commit.

        Raises:
            Unavailable: if the ledger did not acknowledge it.
        """
        desk = self._desk
        drafts: list[tuple[Intent, Order, bytes]] = []
        for intent in intents:
            try:
                drafts.append((intent, *await self._sign(agent_id, intent, asked.get(intent.id))))
            except (InvalidInput, VenueRefused) as error:
                outcomes[intent.id] = _refused(intent, str(error))
        orders: list[Order] = []
        signed: dict[str, bytes] = {}
        for intent, order, payload in drafts:
            # Nothing is awaited between the check and `add`: what one agent is about to place, the next one's check sees.
            if reason := self.risk(order, agent_id, intent.decision.confidence):
                outcomes[intent.id] = _refused(intent, reason)
                continue
            desk.learn(order.market)
            desk.orders.add(order)
            self.limits.note(agent_id)
            orders.append(order)
            signed[order.id] = payload
        if not orders:
            return orders, signed, 0
        try:
            seq = await desk.record(
                [event for order in orders for event in self._begun(order)], signed, patience=_LEDGER_PATIENCE
            )
        except Unavailable:
            # It may be in the log all the same. It was not sent, and the broker says so as soon as the ledger is back.
            for order in orders:
                order.posting, order.unsent = False, True
            raise
        return orders, signed, seq

    async def _sign(self, agent_id: str, intent: Intent, approval: Approval | None) -> tuple[Order, bytes]:
        """Return the order that an intent asks for, on the market's present grid, and its signed bytes."""
        desk, decision = self._desk, intent.decision
        now = desk.clock.reckoned
        check_terms(decision, now)
        expires = decision.expires
        stated = 0 if expires is None else stated_expiration(expires, now, desk.clock.speed, desk.wall())
        ticket, placed = write_ticket(decision, stated)
        signed = await desk.venue.sign(ticket)
        return self._order(signed.order_id, agent_id, intent, ticket, placed, approval), signed.payload

    def _order(
        self, order_id: str, agent_id: str, intent: Intent, ticket: Ticket, placed: Decision, approval: Approval | None = None
    ) -> Order:
        return Order(
            id=order_id,
            agent_id=agent_id,
            intent_id=intent.id,
            market=placed.market,
            token_id=placed.token_id,
            side=ticket.side,
            price=placed.price,
            size=placed.size,
            order_type=str(ticket.order_type),
            post_only=ticket.post_only,
            created=int(self._desk.wall() * 1000),
            venue_time=self._desk.clock.reckoned,
            status=S.INTENDED if approval else S.SIGNED,
            reason="it waits to be approved" if approval else "",
            expires=placed.expires,
            posting=approval is None,
            approval=approval,
        )

    def _begun(self, order: Order) -> list[Event]:
        desk = self._desk
        states = (S.INTENDED,) if order.approval else (S.INTENDED, S.SIGNED)
        return [order_event(desk.source, desk.wallet.name, order, status, order.venue_time) for status in states]

    async def _beyond(self, agent_id: str, intents: Sequence[Intent]) -> dict[str, str]:
        """Return the groups of which a leg is beyond a limit if those before it are placed: none of them is begun then."""
        beyond: dict[str, str] = {}
        before: defaultdict[str, list[Commitment]] = defaultdict(list)
        for intent in [await self.limits.checked(intent) for intent in intents if intent.decision.group]:
            group, decision = intent.decision.group, intent.decision
            if group in beyond or self._desk.orders.outcome(intent.id):
                continue
            try:
                order = self._order("", agent_id, intent, *write_ticket(decision))
            except InvalidInput as error:
                beyond[group] = str(error)
                continue
            if refusal := self.limits.refusal(order, agent_id, decision.confidence, before[group]):
                beyond[group] = str(refusal)
            before[group].append(Commitment(self._desk.wallet.name, agent_id, Place.of(order.market), order.may_cost))
        return beyond

    def risk(self, order: Order, agent_id: str, confidence: float) -> str | None:
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
        if refusal := self.limits.refusal(order, agent_id, confidence):
            return str(refusal)
        return desk.orders.crossing(order.market, order.token_id, order.side, order.price)

    async def cancel_agent(self, agent_id: str) -> int:
        """Cancel all resting orders of an agent; what it asked for before is not placed any more."""
        self._cleared[agent_id] += 1
        count = await self.cancelling.cancel(self._desk.orders.open(agent_id))
        return count + await self._cancel_late(agent_id)

    async def cancel_all(self) -> int:
        """Cancel all resting orders of the wallet, others' too; what its agents asked for before is not placed any more."""
        owners = {order.agent_id for order in self._desk.orders.open() if order.agent_id is not None} | set(self._turns)
        for owner in owners:
            self._cleared[owner] += 1
        count = await self.cancelling.sweep()
        # What was on its way to the venue just then is cancelled as soon as it has answered.
        return count + sum(await asyncio.gather(*(self._cancel_late(owner) for owner in owners)))

    async def _cancel_late(self, agent_id: str) -> int:
        async with self._turns[agent_id]:
            return await self.cancelling.cancel(self._desk.orders.open(agent_id))

    async def cancel(self, orders: Iterable[Order]) -> int:
        """Cancel those of these orders that may rest; return how many there were."""
        return await self.cancelling.cancel(orders)

    async def expire(self) -> None:
        """Cancel the resting orders that must not rest any more.

        Those whose time on the venue's clock is over, as the venue may know of none, or of a later one. And those that the
        venue took late: a time-out had left them in doubt when they, or all orders, were to be cancelled.
        """
        now = self._desk.clock.reckoned
        self._halts = 0 if self.halted is None else self._halts + 1
        late = self._halts > _SWEEP
        over = [
            order
            for order in self._desk.orders.open()
            if (order.expires is not None and order.expires <= now)
            or ((order.unwanted or late) and not order.in_doubt and not order.waiting)
        ]
        await self.cancelling.cancel(over)


def _batches(intents: Sequence[Intent]) -> Iterator[list[Intent]]:
    """Yield intents in their order, those together that need not wait for each other.

    A leg of a group waits for the legs before it. And an order that takes shares its request with none on the same market,
    since the venue may do one before the other.
    """
    batch: list[Intent] = []
    for intent in intents:
        waits = any(_one_at_a_time(intent.decision, other.decision) for other in batch)
        if batch and (waits or len(batch) == PLACE_BATCH):
            yield batch
            batch = []
        batch.append(intent)
    if batch:
        yield batch


def _one_at_a_time(decision: Decision, other: Decision) -> bool:
    if decision.group or other.group:
        return True
    return decision.market.condition_id == other.market.condition_id and not (decision.rests and other.rests)


def _refused(intent: Intent, reason: str) -> Placed:
    return Placed(intent.id, None, str(S.REJECTED), reason)

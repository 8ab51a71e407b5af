"""Orders that wait for a person: who must be asked, and what his decision, or the lack of one, does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from actors.brokerage.desk import Desk
from actors.brokerage.orders import Order
from agents.approvals import Approval, ask, must_wait, unfit
from agents.errors import Conflict, NotFound, Unavailable
from agents.orders import OrderStatus
from agents.ports import Intent, Placed
from agents.spec import Desired

if TYPE_CHECKING:
    from actors.brokerage.entry import Entry

S = OrderStatus

#: Seconds that the ledger has to acknowledge an approval before the order is given up, unsent.
_LEDGER_PATIENCE = 5.0


async def needed(desk: Desk, agent_id: str, intents: Sequence[Intent]) -> dict[str, Approval]:
    """Return what a person has to approve of an agent's intents, by intent id; the legs of a trade wait together.

    Raises:
        Unavailable: if the price that one would meet cannot be asked for.
    """
    rule = desk.fleet.agents[agent_id].spec.approval
    if rule is None:
        return {}
    trades: dict[str, list[Intent]] = {}
    for intent in intents:
        trades.setdefault(f"group {intent.decision.group}" if intent.decision.group else intent.id, []).append(intent)
    found: dict[str, Approval] = {}
    now = int(desk.wall() * 1000)
    for legs in trades.values():
        if must_wait(rule, [leg.decision for leg in legs]):
            for leg in legs:
                view = await desk.feed.market(leg.decision.token_id)
                found[leg.id] = ask(legs[0].id, leg.decision, rule, view, now)
    return found


class Approvals:
    """Sends what a person approves, once, and ends what he rejects or nobody decides on.

    An order is signed when it is asked for and stored with its signature, so its id is the same from first to last: however
    often and by however many it is approved, it is one order, and the venue takes it once.
    """

    def __init__(self, desk: Desk, entry: Entry) -> None:
        self._desk = desk
        self._entry = entry

    async def decide(self, approval_id: str, *, approve: bool, by: str) -> list[Placed]:
        """Send the orders that wait under an id, or reject them; return what came of each.

        Raises:
            NotFound: if the broker knows of none.
            Conflict: if it was decided before, or if they can be sent no more; they have ended then.
            Unavailable: if the log or the market cannot be asked; if it was the log they have ended, unsent.
        """
        agent_id = self._waiting(approval_id)[0].agent_id or ""
        cleared = self._entry.cleared(agent_id)
        async with self._entry.turn(agent_id):
            # Somebody else may have decided while this waited for its turn.
            orders = self._waiting(approval_id)
            if not approve:
                for order in orders:
                    await self._end(order, S.REJECTED, f"{by} rejected it", by)
                return [order.placed for order in orders]
            reason = self._entry.stopped(agent_id, cleared)
            for order in orders:
                reason = reason or self._stale(order) or await self._unfit(order)
            return await self._approve(orders, by, cleared, reason)

    async def expire(self) -> None:
        """End what nobody has decided on in time, and what is on a market that has resolved."""
        desk, now = self._desk, self._desk.wall() * 1000
        for order in list(desk.orders.open()):
            if not order.waiting or order.approval is None:
                continue
            if order.approval.expires <= now:
                await self._entry.cancelling.drop(order, S.EXPIRED, "nobody approved it in time")
            elif order.market.condition_id in desk.fleet.resolutions:
                await self._entry.cancelling.drop(order, S.CANCELLED, "its market has resolved")

    def _waiting(self, approval_id: str) -> list[Order]:
        asked = self._desk.orders.asked(approval_id)
        if not asked:
            raise NotFound(f"Nothing waits under {approval_id!r}; GET /api/approvals lists what does")
        waiting = [order for order in asked if order.waiting]
        if not waiting:
            last = asked[-1]
            who = f" by {last.approval.by}" if last.approval and last.approval.by else ""
            raise Conflict(f"It was decided already{who}: the order is {last.status}" + (last.reason and f" ({last.reason})"))
        return waiting

    async def _approve(self, orders: Sequence[Order], by: str, cleared: int, reason: str | None) -> list[Placed]:
        placed: list[Placed] = []
        for order in orders:
            if reason is None:
                reason = await self._send(order, by, cleared)
                if order.status in (S.UNKNOWN, S.EXPIRED):
                    reason = reason or "an earlier leg of its trade was not placed"
            else:
                await self._end(order, S.REJECTED, reason, by)
            placed.append(order.placed)
        if reason is not None and all(order.status in (S.REJECTED, S.EXPIRED) for order in orders):
            raise Conflict(f"It was not placed: {reason}")
        return placed

    async def _send(self, order: Order, by: str, cleared: int) -> str | None:
        """Send an order; return why it was not placed, or None."""
        desk, entry, agent_id = self._desk, self._entry, order.agent_id or ""
        payload = await self._payload(order)
        await entry.limits.inform(order.market.condition_id)
        await desk.gate.wait()
        with desk.working():
            async with desk.lock(agent_id):
                if not order.waiting or order.approval is None:
                    return order.reason
                # Nothing is awaited between the check and the new state: what it spends is not spent twice.
                with desk.orders.aside(order):
                    reason = self._stale(order) or entry.risk(order, agent_id, order.approval.confidence)
                now = int(desk.wall() * 1000)
                if reason is not None:
                    order.approval = replace(order.approval, by=by, at=now)
                    await desk.move(order, S.REJECTED, reason=reason)
                    return reason
                order.approval = replace(order.approval, by=by, approved=True, at=now)
                order.posting = True
                try:
                    await desk.move(order, S.SIGNED, reason="", patience=_LEDGER_PATIENCE)
                except Unavailable:
                    # It may be in the log all the same. It was not sent, and the broker says so as soon as the log is back.
                    order.posting, order.unsent = False, True
                    raise
        # How long it waited says nothing of how long the venue has had it.
        order.created = now
        await entry.delivery.send({order.id: payload}, lambda: entry.stopped(agent_id, cleared))
        return order.reason if order.status is S.REJECTED else None

    async def _payload(self, order: Order) -> bytes:
        for data, payload in await self._desk.ledger.unsettled_orders(self._desk.wallet.name):
            if data["orderId"] == order.id and payload is not None:
                return payload
        raise Unavailable(f"the log does not have order {order.id} yet; try again in a moment")

    async def _unfit(self, order: Order) -> str | None:
        """Return why an order is not sent any more as its market is now, or None."""
        met = order.approval.met if order.approval else None
        return unfit(await self._desk.feed.market(order.token_id), order.token_id, order.side, met)

    def _stale(self, order: Order) -> str | None:
        """Return why an order is not sent any more as its agent is now, or None."""
        record = self._desk.fleet.agents.get(order.agent_id or "")
        if order.approval is None or order.approval.expires <= self._desk.wall() * 1000:
            return "it has expired"
        if record is None:
            return f"there is no agent {order.agent_id} any more"
        if record.desired is not Desired.RUNNING or record.state in ("stopped", "stopping", "quarantined"):
            return f"agent {order.agent_id} is {record.state}"
        return None

    async def _end(self, order: Order, status: OrderStatus, reason: str, by: str) -> None:
        async with self._desk.lock(order.agent_id):
            if order.waiting and order.approval is not None:
                order.approval = replace(order.approval, by=by, at=int(self._desk.wall() * 1000))
                await self._desk.move(order, status, reason=reason)

"""What comes of a difference between books and venue: no new orders until it is explained, and every repair is on record.

What the wallet held when the fleet began is recorded by itself, and so is cash that came in or left by deposits, withdrawals,
rewards and rebates which the venue itself lists. Anything else is for an operator to look at, who may `adjust` the books.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from actors.brokerage.check import Check, Holdings
from actors.brokerage.desk import Desk
from agents import facts
from agents.errors import Conflict, NotFound, Unavailable
from agents.events import Type
from agents.money import Micro, text
from agents.portfolio import UNALLOCATED

log = logging.getLogger(__name__)

#: Wall seconds back from now for which transfers are looked at; those before were seen when they came.
_RECENT = 7 * 86_400
#: Looks at a difference until it counts, and the seconds between two.
_LOOKS = 3
_PAUSE = 1.0


class Reconciliation:
    """Compares one wallet's books with the venue, and stops its trading while they differ."""

    def __init__(self, desk: Desk, check: Check) -> None:
        self._desk = desk
        self._check = check
        self._alone = asyncio.Lock()

    async def look(self) -> bool:
        """Compare, record what explains itself, and let orders in or keep them out; False if it could not be told now.

        Raises:
            Unavailable, VenueRefused, VenueUnknown: if the venue does not say what it holds.
        """
        async with self._alone:
            suspicion: Holdings | None = None
            for _ in range(_LOOKS):
                difference = await self._check.difference()
                if difference is not None and (not difference or await self._explained(difference)):
                    await self._agree()
                    return True
                if difference is not None and difference == suspicion and not await self._being_paid_out(difference):
                    await self._differ(difference)
                    return True
                suspicion = difference
                await asyncio.sleep(_PAUSE)
            return False

    async def adjust(self, cash: Micro, shares: Mapping[str, Micro], *, reason: str, owner: str | None) -> None:
        """Book a difference that an operator has looked at, to an agent or to nobody.

        Raises:
            Conflict: if this is not the difference (any more), or there is none.
            NotFound: if there is no such agent in the wallet.
            Unavailable: if something is in flight, so that it cannot be told.
        """
        desk, wanted = self._desk, Holdings(cash, {token: size for token, size in shares.items() if size})
        agent = desk.fleet.agents.get(owner) if owner is not None else None
        if owner is not None and (agent is None or agent.spec.wallet != desk.wallet.name):
            raise NotFound(f"there is no agent {owner!r} in wallet {desk.wallet.name}")
        async with self._alone:
            difference = await self._check.difference()
            if difference is None:
                raise Unavailable("orders or payouts are in flight, so the books cannot be compared now; try again")
            if not difference:
                await self._agree()
                raise Conflict(f"the books of wallet {desk.wallet.name} agree with the venue; there is nothing to adjust")
            if difference != wanted:
                raise Conflict(f"the difference of wallet {desk.wallet.name} is {_words(difference)}, not {_words(wanted)}")
            await self._book(difference, reason, owner=owner)
            await self._agree()

    async def _explained(self, difference: Holdings) -> bool:
        """Record a difference that needs nobody to look at it; False if it is none."""
        desk = self._desk
        transfers = await desk.venue.transfers(since=int(desk.wall()) - _RECENT)
        if desk.wallet.name not in desk.fleet.addresses:
            await self._book(difference, f"{_words(difference)} held when the fleet began", transactions=list(transfers))
            return True
        new = {tx: cash for tx, cash in transfers.items() if tx not in desk.fleet.transfers.get(desk.wallet.name, ())}
        if difference.shares or not new or sum(new.values()) != difference.cash:
            return False
        reason = f"{_words(difference)} came to the wallet, or left it, as the venue lists"
        await self._book(difference, reason, transactions=list(new))
        return True

    async def _being_paid_out(self, difference: Holdings) -> bool:
        """Whether all that differs is that shares have become cash, as their market has ended: that is booked as its payout."""
        if not difference.shares or not 0 <= difference.cash <= -sum(difference.shares.values()):
            return False
        for token_id, size in difference.shares.items():
            view = await self._desk.feed.market(token_id)
            if size >= 0 or view is None or not view.market.closed:
                return False
        return True

    async def _agree(self) -> None:
        desk = self._desk
        if desk.wallet.name in desk.fleet.differing:
            await self._tell([], f"the books of wallet {desk.wallet.name} agree with the venue again")
        desk.differing = None

    async def _differ(self, difference: Holdings) -> None:
        desk = self._desk
        message = (
            f"wallet {desk.wallet.name} places no orders: its books differ from the venue by {_words(difference)} (venue less "
            f"books); GET /api/ledger/check shows both, and `polyfleet adjust` books it once it is explained"
        )
        desk.differing = message
        if desk.fleet.differing.get(desk.wallet.name) != message:
            log.error("%s", message)
            await self._tell(self._check.rows(difference), message)

    async def _tell(self, differences: list[dict[str, str]], message: str) -> None:
        desk = self._desk
        data = facts.reconciliation_data(
            wallet=desk.wallet.name, address=desk.wallet.address, differences=differences, message=message
        )
        await self._log(Type.RISK, data, None)

    async def _book(
        self, difference: Holdings, reason: str, *, owner: str | None = None, transactions: list[str] | None = None
    ) -> None:
        desk = self._desk
        log.warning("wallet %s: %s: %s", desk.wallet.name, reason, dict(difference.shares))
        data = facts.deposit_data(
            wallet=desk.wallet.name,
            address=desk.wallet.address,
            cash=difference.cash,
            shares=difference.shares,
            reason=reason,
            owner=owner or UNALLOCATED,
            transactions=transactions or [],
        )
        await self._log(Type.INFO, data, owner)

    async def _log(self, kind: Type, data: dict[str, Any], owner: str | None) -> None:
        """Log an event, and wait until it is folded: the next look must know of it."""
        desk = self._desk
        with desk.working():
            seq = await desk.record([desk.source.event(kind, data, owner)])
        await desk.follower.reached(seq, 10.0)


def _words(difference: Holdings) -> str:
    parts = [f"{text(difference.cash)} pUSD"] if difference.cash or not difference.shares else []
    parts += [f"{text(size)} shares of token …{token_id[-6:]}" for token_id, size in list(difference.shares.items())[:3]]
    if len(difference.shares) > 3:
        parts.append(f"shares of {len(difference.shares) - 3} other tokens")
    return " and ".join(parts)

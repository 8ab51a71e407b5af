"""The books against the venue, compared at one consistent cut."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.brokerage.booking import Booking
from actors.brokerage.desk import Desk
from agents.errors import VenueUnknown
from agents.model import Side
from agents.money import Micro, text
from agents.portfolio import Fill

#: Seconds for which a comparison is repeated while the two differ or do not hold still.
_PATIENCE = 8.0

#: Seconds between two comparisons of one check.
_PAUSE = 0.3

#: How often, and how many seconds apart, it is looked whether what is being placed is done.
_IDLE_LOOKS = 40
_IDLE_PAUSE = 0.05

#: Seconds that the venue has to say what the wallet holds: nothing is placed meanwhile.
_CUT = 5.0

#: Seconds of trades that are asked for again with each comparison.
_RECENT = 60


@dataclass(frozen=True, slots=True)
class Holdings:
    """Cash, and shares by token without zeros."""

    cash: Micro
    shares: Mapping[str, Micro]

    def minus(self, other: "Holdings") -> "Holdings":
        """Return the difference, token by token."""
        tokens = self.shares.keys() | other.shares.keys()
        shares = {token: self.shares.get(token, 0) - other.shares.get(token, 0) for token in sorted(tokens)}
        return Holdings(self.cash - other.cash, {token: size for token, size in shares.items() if size})

    def without(self, fill: Fill) -> "Holdings":
        """Return what there was before a fill."""
        buy = fill.side is Side.BUY
        shares = dict(self.shares)
        shares[fill.token_id] = shares.get(fill.token_id, 0) + (-fill.size if buy else fill.size)
        return Holdings(self.cash + fill.fee + (fill.cost if buy else -fill.cost), shares)

    def __bool__(self) -> bool:
        return bool(self.cash or any(self.shares.values()))


def unexplained(venue: Holdings, books: Holdings, in_flight: Sequence[Fill]) -> Holdings:
    """Return by how much the venue differs from the books, fills in flight considered.

    A venue moves the money of a fill when it is matched (a simulated one) or when it is on the chain (the real one), so
    either all of these fills are in its balances, or none.
    """
    counted = venue.minus(books)
    if not counted or not in_flight:
        return counted
    for fill in in_flight:
        books = books.without(fill)
    uncounted = venue.minus(books)
    return uncounted if not uncounted else counted


class Check:
    """Compares one wallet's books with the venue."""

    def __init__(self, desk: Desk, booking: Booking) -> None:
        self._desk = desk
        self._booking = booking
        self._alone = asyncio.Lock()

    @property
    def books(self) -> Holdings:
        """What all books of the wallet hold together."""
        desk = self._desk
        return Holdings(desk.portfolio.cash(desk.wallet.name), desk.portfolio.shares(desk.wallet.name))

    async def check(self) -> dict[str, Any]:
        """Return {address, venueCash, ledgerCash, positions, pending, differences}; amounts as decimal text.

        Raises:
            Unavailable, VenueRefused, VenueUnknown: if the venue does not say what it holds.
        """
        async with self._alone:
            deadline = time.monotonic() + _PATIENCE
            while True:
                held_still, venue = await self._cut()
                venue = await self._confirmed(venue)
                difference = self._unexplained(venue)
                if (held_still and not difference) or time.monotonic() > deadline:
                    return self._report(venue, difference)
                await asyncio.sleep(_PAUSE)

    async def _cut(self) -> tuple[bool, Holdings]:
        """Read the venue while nothing is placed; return whether nothing was booked meanwhile, and what it holds.

        Raises:
            Unavailable, VenueRefused, VenueUnknown: if the venue does not say it in time.
        """
        desk = self._desk
        desk.gate.clear()
        try:
            for _ in range(_IDLE_LOOKS):
                if not desk.busy:
                    break
                await desk.changed(_IDLE_PAUSE)
            before, idle = desk.movements, not desk.busy
            async with asyncio.timeout(_CUT):
                cash, shares = await asyncio.gather(desk.venue.cash(), desk.venue.positions())
                trades = await desk.venue.trades(after=int(desk.wall()) - _RECENT)
            await self._booking.trades(trades)
            return idle and not desk.busy and desk.movements == before, Holdings(cash, shares)
        except TimeoutError:
            raise VenueUnknown(f"the venue did not say within {_CUT:g} s what the wallet holds") from None
        finally:
            desk.gate.set()

    async def _confirmed(self, venue: Holdings) -> Holdings:
        """Return what the venue holds after a second look at the tokens that seem to differ: its list may be behind."""
        shares = dict(venue.shares)
        for token_id in self._unexplained(venue).shares:
            shares[token_id] = await self._desk.venue.shares(token_id)
        return Holdings(venue.cash, shares)

    def _unexplained(self, venue: Holdings) -> Holdings:
        desk = self._desk
        in_flight = [desk.portfolio.pending[key] for key in desk.pending() if key not in desk.mined]
        return unexplained(venue, self.books, in_flight)

    def _report(self, venue: Holdings, difference: Holdings) -> dict[str, Any]:
        desk, books = self._desk, self.books
        sent = [order for order in desk.orders.open() if order.in_doubt]
        pending = [_pending_fill(key, desk.portfolio.pending[key]) for key in desk.pending()]
        pending += [{"orderId": order.id, "tokenId": order.token_id, "status": str(order.status)} for order in sent]
        pending += [{"conditionId": condition_id, "status": "redeeming"} for condition_id in sorted(desk.redeeming)]
        # What something in flight may be moving differs only once that has landed.
        moving = frozenset(order.token_id for order in sent).union(*desk.redeeming.values())
        return {
            "wallet": desk.wallet.name,
            "address": desk.wallet.address,
            "venueCash": text(venue.cash),
            "ledgerCash": text(books.cash),
            "positions": [_both(token_id, venue, books) for token_id in sorted(venue.shares.keys() | books.shares.keys())],
            "pending": pending,
            "differences": _rows(venue, books, difference, moving),
            "blocked": desk.differing,
        }

    async def difference(self) -> Holdings | None:
        """Return what the venue holds beyond the books, or None while something is in flight that may explain it.

        Raises:
            Unavailable, VenueRefused, VenueUnknown: if the venue does not say what it holds.
        """
        async with self._alone:
            return await self._difference()

    def rows(self, difference: Holdings) -> list[dict[str, str]]:
        """Return both sides of a difference, as `check` reports them."""
        books = self.books
        cash, shares = books.cash + difference.cash, dict(books.shares)
        for token_id, size in difference.shares.items():
            shares[token_id] = shares.get(token_id, 0) + size
        return _rows(Holdings(cash, shares), books, difference, frozenset())

    async def _difference(self) -> Holdings | None:
        desk = self._desk
        held_still, venue = await self._cut()
        if not held_still or desk.redeeming or any(order.in_doubt for order in desk.orders.open()):
            return None
        return self._unexplained(await self._confirmed(venue))


def _both(token_id: str, venue: Holdings, books: Holdings) -> dict[str, str]:
    return {"tokenId": token_id, "venue": text(venue.shares.get(token_id, 0)), "ledger": text(books.shares.get(token_id, 0))}


def _rows(venue: Holdings, books: Holdings, difference: Holdings, moving: frozenset[str]) -> list[dict[str, str]]:
    """Return both sides of what differs; tokens that something in flight may be moving are left out."""
    rows = [_both(token_id, venue, books) for token_id in difference.shares if token_id not in moving]
    if difference.cash and not moving:
        rows.append({"asset": "cash", "venue": text(venue.cash), "ledger": text(books.cash)})
    return rows


def _pending_fill(key: str, fill: Fill) -> dict[str, Any]:
    trade_id, order_id = key.split("/")
    return {
        "tradeId": trade_id,
        "orderId": order_id,
        "agentId": fill.owner or None,
        "tokenId": fill.token_id,
        "side": str(fill.side),
        "size": text(fill.size),
        "cash": text(fill.cost),
        "fee": text(fill.fee),
        "status": "matched",
    }

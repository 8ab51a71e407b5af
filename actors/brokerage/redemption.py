"""Paying out resolved markets: the wallet redeems at the venue, and each owner's book gets its part, exactly once."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from actors.brokerage.booking import Booking
from actors.brokerage.desk import Desk
from agents import facts
from agents.errors import VenueRefused, VenueUnknown
from agents.events import Event, Type
from agents.model import Market
from agents.money import Micro, micro, notional, text
from agents.portfolio import UNALLOCATED

log = logging.getLogger(__name__)

#: Seconds that the venue has to show a payout among the wallet's activity, and between two looks.
_PATIENCE = 10.0
_PAUSE = 0.5


class Redemption:
    """Redeems what a wallet holds of resolved markets.

    Which payouts are booked is in the log, by their transactions; what the venue has paid is in its activity. So a
    payout is booked once, whether the broker died before, during or after it.
    """

    def __init__(self, desk: Desk, booking: Booking) -> None:
        self._desk = desk
        self._booking = booking
        #: Transactions that are booked.
        self._booked: set[str] = set()
        #: Resolved markets of which the wallet may hold something, and how many resolutions were looked at.
        self._claims: set[str] = set()
        self._seen = 0

    def load(self) -> None:
        """Take up from the folded log which payouts are booked."""
        self._booked |= self._desk.fleet.payouts.get(self._desk.wallet.name, set())

    def due(self) -> list[str]:
        """Return the resolved markets of which the wallet holds shares."""
        desk = self._desk
        resolutions = desk.fleet.resolutions
        if len(resolutions) > self._seen:
            self._claims.update(list(resolutions)[self._seen :])
            self._seen = len(resolutions)
        moving = {desk.portfolio.pending[key].token_id for key in desk.pending()} | {
            order.token_id for order in desk.orders.open()
        }
        due = []
        for condition_id in sorted(self._claims):
            tokens = resolutions[condition_id].keys()
            if self._holds(tokens):
                due.append(condition_id)
            elif moving.isdisjoint(tokens):
                self._claims.discard(condition_id)
        return due

    def _holds(self, tokens: Iterable[str]) -> bool:
        desk = self._desk
        books = desk.portfolio.wallets.get(desk.wallet.name, {}).values()
        return any((position := book.positions.get(token_id)) and position.size for book in books for token_id in tokens)

    async def redeem(self, condition_id: str) -> bool:
        """Pay out a market and book it; False if its trades must settle first.

        Raises:
            VenueRefused, VenueUnknown: if the venue does not do it now, or does not show that it did: call it again later.
            Unavailable: if the venue cannot be reached.
        """
        desk = self._desk
        market = await self._market(condition_id)
        if await self._unsettled(market):
            return False
        desk.redeeming[condition_id] = market.tokens
        try:
            await self._redeem(market)
        finally:
            del desk.redeeming[condition_id]
        return True

    async def question(self, condition_id: str) -> str:
        """Return a market's question, or an empty text if nobody knows the market."""
        market = await self._desk.market(condition_id)
        return market.question if market else ""

    async def _market(self, condition_id: str) -> Market:
        """Return a resolved market with the payouts that the log has of it."""
        market = await self._desk.market(condition_id)
        if market is None:
            raise VenueRefused(f"the venue does not know market {condition_id}, of which the wallet holds shares")
        payouts = self._desk.fleet.resolutions[condition_id]
        first, second = (micro(payouts[token_id]) for token_id in market.tokens)
        return replace(market, payouts=(first, second), closed=True)

    async def _unsettled(self, market: Market) -> bool:
        """Whether an order or a fill in a market may still change who owns what."""
        desk = self._desk
        for order in list(desk.orders.open()):
            if order.market.condition_id == market.condition_id and not order.posting:
                await self._booking.settle(order, await desk.venue.order(order.id))
        open_orders = any(order.market.condition_id == market.condition_id for order in desk.orders.open())
        return open_orders or any(desk.portfolio.pending[key].token_id in market.tokens for key in desk.pending())

    async def _redeem(self, market: Market) -> None:
        desk, tx_hash = self._desk, ""
        held = await desk.venue.positions(market.condition_id)
        if any(held.get(token_id) for token_id in market.tokens):
            # One whose outcome is not known and that arrived after all is found below: the shares are gone, so it pays once.
            tx_hash = await desk.venue.redeem(market.condition_id)
        new: dict[str, Micro] = {}
        for _ in range(int(_PATIENCE / _PAUSE)):
            paid = {payout.tx_hash: payout.cash for payout in await desk.venue.redemptions(market.condition_id)}
            new = {hash: cash for hash, cash in paid.items() if hash not in self._booked}
            if not new and not self._owed(market):
                new = {tx_hash: 0}  # A payout of nothing need not show.
            if new and (lines := await self._paid_lines(market, sum(new.values()))) is not None:
                await self._book(market, new, lines)
                return
            await asyncio.sleep(_PAUSE)
        if tx_hash not in new:
            shown, owed = text(sum(new.values())), text(self._owed(market))
            raise VenueUnknown(f"the venue shows {shown} of {owed} pUSD paid out for market {market.condition_id} yet")
        log.error("market %s paid %s pUSD for %s", market.condition_id, text(sum(new.values())), text(self._owed(market)))
        await self._book(market, new, self._lines(market))

    async def _paid_lines(self, market: Market, paid: Micro) -> list[dict[str, str]] | None:
        """Return what each owner gets of a payout: of all shares, or of those that the venue has no more.

        None if neither explains the amount: the venue's lists are behind each other.
        """
        lines = self._lines(market)
        if paid >= sum(micro(line["payout"]) for line in lines) - len(lines):
            return lines
        left = await self._desk.venue.positions(market.condition_id)
        lines = self._lines(market, left)
        return lines if abs(paid - sum(micro(line["payout"]) for line in lines)) <= len(lines) else None

    def _owed(self, market: Market) -> Micro:
        return sum(micro(line["payout"]) for line in self._lines(market))

    def _lines(self, market: Market, left: Mapping[str, Micro] | None = None) -> list[dict[str, str]]:
        """Return what each owner of the market's shares gets for them, but for those that are left."""
        desk, left = self._desk, left or {}
        assert market.payouts is not None
        books = sorted(desk.portfolio.wallets.get(desk.wallet.name, {}).items())
        lines = []
        for token_id, payout in zip(market.tokens, market.payouts, strict=True):
            held = {owner: book.positions[token_id] for owner, book in books if token_id in book.positions}
            sizes = {owner: position.size for owner, position in held.items()}
            for owner, size in _divided(sizes, left.get(token_id, 0)).items():
                if size:
                    lines.append(_line(owner, token_id, size, notional(size, payout), held[owner].released(size)))
        return lines

    async def _book(self, market: Market, paid: dict[str, Micro], lines: list[dict[str, str]]) -> None:
        """Book what the venue paid to those who hold the shares; what rounding leaves goes to the unallocated book."""
        desk = self._desk
        with desk.working():
            if rest := sum(paid.values()) - sum(micro(line["payout"]) for line in lines):
                lines.append(_line(UNALLOCATED, market.tokens[0], 0, rest))
            # There is more than one transaction where part of the shares came after the first payout.
            await desk.record([self._event(market, tx_hash, lines if n == 0 else []) for n, tx_hash in enumerate(paid)])
            self._booked.update(paid)

    def _event(self, market: Market, tx_hash: str, lines: list[dict[str, str]]) -> Event:
        desk = self._desk
        data = facts.redemption_data(
            market, wallet=desk.wallet.name, redeemed=lines, tx_hash=tx_hash, venue_time=desk.clock.reckoned
        )
        return desk.source.event(Type.RESOLUTION, data)


def _divided(held: Mapping[str, Micro], left: Micro) -> dict[str, Micro]:
    """Return how many shares of each owner are paid out where so many of all are left: each loses the same part."""
    total = sum(held.values())
    left = min(left, total)
    if left <= 0:
        return dict(held)
    shares = {owner: size * (total - left) // total for owner, size in held.items()}
    missing = total - left - sum(shares.values())
    for owner, size in held.items():
        more = min(missing, size - shares[owner])
        shares[owner] += more
        missing -= more
    return shares


def _line(owner: str, token_id: str, size: Micro, payout: Micro, basis: Micro = 0) -> dict[str, str]:
    amounts = {"size": size, "payout": payout, "basis": basis, "realised": payout - basis}
    return {"agentId": owner, "tokenId": token_id} | {name: text(amount) for name, amount in amounts.items()}

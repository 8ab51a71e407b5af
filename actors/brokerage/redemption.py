"""Paying out resolved markets: the wallet redeems at the venue, and each owner's book gets its part, exactly once."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace

from actors.brokerage.booking import Booking
from actors.brokerage.desk import Desk
from agents import facts
from agents.errors import Unavailable
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

    async def redeem(self, condition_id: str) -> None:
        """Pay out a market and book it. Where its trades must settle first, or the venue is slow, call it again later.

        Raises:
            Unavailable, VenueRefused, VenueUnknown: if the venue does not do it now.
        """
        desk = self._desk
        market = await self._market(condition_id)
        if await self._unsettled(market):
            return
        desk.redeeming[condition_id] = market.tokens
        try:
            await self._redeem(market)
        finally:
            del desk.redeeming[condition_id]

    async def _market(self, condition_id: str) -> Market:
        """Return a resolved market with the payouts that the log has of it."""
        market = await self._desk.market(condition_id)
        if market is None:
            raise Unavailable(f"the venue does not know market {condition_id}, of which the wallet holds shares")
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
            tx_hash = await desk.venue.redeem(market.condition_id)
        for _ in range(int(_PATIENCE / _PAUSE)):
            paid = {payout.tx_hash: payout.cash for payout in await desk.venue.redemptions(market.condition_id)}
            new = {hash: cash for hash, cash in paid.items() if hash not in self._booked}
            if not new and not self._owed(market):
                new = {tx_hash: 0}  # A payout of nothing need not show.
            if new:
                await self._book(market, new)
                return
            await asyncio.sleep(_PAUSE)
        log.warning("market %s is resolved, and the venue shows no payout of it yet", market.condition_id)

    def _owed(self, market: Market) -> Micro:
        return sum(micro(line["payout"]) for line in self._lines(market))

    def _lines(self, market: Market) -> list[dict[str, str]]:
        """Return what each owner of the market's shares gets for them."""
        desk = self._desk
        assert market.payouts is not None
        return [
            _line(owner, token_id, position.size, notional(position.size, payout), position.cost)
            for owner, book in sorted(desk.portfolio.wallets.get(desk.wallet.name, {}).items())
            for token_id, payout in zip(market.tokens, market.payouts, strict=True)
            if (position := book.positions.get(token_id)) and position.size
        ]

    async def _book(self, market: Market, paid: dict[str, Micro]) -> None:
        """Book what the venue paid to those who hold the shares; what rounding leaves goes to the unallocated book."""
        desk = self._desk
        with desk.working():
            lines = self._lines(market)
            if rest := sum(paid.values()) - self._owed(market):
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


def _line(owner: str, token_id: str, size: Micro, payout: Micro, basis: Micro = 0) -> dict[str, str]:
    amounts = {"size": size, "payout": payout, "basis": basis, "realised": payout - basis}
    return {"agentId": owner, "tokenId": token_id} | {name: text(amount) for name, amount in amounts.items()}

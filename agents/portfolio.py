"""Books of account as a fold over the log: cash, positions, cost basis, realised profit and fees, exact to the millionth.

Cost is first in, first out within one owner's book (`agents.lots`).
A wallet's cash and shares equal the sum of its agents' books and its `UNALLOCATED` book; transfers between them keep the sum.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agents.events import Event, Type
from agents.lots import Position
from agents.model import Side
from agents.money import Micro, micro, notional

#: The book of a wallet that holds what belongs to no agent: deposits, outside orders, what deleted agents left.
UNALLOCATED = ""


@dataclass(slots=True)
class Book:
    """One owner's cash and positions within one wallet."""

    cash: Micro = 0
    #: Cash handed to this owner so far (its budget).
    allocated: Micro = 0
    positions: dict[str, Position] = field(default_factory=dict)

    def position(self, token_id: str, seq: int = 0) -> Position:
        """Return the position in a token, made at a seq if there is none."""
        return self.positions.setdefault(token_id, Position(seq=seq))

    @property
    def profit(self) -> Micro:
        """Realised profit over all tokens, fees taken off."""
        return sum(position.profit for position in self.positions.values())

    @property
    def fees(self) -> Micro:
        """Fees paid over all tokens."""
        return sum(position.fees for position in self.positions.values())

    @property
    def cost(self) -> Micro:
        """What the shares held now have cost."""
        return sum(position.cost for position in self.positions.values())


@dataclass(slots=True)
class Fill:
    """A fill that the venue has matched and not yet settled."""

    wallet: str
    owner: str
    token_id: str
    side: Side
    size: Micro
    cost: Micro
    fee: Micro
    #: What the shares had cost that it sold.
    released: Micro = 0


@dataclass(slots=True)
class Portfolio:
    """All wallets' books; `apply` folds one event of the log into them.

    Read by it: `trade` (a fill), `order` with a `tradeStatus` (its settlement), `resolution` with `redeemed`
    (shares paid out), `info` of kind `deposit`, and `agent` events that create, change or delete an agent.
    """

    #: Wallet name to owner (agent id or UNALLOCATED) to book.
    wallets: dict[str, dict[str, Book]] = field(default_factory=dict)
    #: Fills by "tradeId/orderId" that are not settled yet.
    pending: dict[str, Fill] = field(default_factory=dict)

    def book(self, wallet: str, owner: str = UNALLOCATED) -> Book:
        """Return an owner's book in a wallet, made if there is none."""
        return self.wallets.setdefault(wallet, {}).setdefault(owner, Book())

    def books_of(self, owner: str) -> Iterator[tuple[str, Book]]:
        """Yield (wallet, book) for every wallet in which the owner has a book."""
        for wallet, books in self.wallets.items():
            if owner in books:
                yield wallet, books[owner]

    def cash(self, wallet: str) -> Micro:
        """Return the cash of a wallet over all its books."""
        return sum(book.cash for book in self.wallets.get(wallet, {}).values())

    def shares(self, wallet: str) -> dict[str, Micro]:
        """Return the shares of a wallet by token over all its books, zeros left out."""
        totals: dict[str, Micro] = {}
        for book in self.wallets.get(wallet, {}).values():
            for token_id, position in book.positions.items():
                totals[token_id] = totals.get(token_id, 0) + position.size
        return {token_id: size for token_id, size in totals.items() if size}

    def undone(self, key: str) -> Micro:
        """Return by how much its owner's realised profit changes if the pending fill of a key fails."""
        fill = self.pending[key]
        position = copy.deepcopy(self.book(fill.wallet, fill.owner).position(fill.token_id))
        before = position.profit
        _undo(position, key, fill)
        return position.profit - before

    def apply(self, event: Event) -> None:
        """Fold one event; events of no concern here change nothing."""
        data = event.data
        if event.type is Type.TRADE and "size" in data:
            self._trade(event.agent_id or UNALLOCATED, data, event.seq)
        elif event.type is Type.ORDER and "tradeStatus" in data:
            self._settle(data)
        elif event.type is Type.RESOLUTION and "redeemed" in data:
            self._redeem(data)
        elif event.type is Type.INFO and data.get("kind") == "deposit":
            self._deposit(data)
        elif event.type is Type.AGENT and event.agent_id:
            if data.get("change") == "deleted":
                self._close(event.agent_id)
            elif "spec" in data:
                self._allocate(event.agent_id, data["spec"])

    def _trade(self, owner: str, data: dict[str, Any], seq: int) -> None:
        key = f"{data['tradeId']}/{data['orderId']}"
        size, price, fee = micro(data["size"]), micro(data["exactPrice"]), micro(data["fee"])
        cost = micro(data["cost"]) if "cost" in data else notional(size, price)
        fill = Fill(data["wallet"], owner, data["tokenId"], Side(data["side"]), size, cost, fee)
        self.pending[key] = fill
        book = self.book(fill.wallet, fill.owner)
        position = book.position(fill.token_id, seq)
        if fill.side is Side.BUY:
            book.cash -= fill.cost + fill.fee
            position.buy(fill.size, fill.cost, fill.fee, key)
        else:
            book.cash += fill.cost - fill.fee
            profit = position.sell(fill.size, fill.cost, fill.fee, may_fail=True)
            fill.released = fill.cost - fill.fee - profit

    def _settle(self, data: dict[str, Any]) -> None:
        if data["tradeStatus"] not in ("confirmed", "failed"):
            return
        key = f"{data['tradeId']}/{data['orderId']}"
        fill = self.pending.pop(key, None)
        if fill is None:
            return
        book = self.book(fill.wallet, fill.owner)
        position = book.position(fill.token_id)
        if data["tradeStatus"] == "failed":
            book.cash += fill.cost + fill.fee if fill.side is Side.BUY else fill.fee - fill.cost
            _undo(position, key, fill)
        elif fill.side is Side.SELL:
            position.confirm_sale(fill.size)
        if position.used:
            position.forget(self.pending)

    def _redeem(self, data: dict[str, Any]) -> None:
        for line in data["redeemed"]:
            book = self.book(data["wallet"], line["agentId"] or UNALLOCATED)
            payout = micro(line["payout"])
            book.cash += payout
            position = book.position(line["tokenId"])
            position.sell(micro(line["size"]), payout, 0)
            position.forget(self.pending)

    def _deposit(self, data: dict[str, Any]) -> None:
        book = self.book(data["wallet"], data.get("owner", UNALLOCATED))
        book.cash += micro(data["cash"])
        for token_id, size in data.get("shares", {}).items():
            position, change = book.position(token_id), micro(size)
            if change < 0:
                position.take(-change)
                position.forget(self.pending)
            else:
                position.buy(change, 0, 0)

    def _allocate(self, owner: str, spec: dict[str, Any]) -> None:
        book, rest = self.book(spec["wallet"], owner), self.book(spec["wallet"])
        change = micro(str(spec["budget"])) - book.allocated
        book.allocated += change
        book.cash += change
        rest.cash -= change

    def _close(self, owner: str) -> None:
        for books in self.wallets.values():
            gone = books.pop(owner, None)
            if gone is None:
                continue
            rest = books.setdefault(UNALLOCATED, Book())
            rest.cash += gone.cash
            for token_id, position in gone.positions.items():
                rest.position(token_id).merge(position)
        for fill in self.pending.values():
            if fill.owner == owner:
                fill.owner = UNALLOCATED


def _undo(position: Position, key: str, fill: Fill) -> None:
    if fill.side is Side.BUY:
        position.undo_buy(fill.size, fill.cost, fill.fee, key)
    else:
        position.undo_sale(fill.size, fill.cost, fill.fee, fill.released)

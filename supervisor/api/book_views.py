"""Books of account as clients see them: positions and portfolio, every amount as exact decimal text."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from agents.equity import Curve
from agents.fleet import FleetState
from agents.lots import Position as Held
from agents.model import Side
from agents.money import ONE, Micro, notional, text
from agents.portfolio import UNALLOCATED, Book
from agents.valuation import PriceSource, Quote, Valuation
from supervisor.api.market_views import Exact, maybe_text
from supervisor.api.stake_views import Exposure, Redemption, exposure, redemptions


class Position(TypedDict):
    """Shares of one token in one book: `pending` ones are matched, not settled; null: there is no price, or no market.

    `cost` is first in, first out. `price` is the best bid for what is long; `redeemable` is what resolved shares will pay.
    """

    agentId: str | None
    wallet: str
    tokenId: str
    conditionId: str | None
    marketId: str | None
    marketQuestion: str | None
    outcome: str | None
    eventId: str | None
    eventTitle: str | None
    category: str | None
    size: Exact
    confirmed: Exact
    pending: Exact
    cost: Exact
    averagePrice: Exact
    price: Exact | None
    priceSource: PriceSource | None
    value: Exact | None
    redeemable: Exact
    realised: Exact
    unrealised: Exact | None
    fees: Exact
    seq: Annotated[int, Field(description="That of the event with which the book first held the token.")]


class Sums(TypedDict):
    """Books added up; a position without a price counts at its cost, and `unpriced` says how many do.

    `redeemable` is the part of `value` that is resolved and not paid out yet.
    """

    cash: Exact
    confirmedCash: Exact
    pendingCash: Exact
    cost: Exact
    value: Exact
    equity: Exact
    realised: Exact
    unrealised: Exact
    redeemable: Exact
    fees: Exact
    unpriced: int
    drawdown: Annotated[Exact | None, Field(description="The deepest fall of profit so far; null: nothing was sampled yet.")]


class OwnerBook(Sums):
    """One owner's book in one wallet; the `unallocated` one is of no agent."""

    agentId: str | None
    unallocated: bool
    budget: Exact
    positions: list[Position]


class WalletBooks(Sums):
    """One wallet's books."""

    wallet: str
    address: str | None
    books: list[OwnerBook]


class Portfolio(TypedDict):
    """All books as of `seq`, and what is to be paid out."""

    seq: int
    total: Sums
    redemptions: list[Redemption]
    exposure: Exposure
    wallets: list[WalletBooks]


#: A book with its wallet and owner.
_Owned = tuple[str, str, Book]


def positions(state: FleetState, quoted: Mapping[str, Quote], agent_id: str) -> list[Position]:
    """Return what an agent holds, what it has held for the shortest time first."""
    views = _Views(state, quoted)
    found = [
        views.position(wallet, agent_id, token, held)
        for wallet, book in state.portfolio.books_of(agent_id)
        for token, held in book.positions.items()
        if held.size
    ]
    return sorted(found, key=lambda position: -position["seq"])


def portfolio(state: FleetState, quoted: Mapping[str, Quote]) -> Portfolio:
    """Return all books by wallet and owner, their sums, and what is at stake."""
    views = _Views(state, quoted)
    wallets: list[WalletBooks] = []
    everything: list[_Owned] = []
    for wallet, owners in sorted(state.portfolio.wallets.items()):
        owned = [(wallet, owner, book) for owner, book in sorted(owners.items())]
        everything += owned
        wallets.append(
            {
                "wallet": wallet,
                "address": state.addresses.get(wallet),
                **views.sums(owned, state.equity.wallets.get(wallet)),
                "books": [views.book(*book) for book in owned],
            }
        )
    return {
        "seq": state.seq,
        "total": views.sums(everything, state.equity.fleet),
        "redemptions": redemptions(state, views.valuation),
        "exposure": exposure(views.valuation, (book for _, _, book in everything)),
        "wallets": wallets,
    }


class _Views:
    """Makes the views of one folded log at one set of quotes."""

    def __init__(self, state: FleetState, quoted: Mapping[str, Quote]) -> None:
        self._state = state
        self._quoted = quoted
        self.valuation = Valuation(state, quoted)
        #: What is not settled: shares by wallet, owner and token, cash by wallet and owner.
        self._shares: defaultdict[tuple[str, str, str], Micro] = defaultdict(int)
        self._cash: defaultdict[tuple[str, str], Micro] = defaultdict(int)
        for fill in state.portfolio.pending.values():
            sign = 1 if fill.side is Side.BUY else -1
            self._shares[fill.wallet, fill.owner, fill.token_id] += sign * fill.size
            self._cash[fill.wallet, fill.owner] -= sign * fill.cost + fill.fee

    def position(self, wallet: str, owner: str, token: str, held: Held) -> Position:
        quote = self._quoted.get(token)
        price = self.valuation.price(token, held.size)
        value = None if price.amount is None else notional(held.size, price.amount)
        pending = self._shares[wallet, owner, token]
        event, title = quote.event if quote else (None, None)
        return {
            "agentId": owner or None,
            "wallet": wallet,
            "tokenId": token,
            "conditionId": quote.market.condition_id if quote else None,
            "marketId": quote.market.id if quote else None,
            "marketQuestion": quote.market.question if quote else None,
            "outcome": quote.outcome if quote else None,
            "eventId": event,
            "eventTitle": title,
            "category": quote.market.category if quote else None,
            "size": text(held.size),
            "confirmed": text(held.size - pending),
            "pending": text(pending),
            "cost": text(held.cost),
            "averagePrice": text(held.cost * ONE // held.size) if held.size else "0",
            "price": maybe_text(price.amount),
            "priceSource": price.source,
            "value": maybe_text(value),
            "redeemable": text(self.valuation.redeemable(token, held.size)),
            "realised": text(held.profit),
            "unrealised": None if value is None else text(value - held.cost),
            "fees": text(held.fees),
            "seq": held.seq,
        }

    def book(self, wallet: str, owner: str, book: Book) -> OwnerBook:
        return {
            "agentId": owner or None,
            "unallocated": owner == UNALLOCATED,
            "budget": text(book.allocated),
            **self.sums([(wallet, owner, book)], self._state.equity.agents.get(owner)),
            "positions": [
                self.position(wallet, owner, token, held) for token, held in sorted(book.positions.items()) if held.size
            ],
        }

    def sums(self, owned: Iterable[_Owned], curve: Curve | None) -> Sums:
        books = list(owned)
        found = self.valuation.figures(book for _, _, book in books)
        pending = sum(self._cash[wallet, owner] for wallet, owner, _ in books)
        return {
            "cash": text(found.cash),
            "confirmedCash": text(found.cash - pending),
            "pendingCash": text(pending),
            "cost": text(found.cost),
            "value": text(found.value),
            "equity": text(found.equity),
            "realised": text(found.realised),
            "unrealised": text(found.unrealised),
            "redeemable": text(found.redeemable),
            "fees": text(found.fees),
            "unpriced": found.unpriced,
            "drawdown": text(curve.drawdown) if curve and curve.points else None,
        }

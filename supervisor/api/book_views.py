"""Books of account as clients see them: positions and portfolio, every amount as exact decimal text."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from agents.fleet import FleetState
from agents.lots import Position as Held
from agents.model import Side
from agents.money import ONE, Micro, micro, notional, text
from agents.portfolio import UNALLOCATED, Book
from supervisor.api.market_views import Exact, Quote, maybe_text


class Position(TypedDict):
    """Shares of one token in one book: `pending` ones are matched, not settled; null: there is no price, or no market."""

    agentId: str | None
    wallet: str
    tokenId: str
    conditionId: str | None
    marketId: str | None
    marketQuestion: str | None
    outcome: str | None
    size: Exact
    confirmed: Exact
    pending: Exact
    cost: Exact
    averagePrice: Exact
    price: Exact | None
    value: Exact | None
    realised: Exact
    unrealised: Exact | None
    fees: Exact
    seq: Annotated[int, Field(description="That of the event with which the book first held the token.")]


class Sums(TypedDict):
    """Books added up; a position without a price counts at its cost, and `unpriced` says how many do."""

    cash: Exact
    confirmedCash: Exact
    pendingCash: Exact
    cost: Exact
    value: Exact
    equity: Exact
    realised: Exact
    unrealised: Exact
    fees: Exact
    unpriced: int


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
    """All books as of `seq`."""

    seq: int
    total: Sums
    wallets: list[WalletBooks]


#: A book with its wallet and owner.
_Owned = tuple[str, str, Book]


def positions(state: FleetState, quoted: Mapping[str, Quote], agent_id: str) -> list[Position]:
    """Return what an agent holds, what it has held for the shortest time first."""
    found = [
        _position(state, quoted, wallet, agent_id, token, held)
        for wallet, book in state.portfolio.books_of(agent_id)
        for token, held in book.positions.items()
        if held.size
    ]
    return sorted(found, key=lambda position: -position["seq"])


def portfolio(state: FleetState, quoted: Mapping[str, Quote]) -> Portfolio:
    """Return all books by wallet and owner, and their sums."""
    wallets: list[WalletBooks] = []
    everything: list[_Owned] = []
    for wallet, owners in sorted(state.portfolio.wallets.items()):
        owned = [(wallet, owner, book) for owner, book in sorted(owners.items())]
        everything += owned
        wallets.append(
            {
                "wallet": wallet,
                "address": state.addresses.get(wallet),
                **_sums(state, quoted, owned),
                "books": [_book(state, quoted, *book) for book in owned],
            }
        )
    return {"seq": state.seq, "total": _sums(state, quoted, everything), "wallets": wallets}


def _position(state: FleetState, quoted: Mapping[str, Quote], wallet: str, owner: str, token: str, held: Held) -> Position:
    quote = quoted.get(token)
    price = _worth(state, quote, token)
    value = None if price is None else notional(held.size, price)
    pending = sum(
        fill.size if fill.side is Side.BUY else -fill.size
        for fill in state.portfolio.pending.values()
        if (fill.wallet, fill.owner, fill.token_id) == (wallet, owner, token)
    )
    return {
        "agentId": owner or None,
        "wallet": wallet,
        "tokenId": token,
        "conditionId": quote.market.condition_id if quote else None,
        "marketId": quote.market.id if quote else None,
        "marketQuestion": quote.market.question if quote else None,
        "outcome": quote.outcome if quote else None,
        "size": text(held.size),
        "confirmed": text(held.size - pending),
        "pending": text(pending),
        "cost": text(held.cost),
        "averagePrice": text(held.cost * ONE // held.size) if held.size else "0",
        "price": maybe_text(price),
        "value": maybe_text(value),
        "realised": text(held.profit),
        "unrealised": None if value is None else text(value - held.cost),
        "fees": text(held.fees),
        "seq": held.seq,
    }


def _book(state: FleetState, quoted: Mapping[str, Quote], wallet: str, owner: str, book: Book) -> OwnerBook:
    return {
        "agentId": owner or None,
        "unallocated": owner == UNALLOCATED,
        "budget": text(book.allocated),
        **_sums(state, quoted, [(wallet, owner, book)]),
        "positions": [
            _position(state, quoted, wallet, owner, token, held) for token, held in sorted(book.positions.items()) if held.size
        ],
    }


def _sums(state: FleetState, quoted: Mapping[str, Quote], owned: Iterable[_Owned]) -> Sums:
    books = {(wallet, owner): book for wallet, owner, book in owned}
    cash = sum(book.cash for book in books.values())
    cost = sum(book.cost for book in books.values())
    value = unpriced = 0
    for book in books.values():
        for token, held in book.positions.items():
            if held.size:
                price = _worth(state, quoted.get(token), token)
                unpriced += price is None
                value += held.cost if price is None else notional(held.size, price)
    pending = sum(
        -(fill.cost + fill.fee) if fill.side is Side.BUY else fill.cost - fill.fee
        for fill in state.portfolio.pending.values()
        if (fill.wallet, fill.owner) in books
    )
    return {
        "cash": text(cash),
        "confirmedCash": text(cash - pending),
        "pendingCash": text(pending),
        "cost": text(cost),
        "value": text(value),
        "equity": text(cash + value),
        "realised": text(sum(book.profit for book in books.values())),
        "unrealised": text(value - cost),
        "fees": text(sum(book.fees for book in books.values())),
        "unpriced": unpriced,
    }


def _worth(state: FleetState, quote: Quote | None, token: str) -> Micro | None:
    """Return what a share is worth: what the log says it paid in the end, else its quote."""
    resolutions = state.resolutions
    known = [resolutions.get(quote.market.condition_id, {})] if quote else resolutions.values()
    paid = next((payouts[token] for payouts in known if token in payouts), None)
    if paid is not None:
        return micro(paid)
    return quote.price if quote else None

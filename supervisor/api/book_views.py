"""Books of account as clients see them: positions and portfolio, every amount as exact decimal text."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Annotated, TypeVar

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


class Exposed(TypedDict):
    """What is at stake in markets that have not resolved: what it has cost and what it is worth."""

    cost: Exact
    value: Exact
    positions: int


class EventExposure(Exposed):
    """What is at stake in one event; null: the feed does not know whose the shares are."""

    eventId: str | None
    eventTitle: str | None


class CategoryExposure(Exposed):
    """What is at stake in one category: the first tag of a market. Empty: it has none; null: the feed does not know it."""

    category: str | None


class Exposure(TypedDict):
    """What is at stake, the dearest first."""

    byEvent: list[EventExposure]
    byCategory: list[CategoryExposure]


class Portfolio(TypedDict):
    """All books as of `seq`."""

    seq: int
    total: Sums
    exposure: Exposure
    wallets: list[WalletBooks]


_K = TypeVar("_K")

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
        "exposure": views.exposure(book for _, _, book in everything),
        "wallets": wallets,
    }


class _Views:
    """Makes the views of one folded log at one set of quotes."""

    def __init__(self, state: FleetState, quoted: Mapping[str, Quote]) -> None:
        self._quoted = quoted
        self._valuation = Valuation(state, quoted)
        self._agents = state.equity.agents
        #: What is not settled: shares by wallet, owner and token, cash by wallet and owner.
        self._shares: defaultdict[tuple[str, str, str], Micro] = defaultdict(int)
        self._cash: defaultdict[tuple[str, str], Micro] = defaultdict(int)
        for fill in state.portfolio.pending.values():
            sign = 1 if fill.side is Side.BUY else -1
            self._shares[fill.wallet, fill.owner, fill.token_id] += sign * fill.size
            self._cash[fill.wallet, fill.owner] -= sign * fill.cost + fill.fee

    def position(self, wallet: str, owner: str, token: str, held: Held) -> Position:
        quote = self._quoted.get(token)
        price = self._valuation.price(token, held.size)
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
            "category": quote.category if quote else None,
            "size": text(held.size),
            "confirmed": text(held.size - pending),
            "pending": text(pending),
            "cost": text(held.cost),
            "averagePrice": text(held.cost * ONE // held.size) if held.size else "0",
            "price": maybe_text(price.amount),
            "priceSource": price.source,
            "value": maybe_text(value),
            "redeemable": text(self._valuation.redeemable(token, held.size)),
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
            **self.sums([(wallet, owner, book)], self._agents.get(owner)),
            "positions": [
                self.position(wallet, owner, token, held) for token, held in sorted(book.positions.items()) if held.size
            ],
        }

    def sums(self, owned: Iterable[_Owned], curve: Curve | None) -> Sums:
        books = list(owned)
        found = self._valuation.figures(book for _, _, book in books)
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

    def exposure(self, books: Iterable[Book]) -> Exposure:
        events: dict[tuple[str | None, str | None], list[Micro]] = {}
        categories: dict[str | None, list[Micro]] = {}
        for book in books:
            for token, held in book.positions.items():
                if not held.size or self._valuation.payout(token) is not None:
                    continue
                quote, price = self._quoted.get(token), self._valuation.price(token, held.size).amount
                added = held.cost, held.cost if price is None else notional(held.size, price), 1
                _add(events.setdefault(quote.event if quote else (None, None), [0, 0, 0]), added)
                _add(categories.setdefault(quote.category if quote else None, [0, 0, 0]), added)
        return {
            "byEvent": [{"eventId": id, "eventTitle": title, **_exposed(sums)} for (id, title), sums in _dearest(events)],
            "byCategory": [{"category": name, **_exposed(sums)} for name, sums in _dearest(categories)],
        }


def _add(sums: list[Micro], more: Iterable[Micro]) -> None:
    sums[:] = [a + b for a, b in zip(sums, more, strict=True)]


def _dearest(groups: Mapping[_K, list[Micro]]) -> list[tuple[_K, list[Micro]]]:
    return sorted(groups.items(), key=lambda group: (-group[1][0], str(group[0])))


def _exposed(sums: list[Micro]) -> Exposed:
    cost, value, count = sums
    return {"cost": text(cost), "value": text(value), "positions": count}

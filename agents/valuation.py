"""What books are worth: at their payout what is resolved, at the best bid what is long, and what is not sure is said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal, NamedTuple

from agents.fleet import FleetState
from agents.model import Market, MarketView
from agents.money import ONE, Micro, micro, notional
from agents.portfolio import Book

#: Where a price is from: the resolution, the best bid (or ask, of what was sold short), the last trade of an empty book.
PriceSource = Literal["payout", "bid", "ask", "last"]


class Price(NamedTuple):
    """What a share is worth, and where that is from; None: nothing says so."""

    amount: Micro | None
    source: PriceSource | None


@dataclass(frozen=True, slots=True)
class Quote:
    """A token's market, and the prices of its book: None where there is none. `last` is that of the latest trade known."""

    market: Market
    outcome: str
    bid: Micro | None
    ask: Micro | None
    last: Micro | None
    payout: Micro | None = None

    @property
    def event(self) -> tuple[str, str]:
        """The id and the title of the event that it belongs to; a market without one is its own."""
        return self.market.event, self.market.event_title or self.market.question

    def price(self, size: Micro) -> Price:
        """Return the price at which so many shares count: of a market that trades its best bid, or nothing if all only offer.

        A market without a book (it has ended and waits for its result, or its book is still loading) is worth its last
        price: there is no bid that says otherwise.
        """
        if self.payout is not None:
            return Price(self.payout, "payout")
        if not self.market.takes_orders or (self.bid is None and self.ask is None):
            return Price(self.last, None if self.last is None else "last")
        if size < 0:
            return Price(ONE if self.ask is None else self.ask, "ask")
        return Price(self.bid or 0, "bid")


def quotes(views: Iterable[MarketView]) -> dict[str, Quote]:
    """Return the quote of every token of these markets."""
    return {token: quote_of(view, token) for view in views for token in view.market.tokens}


def quote_of(view: MarketView, token_id: str) -> Quote:
    """Return the quote of one of a market's tokens."""
    market, index = view.market, view.market.index(token_id)
    book, payout = view.books[index], market.payouts[index] if market.payouts else None
    return Quote(market, market.outcomes[index], book.bid, book.ask, view.last(index), payout)


def worth(view: MarketView, token_id: str) -> Micro | None:
    """Return what a share that is held is surely worth; None if nothing says so."""
    return quote_of(view, token_id).price(ONE).amount


@dataclass(slots=True)
class Figures:
    """Books added up. A position without a price counts at its cost, and `unpriced` says how many do.

    `redeemable` is what resolved shares pay that were not paid out yet; it is a part of `value`.
    """

    cash: Micro = 0
    cost: Micro = 0
    value: Micro = 0
    realised: Micro = 0
    fees: Micro = 0
    redeemable: Micro = 0
    unpriced: int = 0

    def add(self, other: "Figures") -> None:
        """Add others."""
        for part in fields(self):
            setattr(self, part.name, getattr(self, part.name) + getattr(other, part.name))

    @property
    def equity(self) -> Micro:
        """Cash and what is held."""
        return self.cash + self.value

    @property
    def unrealised(self) -> Micro:
        """What is held against what it has cost."""
        return self.value - self.cost

    @property
    def profit(self) -> Micro:
        """Realised and unrealised profit, fees taken off: what equity would be less all that was paid in."""
        return self.realised + self.unrealised


class Valuation:
    """Values books by a folded log and the feed's quotes (none for what the feed does not know)."""

    def __init__(self, state: FleetState, quoted: Mapping[str, Quote]) -> None:
        self._state = state
        self.quoted = quoted

    @cached_property
    def _paid(self) -> dict[str, str]:
        return {token: payout for payouts in self._state.resolutions.values() for token, payout in payouts.items()}

    def payout(self, token: str) -> Micro | None:
        """Return what a share of a token pays, if its market has resolved."""
        quote = self.quoted.get(token)
        if quote and quote.payout is not None:
            return quote.payout
        paid = self._paid.get(token)
        return None if paid is None else micro(paid)

    def price(self, token: str, size: Micro) -> Price:
        """Return the price at which so many shares count, by the log if their market has resolved."""
        paid = self.payout(token)
        if paid is not None:
            return Price(paid, "payout")
        quote = self.quoted.get(token)
        return quote.price(size) if quote else Price(None, None)

    def redeemable(self, token: str, size: Micro) -> Micro:
        """Return what shares will be paid out for: nothing while their market has not resolved."""
        paid = self.payout(token)
        return notional(size, paid) if paid and size > 0 else 0

    def figures(self, books: Iterable[Book]) -> Figures:
        """Return the sums of books."""
        sums = Figures()
        for book in books:
            sums.cash += book.cash
            for token, held in book.positions.items():
                sums.realised += held.profit
                sums.fees += held.fees
                if held.size:
                    price = self.price(token, held.size)
                    sums.cost += held.cost
                    sums.value += held.cost if price.amount is None else notional(held.size, price.amount)
                    sums.unpriced += price.amount is None
                    if price.source == "payout":
                        sums.redeemable += self.redeemable(token, held.size)
        return sums

"""Markets as the fleet sees them. Prices are decimal text."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from agents import model
from agents.money import Micro, text

#: An exact amount, written as plain decimal text.
Exact = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$", examples=["12.5"])]

#: Levels of a book that one market shows.
_DEPTH = 20


class BookLevel(TypedDict):
    """The shares on offer at one price."""

    price: Exact
    size: Exact


class Outcome(TypedDict):
    """One side of a market; `payout` is what a share was worth in the end."""

    outcome: str
    tokenId: str
    bid: Exact | None
    ask: Exact | None
    price: Exact | None
    payout: Exact | None


class OutcomeBook(Outcome):
    """One side of a market with its book, best price first."""

    bids: list[BookLevel]
    asks: list[BookLevel]


class PricePoint(TypedDict):
    """The first outcome's price at one time of the venue's clock."""

    timestamp: int
    price: Exact


class _MarketFields(TypedDict):
    id: str
    conditionId: str
    question: str
    slug: str
    eventId: str
    eventTitle: str
    tags: list[str]
    negRisk: bool
    endDate: int | None
    tick: Exact
    minSize: Exact
    feeRate: Exact
    acceptingOrders: bool
    closed: bool
    age: Annotated[float, Field(description="Seconds since news of it came.")]


class Market(_MarketFields):
    """A market as the fleet sees it."""

    outcomes: list[Outcome]


class MarketBook(_MarketFields):
    """A market with its books and its recent prices, oldest first."""

    outcomes: list[OutcomeBook]
    prices: list[PricePoint]


def market(view: model.MarketView) -> Market:
    """Return a market without its books."""
    return {**_fields(view), "outcomes": [_outcome(view, 0), _outcome(view, 1)]}


def market_book(view: model.MarketView) -> MarketBook:
    """Return a market with its books and recent prices."""
    return {
        **_fields(view),
        "outcomes": [
            {**_outcome(view, index), "bids": _levels(book.bids), "asks": _levels(book.asks)}
            for index, book in enumerate(view.books)
        ],
        "prices": [{"timestamp": time, "price": text(price)} for time, price in view.prices],
    }


def maybe_text(amount: Micro | None) -> str | None:
    """Write an amount that may be unknown."""
    return None if amount is None else text(amount)


def _fields(view: model.MarketView) -> _MarketFields:
    found = view.market
    return {
        "id": found.id,
        "conditionId": found.condition_id,
        "question": found.question,
        "slug": found.slug,
        "eventId": found.event_id,
        "eventTitle": found.event_title,
        "tags": list(found.tags),
        "negRisk": found.neg_risk,
        "endDate": found.end,
        "tick": text(found.tick),
        "minSize": text(found.min_size),
        "feeRate": f"{found.fee.rate:f}",
        "acceptingOrders": found.accepting_orders,
        "closed": found.closed,
        "age": round(view.age, 3),
    }


def _outcome(view: model.MarketView, index: int) -> Outcome:
    found, book = view.market, view.books[index]
    return {
        "outcome": found.outcomes[index],
        "tokenId": found.tokens[index],
        "bid": maybe_text(book.bid),
        "ask": maybe_text(book.ask),
        "price": maybe_text(_price(view, index)),
        "payout": text(found.payouts[index]) if found.payouts else None,
    }


def _price(view: model.MarketView, index: int) -> Micro | None:
    if view.market.payouts:
        return view.market.payouts[index]
    book = view.books[index]
    for price in (book.mid, book.bid, book.ask):
        if price is not None:
            return price
    return view.last(index)


def _levels(levels: Iterable[model.Level]) -> list[BookLevel]:
    return [{"price": text(level.price), "size": text(level.size)} for level in list(levels)[:_DEPTH]]

"""Buys what is offered cheaply."""

from collections.abc import Iterator

from pydantic import Field

from agents.model import Book, Decision, MarketView, View
from agents.money import ONE, ceil_to, number, text
from agents.strategies.strategy import Params, Strategy


class CheapParams(Params):
    """Prices are 0 to 1."""

    below: float = Field(0.2, gt=0, lt=1, description="It buys at any price below this.")
    shares: int = Field(10, ge=5, le=10_000, description="How many shares of one outcome it buys.")
    markets: int = Field(3, ge=1, le=100, description="Outcomes that it holds at most.")


class Cheap(Strategy[CheapParams]):
    """Buys a few shares of the cheapest outcomes and holds them to the end.

    Confidence is the same for all, since it knows nothing: 0.6.
    """

    name = "cheap"
    description = "Buys a few shares of the cheapest outcomes and holds them."
    params_type = CheapParams

    def decide(self, view: View) -> list[Decision]:
        """Return the cheapest offers that there is room for."""
        room = self.params.markets - len(view.account.holdings)
        offers = sorted((offer for seen in view.markets for offer in self._offers(view, seen)), key=lambda offer: offer.price)
        return offers[: max(room, 0)]

    def _offers(self, view: View, seen: MarketView) -> Iterator[Decision]:
        for book in seen.books:
            if book.token_id not in view.account.holdings and self._cheap(book):
                yield Decision(
                    market=seen.market,
                    token_id=book.token_id,
                    action="buy",
                    price=ceil_to(book.asks[0].price, seen.market.tick),
                    size=self.params.shares * ONE,
                    confidence=0.6,
                    reasoning=f"{seen.market.outcome(book.token_id)} is offered at {text(book.asks[0].price)}, "
                    f"below {self.params.below:g}.",
                )

    def _cheap(self, book: Book) -> bool:
        return book.ask is not None and number(book.ask) < self.params.below

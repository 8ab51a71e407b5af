"""The CLOB's public facts: markets, their terms, and what it says of itself."""

from typing import Any

from actors.sandbox.api import clob_objects
from actors.sandbox.api.messages import Call, Operation
from actors.sandbox.api.numbers import plain
from actors.sandbox.api.pages import page
from actors.sandbox.records import MarketRecord, Refused
from actors.sandbox.venue import Venue

_PAGE = 1000


class ClobMarkets:
    """The operations on markets, and time, version and health."""

    def __init__(self, venue: Venue) -> None:
        self._exchange = venue.exchange

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations."""
        return (
            Operation("GET", "/", lambda call: "OK"),
            Operation("GET", "/ok", lambda call: "OK"),
            Operation("GET", "/time", lambda call: int(self._exchange.floor.wall())),
            Operation("GET", "/version", lambda call: {"version": 2}),
            Operation("GET", "/markets", self.markets),
            Operation("GET", "/markets/{condition_id}", self.market),
            Operation("GET", "/simplified-markets", self.simplified),
            Operation("GET", "/sampling-markets", self.sampling),
            Operation("GET", "/sampling-simplified-markets", self.sampling_simplified),
            Operation("GET", "/clob-markets/{condition_id}", self.terms),
            Operation("GET", "/markets-by-token/{token_id}", self.by_token),
            Operation("GET", "/tick-size", self.tick_size),
            Operation("GET", "/neg-risk", self.neg_risk),
            Operation("GET", "/fee-rate", self.fee_rate),
        )

    def markets(self, call: Call) -> Any:
        """Return all markets, resolved ones included."""
        return page(list(self._exchange.markets()), call.one("next_cursor"), _PAGE, self._whole)

    def simplified(self, call: Call) -> Any:
        """Return all markets in short."""
        return page(list(self._exchange.markets()), call.one("next_cursor"), _PAGE, self._short)

    def sampling(self, call: Call) -> Any:
        """Return the markets that are open."""
        return page(self._open(), call.one("next_cursor"), _PAGE, self._whole)

    def sampling_simplified(self, call: Call) -> Any:
        """Return the markets that are open, in short."""
        return page(self._open(), call.one("next_cursor"), _PAGE, self._short)

    def market(self, call: Call) -> Any:
        """Return one market."""
        return self._whole(self._market(call))

    def terms(self, call: Call) -> Any:
        """Return what an order builder must know of a market."""
        return clob_objects.terms(self._market(call))

    def by_token(self, call: Call) -> Any:
        """Return the market of a token. Which token is the primary one says nothing about its outcome."""
        record = self._of(call.params["token_id"])
        primary, secondary = sorted(record.tokens)
        return {"condition_id": record.condition_id, "primary_token_id": primary, "secondary_token_id": secondary}

    def tick_size(self, call: Call) -> Any:
        """Return the price grid of a token."""
        return {"minimum_tick_size": plain(self._of(call.one("token_id")).tick)}

    def neg_risk(self, call: Call) -> Any:
        """Return whether a token's market is one of several of which one wins."""
        return {"neg_risk": self._of(call.one("token_id")).neg_risk}

    def fee_rate(self, call: Call) -> Any:
        """Return the legacy base fee, which means nothing."""
        return {"base_fee": clob_objects.base_fee(self._of(call.one("token_id")))}

    def _open(self) -> list[MarketRecord]:
        return [record for record in self._exchange.markets() if not record.closed]

    def _whole(self, record: MarketRecord) -> dict[str, Any]:
        return clob_objects.market(record, self._exchange.stats(record.condition_id))

    def _short(self, record: MarketRecord) -> dict[str, Any]:
        return clob_objects.simplified(record, self._exchange.stats(record.condition_id))

    def _market(self, call: Call) -> MarketRecord:
        record = self._exchange.market(call.params["condition_id"])
        if record is None:
            raise Refused("market not found", 404)
        return record

    def _of(self, token_id: str) -> MarketRecord:
        if not token_id:
            raise Refused("Invalid token id")
        record = self._exchange.market_by_token(token_id)
        if record is None:
            raise Refused("market not found", 404)
        return record

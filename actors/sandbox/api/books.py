"""The CLOB's public prices: books, midpoints, best prices, spreads, last trades."""

from collections.abc import Callable, Iterator
from typing import Any

from actors.sandbox.api.book_objects import book
from actors.sandbox.api.messages import Call, Operation
from actors.sandbox.records import BookSnapshot, Refused
from actors.sandbox.venue import Venue
from agents.money import ONE, Micro, decimal, text

_MOST = 500


class Books:
    """The operations on prices."""

    def __init__(self, venue: Venue) -> None:
        self._exchange = venue.exchange

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations; the plural ones exist by GET too, and always fail there."""
        plural: tuple[tuple[str, Callable[[Call], Any]], ...] = (
            ("/books", self.books),
            ("/midpoints", self.midpoints),
            ("/prices", self.prices),
            ("/last-trades-prices", self.last_trades),
        )
        return (
            Operation("GET", "/book", self.book),
            Operation("GET", "/midpoint", self.midpoint),
            Operation("GET", "/price", self.price),
            Operation("GET", "/spread", self.spread),
            Operation("GET", "/last-trade-price", self.last_trade),
            Operation("POST", "/spreads", self.spreads),
            *(Operation("POST", path, handle) for path, handle in plural),
            *(Operation("GET", path, _always_invalid) for path, _ in plural),
        )

    def book(self, call: Call) -> Any:
        """Return the book of a token."""
        return book(self._snapshot(call))

    def midpoint(self, call: Call) -> Any:
        """Return the price half way between best bid and best ask."""
        return {"mid": _middle(self._snapshot(call))}

    def price(self, call: Call) -> Any:
        """Return the best bid (BUY) or the best ask (SELL)."""
        snapshot, side = self._snapshot(call), call.one("side").upper()
        if side not in ("BUY", "SELL"):
            raise Refused("Invalid side")
        return {"price": _best(snapshot, side)}

    def spread(self, call: Call) -> Any:
        """Return best ask less best bid."""
        return {"spread": _spread(self._snapshot(call))}

    def last_trade(self, call: Call) -> Any:
        """Return price and side of the latest trade; 0.5 and no side if there was none."""
        snapshot = self._snapshot(call)
        last = self._exchange.last_trade(snapshot.token_id)
        return {"price": text(last.price), "side": str(last.side)} if last else {"price": "0.5", "side": ""}

    def books(self, call: Call) -> Any:
        """Return the books of several tokens, in no particular order; unknown ones are left out."""
        snapshots = {snapshot.token_id: snapshot for snapshot, _ in self._asked(call)}
        return [book(snapshots[token_id]) for token_id in sorted(snapshots)]

    def midpoints(self, call: Call) -> Any:
        """Return the midpoints of several tokens."""
        return {snapshot.token_id: _middle(snapshot) for snapshot, _ in self._asked(call)}

    def prices(self, call: Call) -> Any:
        """Return best prices by token and side; an item without a side gets the ask."""
        found: dict[str, dict[str, str]] = {}
        for snapshot, side in self._asked(call):
            side = side if side in ("BUY", "SELL") else "SELL"
            found.setdefault(snapshot.token_id, {})[side] = _best(snapshot, side)
        return found

    def spreads(self, call: Call) -> Any:
        """Return the spreads of several tokens."""
        return {snapshot.token_id: _spread(snapshot) for snapshot, _ in self._asked(call)}

    def last_trades(self, call: Call) -> Any:
        """Return the latest trades of several tokens; those that never traded are left out."""
        found = ((snapshot.token_id, self._exchange.last_trade(snapshot.token_id)) for snapshot, _ in self._asked(call))
        return [{"token_id": token_id, "price": text(last.price), "side": str(last.side)} for token_id, last in found if last]

    def _snapshot(self, call: Call) -> BookSnapshot:
        token_id = call.one("token_id")
        if not token_id:
            raise Refused("Invalid token id")
        return self._exchange.book_snapshot(token_id)

    def _asked(self, call: Call) -> Iterator[tuple[BookSnapshot, str]]:
        rows = call.json()
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and isinstance(row.get("token_id"), str) for row in rows
        ):
            raise Refused("Invalid payload")
        if len(rows) > _MOST:
            raise Refused("Payload exceeds the limit")
        for row in rows:
            try:
                yield self._exchange.book_snapshot(row["token_id"]), str(row.get("side") or "").upper()
            except Refused:
                continue


def _always_invalid(call: Call) -> Any:
    raise Refused("Invalid payload")


def _ends(snapshot: BookSnapshot) -> tuple[Micro, Micro]:
    """Return best bid and ask; where a side is empty, the end of the price range."""
    return (snapshot.bids[0].price if snapshot.bids else 0), (snapshot.asks[0].price if snapshot.asks else ONE)


def _best(snapshot: BookSnapshot, side: str) -> str:
    bid, ask = _ends(snapshot)
    return text(bid if side == "BUY" else ask)


def _middle(snapshot: BookSnapshot) -> str:
    return f"{(decimal(sum(_ends(snapshot))) / 2).normalize():f}"


def _spread(snapshot: BookSnapshot) -> str:
    bid, ask = _ends(snapshot)
    return text(ask - bid)

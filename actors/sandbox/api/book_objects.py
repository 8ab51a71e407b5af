"""Books as the venue writes them, and their hash."""

import hashlib
from collections.abc import Sequence
from typing import Any

from actors.sandbox.api.messages import dumps
from actors.sandbox.records import BookSnapshot
from agents.model import Level
from agents.money import text


def book(snapshot: BookSnapshot) -> dict[str, Any]:
    """Write a book as REST does: worst price first on both sides, with the hash of it all."""
    content = {
        "market": snapshot.condition_id,
        "asset_id": snapshot.token_id,
        "timestamp": str(snapshot.timestamp),
        "hash": "",
        "bids": _levels(snapshot.bids),
        "asks": _levels(snapshot.asks),
        "min_order_size": text(snapshot.min_size),
        "tick_size": text(snapshot.tick),
        "neg_risk": snapshot.neg_risk,
        "last_trade_price": "" if snapshot.last_trade_price is None else text(snapshot.last_trade_price),
    }
    return content | {"hash": book_hash(content)}


def book_hash(content: dict[str, Any]) -> str:
    """Return the hash of a REST book: SHA-1 of its compact JSON in REST's order of keys, with an empty hash."""
    return hashlib.sha1(dumps(content | {"hash": ""}).encode(), usedforsecurity=False).hexdigest()


def book_frame(snapshot: BookSnapshot, *, initial: bool) -> dict[str, Any]:
    """Write a book as the market channel does; only the first one of a subscription tells tick and last price."""
    content = book(snapshot)
    frame = {key: content[key] for key in ("market", "asset_id", "timestamp", "hash", "bids", "asks")}
    if not initial:
        return frame | {"event_type": "book"}
    return frame | {
        "tick_size": content["tick_size"],
        "event_type": "book",
        "last_trade_price": content["last_trade_price"],
    }


def _levels(levels: Sequence[Level]) -> list[dict[str, str]]:
    return [{"price": text(level.price), "size": text(level.size)} for level in reversed(levels)]

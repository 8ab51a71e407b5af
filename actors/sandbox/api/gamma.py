"""Gamma, the discovery API: listings, look-ups, tags and search."""

import json
from collections.abc import Iterable
from typing import Any

from actors.sandbox.api import gamma_lists
from actors.sandbox.api.gamma_objects import GammaObjects, tag, tag_id, tag_slug
from actors.sandbox.api.messages import Answer, Call, Operation
from actors.sandbox.api.times import rfc3339
from actors.sandbox.records import EventRecord, MarketRecord, Refused
from actors.sandbox.venue import Venue

_DEPRECATED = {
    "deprecation": "true",
    "sunset": "Fri, 01 May 2026 00:00:00 GMT",
}
_KINDS = {404: "not found error", 422: "validation error"}
_SLIM_EVENT = ("active", "archived", "closed", "endDate", "id", "markets", "negRisk", "slug", "startDate", "title")
_SLIM_MARKET = (
    "active",
    "archived",
    "bestAsk",
    "bestBid",
    "closed",
    "closedTime",
    "groupItemTitle",
    "lastTradePrice",
    "question",
    "slug",
    "spread",
)


class Gamma:
    """The operations of Gamma."""

    def __init__(self, venue: Venue) -> None:
        self._exchange = venue.exchange
        self._objects = GammaObjects(venue)

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations."""
        return (
            Operation("GET", "/markets", self.markets),
            Operation("GET", "/markets/keyset", self.markets_keyset),
            Operation("GET", "/markets/slug/{slug}", self.market),
            Operation("GET", "/markets/{id}", self.market),
            Operation("GET", "/markets/{id}/tags", self.market_tags),
            Operation("GET", "/events", self.events),
            Operation("GET", "/events/keyset", self.events_keyset),
            Operation("GET", "/events/slug/{slug}", self.event),
            Operation("GET", "/events/{id}", self.event),
            Operation("GET", "/events/{id}/tags", self.event_tags),
            Operation("GET", "/tags", self.tags),
            Operation("GET", "/tags/slug/{slug}", self.tag),
            Operation("GET", "/tags/{id}", self.tag),
            Operation("GET", "/public-search", self.search),
        )

    def markets(self, call: Call) -> Answer:
        """List markets page by page (legacy)."""
        rows = gamma_lists.markets(call, self._exchange)
        shown = gamma_lists.offset(call, rows, gamma_lists.order(call, gamma_lists.MARKET_ORDERS), "/markets")
        return _legacy([self._listed(call, row.record) for row in shown], "/markets")

    def markets_keyset(self, call: Call) -> Any:
        """List markets from a cursor."""
        by = gamma_lists.order(call, gamma_lists.MARKET_ORDERS)
        shown, cursor = gamma_lists.keyset(call, gamma_lists.markets(call, self._exchange), by)
        return _keyset("markets", [self._listed(call, row.record) for row in shown], cursor)

    def _listed(self, call: Call, record: MarketRecord) -> dict[str, Any]:
        return self._objects.market(record, tagged=call.one("include_tag") == "true")

    def market(self, call: Call) -> Any:
        """Return one market by id or slug, open or closed."""
        return self._listed(call, self._market(call))

    def market_tags(self, call: Call) -> Any:
        """Return the tags of a market."""
        record = self._market(call)
        return [tag(label, rfc3339(record.created)) for label in record.tags]

    def _market(self, call: Call) -> MarketRecord:
        slug, id = call.params.get("slug"), call.params.get("id", "")
        record = self._exchange.market_by_slug(slug) if slug else self._exchange.market_by_id(id)
        if record is None:
            raise Refused("slug not found" if slug else "id not found", 404)
        return record

    def events(self, call: Call) -> Answer:
        """List events page by page (legacy)."""
        rows = gamma_lists.events(call, self._exchange)
        shown = gamma_lists.offset(call, rows, gamma_lists.order(call, gamma_lists.EVENT_ORDERS), "/events")
        return _legacy([self._objects.event(row.record) for row in shown], "/events")

    def events_keyset(self, call: Call) -> Any:
        """List events from a cursor."""
        by = gamma_lists.order(call, gamma_lists.EVENT_ORDERS)
        shown, cursor = gamma_lists.keyset(call, gamma_lists.events(call, self._exchange), by)
        return _keyset("events", [self._objects.event(row.record) for row in shown], cursor)

    def event(self, call: Call) -> Any:
        """Return one event by id or slug, open or closed."""
        return self._objects.event(self._event(call))

    def event_tags(self, call: Call) -> Any:
        """Return the tags of an event."""
        event = self._event(call)
        return [tag(label, rfc3339(event.created)) for label in event.tags]

    def _event(self, call: Call) -> EventRecord:
        key = call.params.get("slug") or call.params["id"]
        event = self._exchange.event(key)
        if event is None or ("slug" in call.params) is not (event.slug == key):
            raise Refused("slug not found" if "slug" in call.params else "id not found", 404)
        return event

    def tags(self, call: Call) -> Any:
        """List the tags that markets carry."""
        tags = sorted(self._tags().values(), key=lambda row: int(row["id"]))
        start, limit = call.one("offset", "0"), call.one("limit", "20")
        if not (start.isdecimal() and limit.isdecimal()):
            raise Refused("limit and offset must be non-negative integers", 422)
        return tags[int(start) : int(start) + min(int(limit), 100)]

    def tag(self, call: Call) -> Any:
        """Return one tag by id or slug."""
        slug, id = call.params.get("slug"), call.params.get("id")
        for label, row in self._tags().items():
            if tag_slug(label) == slug or tag_id(label) == id:
                return row
        raise Refused("slug not found" if slug else "id not found", 404)

    def _tags(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for record in self._exchange.markets():
            for label in record.tags:
                found.setdefault(label, tag(label, rfc3339(record.created)))
        return found

    def search(self, call: Call) -> Any:
        """Find events whose title or questions have all the words of `q`."""
        words = call.one("q").lower().split()
        if not words:
            raise Refused("q is required", 422)
        size, number = call.one("limit_per_type", "5"), call.one("page", "1")
        if not (size.isdecimal() and number.isdecimal()) or int(size) < 1 or int(number) < 1:
            raise Refused("limit_per_type and page must be positive integers", 422)
        found = [event for event in self._exchange.events() if self._matches(event, words) and self._in_state(event, call)]
        start = (int(number) - 1) * int(size)
        shown, more = found[start : start + int(size)], start + int(size) < len(found)
        events = [self._objects.event(event) for event in shown]
        if call.one("optimized") == "true":
            return {"events": [_slim(event) for event in events], "hasMore": more}
        tags = [row for label, row in self._tags().items() if all(word in label.lower() for word in words)]
        return {
            "events": events,
            "tags": tags[: int(size)] if call.one("search_tags") != "false" else [],
            "profiles": [],
            "pagination": {"hasMore": more, "totalResults": len(found)},
        }

    def _matches(self, event: EventRecord, words: Iterable[str]) -> bool:
        questions = (record.question for id in event.condition_ids if (record := self._exchange.market(id)))
        everything = " ".join((event.title, *questions)).lower()
        return all(word in everything for word in words)

    def _in_state(self, event: EventRecord, call: Call) -> bool:
        records = [record for id in event.condition_ids if (record := self._exchange.market(id))]
        closed = all(record.closed for record in records)
        match call.one("events_status"):
            case "active":
                return not closed
            case "resolved" | "closed":
                return closed
            case _:
                return not closed or call.one("keep_closed_markets") == "1"


def refuse(refused: Refused) -> Answer:
    """Word a refusal as Gamma does."""
    return Answer({"type": _KINDS.get(refused.status, "error"), "error": refused.message}, refused.status)


def _legacy(rows: list[dict[str, Any]], path: str) -> Answer:
    return Answer(rows, headers=_DEPRECATED | {"warning": f'299 - "use {path}/keyset"'})


def _keyset(name: str, rows: list[dict[str, Any]], cursor: str | None) -> dict[str, Any]:
    return {name: rows} | ({"next_cursor": cursor} if cursor else {})


def _slim(event: dict[str, Any]) -> dict[str, Any]:
    """Return what an optimized search shows of an event; its lists are real arrays."""
    slim = {key: event[key] for key in _SLIM_EVENT if key in event}
    slim["markets"] = [
        {key: market[key] for key in _SLIM_MARKET if key in market}
        | {name: json.loads(market[name]) for name in ("outcomes", "outcomePrices")}
        for market in event["markets"]
    ]
    return slim

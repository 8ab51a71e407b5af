"""Gamma's listings: which markets and events pass the filters, in which order, and on which page."""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from actors.sandbox.api.gamma_objects import tag_id, tag_slug
from actors.sandbox.api.messages import Call
from actors.sandbox.api.times import parse
from actors.sandbox.exchange import Exchange
from actors.sandbox.records import EventRecord, MarketRecord, MarketStats, Refused
from agents.money import Micro, micro, text

_MOST = 100
_DEFAULT = 20
_DEEPEST_OFFSET = 2000
#: The tick of markets whose prices have three decimals.
_FINE_TICK: Micro = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A market or event in a listing, with the figures that it may be filtered and ordered by."""

    record: T
    id: int
    stats: Callable[[], MarketStats]


@dataclass(frozen=True, slots=True)
class Order(Generic[T]):
    """The fields to order by, and the direction. Values of a row, with its id last, make its place."""

    fields: tuple[Callable[[Listed[T]], Any], ...]
    ascending: bool

    def place(self, row: Listed[T]) -> list[Any]:
        """Return a row's place in the order, which JSON can carry."""
        return [*(field(row) for field in self.fields), row.id]


_COMMON: dict[str, Callable[[Listed[Any]], Any]] = {
    "id": lambda row: row.id,
    "slug": lambda row: row.record.slug,
    "startDate": lambda row: row.record.start,
    "endDate": lambda row: row.record.end or 0,
    "createdAt": lambda row: row.record.created,
    "updatedAt": lambda row: row.record.created,
    "volume24hr": lambda row: row.stats().volume_24h,
}
MARKET_ORDERS: dict[str, Callable[[Listed[MarketRecord]], Any]] = _COMMON | {
    "question": lambda row: row.record.question,
    "closedTime": lambda row: row.record.resolved_at or 0,
    # The venue keeps these two as text, and orders them as text.
    "volume": lambda row: text(row.stats().volume),
    "liquidity": lambda row: text(row.stats().liquidity),
    "volumeNum": lambda row: row.stats().volume,
    "liquidityNum": lambda row: row.stats().liquidity,
    "bestBid": lambda row: row.stats().best_bid or 0,
    "bestAsk": lambda row: row.stats().best_ask or 0,
    "lastTradePrice": lambda row: row.stats().last_price or 0,
}
EVENT_ORDERS: dict[str, Callable[[Listed[EventRecord]], Any]] = _COMMON | {
    "title": lambda row: row.record.title,
    "volume": lambda row: row.stats().volume,
    "liquidity": lambda row: row.stats().liquidity,
}


def order(call: Call, known: dict[str, Callable[[Listed[T]], Any]]) -> Order[T]:
    """Read `order` and `ascending`. Raises Refused (422) for a field that is not one, snake_case included."""
    names = [name.strip() for name in call.one("order").split(",") if name.strip()]
    if any(name not in known for name in names):
        raise Refused("order fields are not valid", 422)
    return Order(tuple(known[name] for name in names), call.one("ascending", "true") != "false")


def keyset(call: Call, rows: Iterable[Listed[T]], by: Order[T]) -> tuple[list[Listed[T]], str | None]:
    """Return the page after the cursor, and the next cursor unless it is the last page."""
    if "offset" in call.query:
        raise Refused("offset is not supported, use after_cursor", 422)
    limit = _limit(call)
    cursor = call.one("after_cursor")
    ranked = sorted(((by.place(row), row) for row in rows), key=lambda pair: pair[0], reverse=not by.ascending)
    if cursor:
        place = _decode(cursor)
        try:
            ranked = [pair for pair in ranked if (pair[0] > place if by.ascending else pair[0] < place)]
        except TypeError:
            raise Refused("after_cursor is not valid", 422) from None
    shown = ranked[:limit]
    following = _encode(shown[-1][0]) if len(ranked) > limit else None
    return [row for _, row in shown], following


def offset(call: Call, rows: Iterable[Listed[T]], by: Order[T], path: str) -> list[Listed[T]]:
    """Return a page of a legacy listing. Raises Refused (422) for one that is too deep."""
    start = _integer(call, "offset", 0)
    if start > _DEEPEST_OFFSET:
        raise Refused(f"offset too large, use {path}/keyset for deeper pagination", 422)
    ranked = sorted(rows, key=by.place, reverse=not by.ascending)
    return ranked[start : start + _limit(call)]


def markets(call: Call, exchange: Exchange) -> list[Listed[MarketRecord]]:
    """Return the markets that pass the filters. `active` and `archived` are ignored, `closed` is false unless asked for."""
    keep = _market_filter(call)
    rows = (_listed_market(record, exchange) for record in exchange.markets() if keep(record))
    return [row for row in rows if _figures_pass(call, row.stats, "volume_num", "liquidity_num")]


def events(call: Call, exchange: Exchange) -> list[Listed[EventRecord]]:
    """Return the events that pass the filters; one is closed when all its markets are."""
    closed, times = _flag(call, "closed", False), _time_filter(call)
    ids, slugs, tags = set(call.many("id")), set(call.many("slug")), _tag_filter(call)
    rows = []
    for event in exchange.events():
        records = [record for id in event.condition_ids if (record := exchange.market(id))]
        if all(record.closed for record in records) is not closed or not times(event) or not tags(event.tags):
            continue
        if (ids and event.id not in ids) or (slugs and event.slug not in slugs):
            continue
        if (wanted := call.one("title_search").lower()) and wanted not in event.title.lower():
            continue
        rows.append(Listed(event, int(event.id), _summed(records, exchange)))
    return [row for row in rows if _figures_pass(call, row.stats, "volume", "liquidity")]


def _listed_market(record: MarketRecord, exchange: Exchange) -> Listed[MarketRecord]:
    return Listed(record, int(record.id), _once(lambda: exchange.stats(record.condition_id)))


def _summed(records: Sequence[MarketRecord], exchange: Exchange) -> Callable[[], MarketStats]:
    def total() -> MarketStats:
        figures = [exchange.stats(record.condition_id) for record in records]
        return MarketStats(
            volume=sum(stats.volume for stats in figures),
            volume_24h=sum(stats.volume_24h for stats in figures),
            liquidity=sum(stats.liquidity for stats in figures),
            best_bid=None,
            best_ask=None,
            last_price=None,
            outcome_prices=(0, 0),
        )

    return _once(total)


def _once(compute: Callable[[], MarketStats]) -> Callable[[], MarketStats]:
    found: list[MarketStats] = []

    def stats() -> MarketStats:
        if not found:
            found.append(compute())
        return found[0]

    return stats


def _market_filter(call: Call) -> Callable[[MarketRecord], bool]:
    closed, times, tags = _flag(call, "closed", False), _time_filter(call), _tag_filter(call)
    tokens, ids = set(call.many("clob_token_ids")), {*call.many("id"), *call.many("ids")}
    exact = {
        name: set(values)
        for name in ("condition_ids", "slug", "question_ids", "uma_resolution_status", "version")
        if (values := call.many(name))
    }
    fine = None if not call.one("decimalized") else _flag(call, "decimalized", False)

    def keep(record: MarketRecord) -> bool:
        own = {
            "condition_ids": record.condition_id,
            "slug": record.slug,
            "question_ids": record.question_id,
            "uma_resolution_status": record.uma_status,
            "version": "v1",
        }
        return (
            record.closed is closed
            and all(own[name] in wanted for name, wanted in exact.items())
            and (not tokens or bool(tokens & set(record.tokens)))
            and (not ids or record.id in ids)
            and (fine is None or (record.tick == _FINE_TICK) is fine)
            and not call.many("position_ids")
            and times(record)
            and tags(record.tags)
        )

    return keep


def _time_filter(call: Call) -> Callable[[MarketRecord | EventRecord], bool]:
    bounds = [
        (field, bound, _time(call, f"{field}_date_{bound}"))
        for field in ("start", "end")
        for bound in ("min", "max")
        if call.one(f"{field}_date_{bound}")
    ]

    def keep(record: MarketRecord | EventRecord) -> bool:
        for field, bound, limit in bounds:
            moment = record.start if field == "start" else record.end
            if moment is None or (moment < limit if bound == "min" else moment > limit):
                return False
        return True

    return keep


def _tag_filter(call: Call) -> Callable[[Sequence[str]], bool]:
    ids, slug = set(call.many("tag_id")), call.one("tag_slug")
    return lambda tags: (
        (not ids or any(tag_id(tag) in ids for tag in tags)) and (not slug or any(tag_slug(tag) == slug for tag in tags))
    )


def _figures_pass(call: Call, stats: Callable[[], MarketStats], volume: str, liquidity: str) -> bool:
    for name, figure in ((volume, "volume"), (liquidity, "liquidity")):
        for bound in ("min", "max"):
            if not (given := call.one(f"{name}_{bound}")):
                continue
            try:
                limit = micro(given)
            except ValueError:
                raise Refused(f"{name}_{bound} must be a number", 422) from None
            value = getattr(stats(), figure)
            if value < limit if bound == "min" else value > limit:
                return False
    return True


def _flag(call: Call, name: str, default: bool) -> bool:
    value = call.one(name).lower()
    if value not in ("", "true", "false"):
        raise Refused(f"{name} must be true or false", 422)
    return default if not value else value == "true"


def _time(call: Call, name: str) -> int:
    try:
        return parse(call.one(name))
    except ValueError:
        raise Refused(f"{name} is not a time", 422) from None


def _integer(call: Call, name: str, default: int) -> int:
    value = call.one(name)
    if not value:
        return default
    if not value.isdecimal():
        raise Refused(f"{name} must be a non-negative integer", 422)
    return int(value)


def _limit(call: Call) -> int:
    return min(max(_integer(call, "limit", _DEFAULT), 1), _MOST)


def _encode(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _decode(cursor: str) -> list[Any]:
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor))
    except ValueError:
        place = None
    if not isinstance(place, list):
        raise Refused("after_cursor is not valid", 422)
    return place

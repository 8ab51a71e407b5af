"""Markets, events and tags as Gamma writes them: lists inside strings, absent instead of null, four ways to write a time."""

import json
import re
import zlib
from collections.abc import Iterable
from typing import Any

from actors.sandbox.api.clob_objects import BASE_FEE
from actors.sandbox.api.numbers import plain
from actors.sandbox.api.times import day, rfc3339, spaced
from actors.sandbox.records import EventRecord, MarketRecord, MarketStats
from actors.sandbox.venue import Venue
from agents.money import ONE, Micro, text

#: One market in so many shows best prices that are up to `_STALE` wall milliseconds old, as a cached Gamma does.
_STALE_ONE_IN = 7
_STALE = 60_000


class GammaObjects:
    """Writes Gamma's objects of one venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._exchange = venue.exchange
        self._quotes: dict[str, tuple[int, dict[str, Any]]] = {}

    def market(self, record: MarketRecord, *, tagged: bool = False, in_event: bool = False) -> dict[str, Any]:
        """Write a market; within an event it does not repeat the event."""
        stats = self._exchange.stats(record.condition_id)
        content: dict[str, Any] = {
            "id": record.id,
            "question": record.question,
            "conditionId": record.condition_id,
            "slug": record.slug,
            "resolutionSource": "",
            "startDate": rfc3339(record.start),
            "category": record.category,
            "description": record.description,
            "outcomes": json.dumps(record.outcomes, ensure_ascii=False),
            "outcomePrices": json.dumps([text(price) for price in stats.outcome_prices]),
            "volume": text(stats.volume),
            "active": True,
            "closed": record.closed,
            "marketMakerAddress": "",
            "createdAt": rfc3339(record.created),
            "updatedAt": rfc3339(self._venue.now),
            "new": False,
            "featured": False,
            "archived": False,
            "restricted": True,
            "groupItemTitle": record.group_item_title,
            "questionID": record.question_id,
            "enableOrderBook": True,
            "orderPriceMinTickSize": plain(record.tick),
            "orderMinSize": plain(record.min_size),
            "volumeNum": plain(stats.volume),
            "volumeClob": plain(stats.volume),
            "startDateIso": day(record.start),
            "hasReviewedDates": True,
            "clobTokenIds": json.dumps(record.tokens),
            "comboStatus": "disabled",
            "acceptingOrders": record.accepting_orders,
            "negRisk": record.neg_risk,
            "acceptingOrdersTimestamp": rfc3339(record.created),
            "cyom": False,
            "approved": True,
            "negRiskOther": False,
            "umaResolutionStatuses": json.dumps(["proposed"] if record.uma_status else []),
            "rfqEnabled": False,
            "holdingRewardsEnabled": False,
            "feesEnabled": bool(record.fee.rate),
            "version": "v1",
        }
        content |= self._state(record, stats) | _optional(record)
        if not in_event and (event := self._exchange.event(record.event_id)):
            content["events"] = [self.event(event, whole=False)]
        if tagged:
            content["tags"] = [tag(label, rfc3339(record.created)) for label in record.tags]
        return content

    def _state(self, record: MarketRecord, stats: MarketStats) -> dict[str, Any]:
        """Return what changes with trading and with resolution."""
        content: dict[str, Any] = {}
        if stats.volume_24h:
            content |= {"volume24hr": plain(stats.volume_24h), "volume24hrClob": plain(stats.volume_24h)}
        if stats.last_price is not None:
            content["lastTradePrice"] = plain(stats.last_price)
        if record.uma_status:
            content["umaResolutionStatus"] = record.uma_status
        if not record.closed:
            content |= {
                "liquidity": text(stats.liquidity),
                "liquidityNum": plain(stats.liquidity),
                "liquidityClob": plain(stats.liquidity),
            }
            return content | self._quote(record, stats)
        if record.resolved_at is not None:
            content |= {"closedTime": spaced(record.resolved_at), "umaEndDate": rfc3339(record.resolved_at)}
        return content | {"automaticallyResolved": True}

    def _quote(self, record: MarketRecord, stats: MarketStats) -> dict[str, Any]:
        wall = self._exchange.floor.wall_ms()
        if int(record.id) % _STALE_ONE_IN:
            return _quote(stats)
        written, quote = self._quotes.get(record.condition_id, (0, {}))
        if wall - written >= _STALE:
            quote = _quote(stats)
            self._quotes[record.condition_id] = (wall, quote)
        return quote

    def event(self, event: EventRecord, *, whole: bool = True) -> dict[str, Any]:
        """Write an event, with its markets and tags if `whole`."""
        records = [record for id in event.condition_ids if (record := self._exchange.market(id))]
        figures = [self._exchange.stats(record.condition_id) for record in records]
        liquidity = sum(stats.liquidity for stats in figures)
        content: dict[str, Any] = {
            "id": event.id,
            "ticker": event.slug,
            "slug": event.slug,
            "title": event.title,
            "startDate": rfc3339(event.start),
            "creationDate": rfc3339(event.created),
            "active": True,
            "closed": all(record.closed for record in records),
            "archived": False,
            "new": False,
            "featured": False,
            "restricted": True,
            "liquidity": plain(liquidity),
            "volume": plain(sum(stats.volume for stats in figures)),
            "volume24hr": plain(sum(stats.volume_24h for stats in figures)),
            "openInterest": plain(self._open_interest(records)),
            "category": event.category,
            "createdAt": rfc3339(event.created),
            "updatedAt": rfc3339(self._venue.now),
            "enableOrderBook": True,
            "liquidityClob": plain(liquidity),
            "negRisk": event.neg_risk,
            "commentCount": 0,
            "cyom": False,
            "showAllOutcomes": True,
            "enableNegRisk": event.neg_risk,
            "negRiskAugmented": False,
            "version": "v1",
        }
        if event.end is not None:
            content["endDate"] = rfc3339(event.end)
        if event.neg_risk:
            content["negRiskMarketID"] = event.neg_risk_market_id
        if whole:
            content["description"] = records[0].description if records else ""
            content["markets"] = [self.market(record, in_event=True) for record in records]
            content["tags"] = [tag(label, rfc3339(event.created)) for label in event.tags]
        return content

    def _open_interest(self, records: Iterable[MarketRecord]) -> Micro:
        listings = self._exchange.floor.listings
        return sum(listings[record.condition_id].collateral for record in records)


def tag_id(label: str) -> str:
    """Return a tag's id: a number that its label decides."""
    return str(100_000 + zlib.crc32(label.lower().encode()) % 900_000)


def tag_slug(label: str) -> str:
    """Return a tag's slug."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")


def tag(label: str, created: str) -> dict[str, Any]:
    """Write a tag."""
    return {
        "id": tag_id(label),
        "label": label,
        "slug": tag_slug(label),
        "createdAt": created,
        "updatedAt": created,
        "requiresTranslation": False,
    }


def _optional(record: MarketRecord) -> dict[str, Any]:
    """Return the fields that only some markets have."""
    content: dict[str, Any] = {}
    if record.end is not None:
        content |= {"endDate": rfc3339(record.end), "endDateIso": day(record.end)}
    if record.fee.rate:
        content |= {
            "makerBaseFee": BASE_FEE,
            "takerBaseFee": BASE_FEE,
            "feeType": f"{tag_slug(record.category).replace('-', '_')}_fees",
            "feeSchedule": {
                "exponent": record.fee.exponent,
                "rate": float(record.fee.rate),
                "takerOnly": True,
                "rebateRate": 0.25,
            },
        }
    if record.neg_risk:
        content |= {"negRiskMarketID": record.neg_risk_market_id, "negRiskRequestID": record.question_id}
    if record.seconds_delay:
        content["secondsDelay"] = record.seconds_delay
    return content


def _quote(stats: MarketStats) -> dict[str, Any]:
    """Return best prices as Gamma shows them: an empty side is the end of the price range, and is left out at zero."""
    bid, ask = stats.best_bid or 0, ONE if stats.best_ask is None else stats.best_ask
    content = {"spread": plain(ask - bid), "bestBid": plain(bid), "bestAsk": plain(ask)}
    return content if bid else {"spread": content["spread"], "bestAsk": content["bestAsk"]}

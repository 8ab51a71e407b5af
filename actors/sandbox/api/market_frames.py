"""Frames of the market channel; every number is a string, times are wall milliseconds."""

from collections.abc import Mapping
from typing import Any

from actors.sandbox.api.clob_objects import base_fee
from actors.sandbox.records import (
    BookChanged,
    EventRecord,
    MarketOpened,
    MarketRecord,
    MarketResolved,
    TickSizeChanged,
    TradeDone,
)
from agents.money import ONE, Micro, text

#: The share of taker fees that goes back to makers, as announcements show it.
_REBATE_RATE = "0.25"


def price_change(change: BookChanged, market: MarketRecord, hashes: Mapping[str, str]) -> dict[str, Any]:
    """Write levels that changed, of both tokens in one frame; `hashes` are those of the books after it."""
    rows = []
    for level in change.changes:
        bid, ask = change.best[market.index(level.token_id)]
        rows.append(
            {
                "asset_id": level.token_id,
                "price": text(level.price),
                "size": text(level.size),
                "side": str(level.side),
                "hash": hashes[level.token_id],
                "best_bid": text(bid or 0),
                "best_ask": text(ONE if ask is None else ask),
            }
        )
    return {
        "market": change.condition_id,
        "price_changes": rows,
        "timestamp": str(change.timestamp),
        "event_type": "price_change",
    }


def best_bid_ask(condition_id: str, token_id: str, best: tuple[Micro | None, Micro | None], timestamp: int) -> dict[str, Any]:
    """Write a token's best prices; a side that is empty is an empty string."""
    bid, ask = best
    return {
        "market": condition_id,
        "asset_id": token_id,
        "best_bid": "" if bid is None else text(bid),
        "best_ask": "" if ask is None else text(ask),
        "spread": "" if bid is None or ask is None else text(ask - bid),
        "timestamp": str(timestamp),
        "event_type": "best_bid_ask",
    }


def last_trade_price(done: TradeDone) -> dict[str, Any]:
    """Write a trade as its taker made it."""
    taker = done.trade.taker
    return {
        "market": done.trade.condition_id,
        "asset_id": taker.token_id,
        "price": text(taker.price),
        "size": text(done.trade.size),
        "fee_rate_bps": "0",
        "side": str(taker.side),
        "timestamp": str(done.timestamp),
        "event_type": "last_trade_price",
        "transaction_hash": done.trade.transaction_hash,
    }


def tick_size_change(change: TickSizeChanged, token_id: str) -> dict[str, Any]:
    """Write a token's new price grid."""
    return {
        "market": change.market.condition_id,
        "asset_id": token_id,
        "old_tick_size": text(change.old_tick),
        "new_tick_size": text(change.new_tick),
        "timestamp": str(change.timestamp),
        "event_type": "tick_size_change",
    }


def new_market(opened: MarketOpened, event: EventRecord | None) -> dict[str, Any]:
    """Write that a market opened."""
    market = opened.market
    return {
        "id": market.id,
        "question": market.question,
        "market": market.condition_id,
        "slug": market.slug,
        "description": market.description,
        "assets_ids": list(market.tokens),
        "outcomes": list(market.outcomes),
        "event_message": _event_message(market, event),
        "timestamp": str(opened.timestamp),
        "event_type": "new_market",
        "tags": list(market.tags),
        "condition_id": market.condition_id,
        "active": market.accepting_orders,
        "clob_token_ids": list(market.tokens),
        "sports_market_type": "",
        "line": "",
        "game_start_time": "",
        "order_price_min_tick_size": text(market.tick),
        "group_item_title": market.group_item_title,
        "taker_base_fee": str(base_fee(market)),
        "fees_enabled": bool(market.fee.rate),
        "fee_schedule": {
            "exponent": str(market.fee.exponent),
            "rate": str(market.fee.rate),
            "taker_only": True,
            "rebate_rate": _REBATE_RATE,
        },
    }


def market_resolved(resolved: MarketResolved, event: EventRecord | None) -> dict[str, Any]:
    """Write how a market resolved; where the payouts are fractions, nobody won."""
    market = resolved.market
    winner = market.payouts.index(ONE) if market.payouts and ONE in market.payouts else None
    return {
        "id": market.id,
        "market": market.condition_id,
        "assets_ids": list(market.tokens),
        "winning_asset_id": "" if winner is None else market.tokens[winner],
        "winning_outcome": "" if winner is None else market.outcomes[winner],
        "event_message": _event_message(market, event),
        "timestamp": str(resolved.timestamp),
        "tags": list(market.tags),
        "event_type": "market_resolved",
    }


def _event_message(market: MarketRecord, event: EventRecord | None) -> dict[str, Any]:
    return {
        "id": market.event_id,
        "ticker": market.event_slug,
        "slug": market.event_slug,
        "title": event.title if event else market.event_title,
        "description": market.description,
    }

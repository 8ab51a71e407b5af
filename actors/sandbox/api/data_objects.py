"""Positions, trades, activity, resolutions and tokens as the Data API writes them; amounts are JSON numbers."""

from typing import Any

from actors.sandbox.api.times import day
from actors.sandbox.records import (
    ActivityKind,
    ActivityRecord,
    MarketRecord,
    MarketStats,
    PositionRecord,
    TradeRecord,
    TradeSide,
)
from agents.money import ONE, Micro, notional, number

#: The outcome index of rows that are of no outcome.
_NONE = 999
_NOBODY = {"name": "", "pseudonym": "", "bio": "", "profile_image": "", "profile_image_optimized": ""}


def position(owner: str, held: PositionRecord, market: MarketRecord, stats: MarketStats, *, mergeable: bool) -> dict[str, Any]:
    """Write a position. `entry_cost_usdc` is without fees, and of what is held now."""
    index = market.index(held.token_id)
    price = stats.outcome_prices[index]
    value = notional(held.size, price)
    unrealized = value - held.cost
    return {
        "proxy_wallet": owner,
        "token_id": held.token_id,
        "condition_id": held.condition_id,
        "current_size": number(held.size),
        "avg_price": number(held.average),
        "entry_cost_usdc": number(held.cost),
        "entry_fees_usdc": number(held.fees),
        "total_cost_usdc": number(held.cost + held.fees),
        "current_price": number(price),
        "current_value": number(value),
        "total_size": number(held.total_size),
        "realized_pnl": number(held.realized),
        "unrealized_pnl": number(unrealized),
        "total_pnl": number(held.realized + unrealized),
        "percent_pnl": _percent(unrealized, held.cost),
        "percent_realized_pnl": _percent(held.realized, held.total_cost),
        "status": status(held, market),
        "redeemable": market.payouts is not None and held.size > 0,
        "mergeable": mergeable,
        "negative_risk": market.neg_risk,
        "archived": False,
        "title": market.question,
        "slug": market.slug,
        "icon": "",
        "event_id": market.event_id,
        "event_slug": market.event_slug,
        "outcome": market.outcomes[index],
        "outcome_index": index,
        "opposite_outcome": market.outcomes[1 - index],
        "opposite_token_id": market.tokens[1 - index],
        "end_date": day(market.end) if market.end is not None else "",
        "last_event_at": held.last_at // 1000,
        "first_entry_at": held.first_at // 1000,
        "name": "",
        "profile_image": "",
        "verified": False,
    }


def status(held: PositionRecord, market: MarketRecord) -> str:
    """Return a position's status: OPEN, REDEEMABLE (even if it pays nothing) or CLOSED."""
    if held.size <= 0:
        return "CLOSED"
    return "REDEEMABLE" if market.payouts is not None else "OPEN"


def trade(record: TradeRecord, side: TradeSide, market: MarketRecord) -> dict[str, Any]:
    """Write one side of a trade."""
    return {
        "proxy_wallet": side.owner,
        "side": str(side.side),
        "token_id": side.token_id,
        "condition_id": record.condition_id,
        "size": number(record.size),
        "price": number(side.price),
        "timestamp": record.match_wall // 1000,
        "title": market.question,
        "slug": market.slug,
        "icon": "",
        "event_slug": market.event_slug,
        "outcome": side.outcome,
        "outcome_index": market.index(side.token_id),
        **_NOBODY,
        "transaction_hash": record.transaction_hash,
    }


def activity(record: ActivityRecord, market: MarketRecord | None) -> dict[str, Any]:
    """Write one line of an account's history; only trades are of one token."""
    traded = market is not None and record.kind is ActivityKind.TRADE
    return {
        "proxy_wallet": record.owner,
        "timestamp": record.timestamp // 1000,
        "condition_id": record.condition_id,
        "type": str(record.kind),
        "size": number(record.size if market else record.cash),
        "usdc_size": number(record.cash),
        "transaction_hash": record.transaction_hash,
        "price": number(record.price) if traded else 0.0,
        "token_id": record.token_id if traded else "",
        "side": str(record.side) if traded else "",
        "outcome_index": market.index(record.token_id) if market and traded else _NONE,
        "title": market.question if market else "",
        "slug": market.slug if market else "",
        "icon": "",
        "event_slug": market.event_slug if market else "",
        "outcome": market.outcome(record.token_id) if market and traded else "",
        **_NOBODY,
    }


def resolution(market: MarketRecord, now: int) -> dict[str, Any]:
    """Write how far the resolution of a market is. `now` in venue milliseconds."""
    content: dict[str, Any] = {
        "question_id": market.question_id,
        "condition_id": market.condition_id,
        "status": market.uma_status or "initialized",
        "extended_review": False,
        "was_disputed": False,
        "new_version_q": False,
        "proposed_price": "69",
        "reproposed_price": "69",
        "price": "69",
        "transaction_hash": "",
        "log_index": "",
        "last_update_timestamp": (now if market.resolved_at is None else market.resolved_at) // 1000,
        "market_type": "INCREMENTAL_NEGRISK" if market.neg_risk else "BINARY",
    }
    if market.payouts is None or market.resolved_at is None:
        return content
    first = number(market.payouts[0])
    return content | {
        "proposed_price": first,
        "price": first,
        "payouts": list(market.payouts),
        "resolution_source": "reported",
        "reporter": "UMA_OO",
        "was_arbitrated": False,
        "resolved_at": market.resolved_at // 1000,
    }


def token(market: MarketRecord, index: int) -> dict[str, Any]:
    """Write what a token is."""
    return {
        "token_id": market.tokens[index],
        "condition_id": market.condition_id,
        "structural_condition_id": None,
        "module": "v1_ctf",
        "outcome_index": index,
        "clob_index": index,
        "outcome": market.outcomes[index],
        "opposite_token_id": market.tokens[1 - index],
        "resolved": market.payouts is not None,
        "final_price": number(market.payouts[index]) if market.payouts else None,
        "title": market.question,
        "market_slug": market.slug,
        "closed": market.closed,
        "neg_risk": market.neg_risk,
        "neg_risk_market_id": market.neg_risk_market_id or None,
        "question_index": None,
        "event_id": int(market.event_id),
        "event_slug": market.event_slug,
    }


def _percent(part: Micro, whole: Micro) -> float:
    return round(part * 100 * ONE // whole / ONE, 4) if whole else 0.0

"""Markets as the CLOB writes them: whole, simplified, and in the abbreviated form that order builders read."""

from typing import Any

from actors.sandbox.api.numbers import plain
from actors.sandbox.api.times import rfc3339
from actors.sandbox.records import MarketRecord, MarketStats
from agents.money import ONE

#: The legacy base fee that fee-charging markets show; it means nothing.
BASE_FEE = 1000


def base_fee(market: MarketRecord) -> int:
    """Return the legacy base fee."""
    return BASE_FEE if market.fee.rate else 0


def market(record: MarketRecord, stats: MarketStats) -> dict[str, Any]:
    """Write a market as `/markets` does."""
    fee = base_fee(record)
    return {
        "enable_order_book": True,
        "active": True,
        "closed": record.closed,
        "archived": False,
        "accepting_orders": record.accepting_orders,
        "accepting_order_timestamp": rfc3339(record.created),
        "minimum_order_size": plain(record.min_size),
        "minimum_tick_size": plain(record.tick),
        "condition_id": record.condition_id,
        "question_id": record.question_id,
        "question": record.question,
        "description": record.description,
        "market_slug": record.slug,
        "end_date_iso": rfc3339(record.end) if record.end is not None else None,
        "game_start_time": None,
        "seconds_delay": record.seconds_delay,
        "fpmm": "",
        "maker_base_fee": fee,
        "taker_base_fee": fee,
        "notifications_enabled": True,
        "neg_risk": record.neg_risk,
        "neg_risk_market_id": record.neg_risk_market_id,
        "neg_risk_request_id": record.question_id if record.neg_risk else "",
        "icon": "",
        "image": "",
        "rewards": _rewards(),
        "is_50_50_outcome": record.payouts == (ONE // 2, ONE // 2),
        "tokens": _tokens(record, stats),
        "tags": [*record.tags, "All"],
    }


def simplified(record: MarketRecord, stats: MarketStats) -> dict[str, Any]:
    """Write a market as `/simplified-markets` does."""
    return {
        "condition_id": record.condition_id,
        "rewards": _rewards(),
        "tokens": _tokens(record, stats),
        "active": True,
        "closed": record.closed,
        "archived": False,
        "accepting_orders": record.accepting_orders,
    }


def terms(record: MarketRecord) -> dict[str, Any]:
    """Write what an order builder must know, as `/clob-markets` does; what is false or zero is left out."""
    content: dict[str, Any] = {
        "r": {"mi": 0, "ma": 0, "moas": 0, "e": False},
        "t": [{"t": token, "o": outcome} for token, outcome in zip(record.tokens, record.outcomes, strict=True)],
        "c": record.condition_id,
        "mos": plain(record.min_size),
        "mts": plain(record.tick),
    }
    if record.fee.rate:
        content |= {"mbf": BASE_FEE, "tbf": BASE_FEE, "fd": {"r": float(record.fee.rate), "e": record.fee.exponent, "to": True}}
    content |= {"ao": record.accepting_orders, "aot": rfc3339(record.created), "cbos": True, "v": "v1"}
    if record.neg_risk:
        content["nr"] = True
    if record.seconds_delay:
        content["sd"] = record.seconds_delay
    elif record.taker_delay:
        content["itode"] = True
    return content


def _tokens(record: MarketRecord, stats: MarketStats) -> list[dict[str, Any]]:
    return [
        {
            "token_id": token,
            "outcome": outcome,
            "price": plain(price),
            "winner": record.payouts is not None and price == ONE,
        }
        for token, outcome, price in zip(record.tokens, record.outcomes, stats.outcome_prices, strict=True)
    ]


def _rewards() -> dict[str, Any]:
    return {"rates": None, "min_size": 0, "max_spread": 0}

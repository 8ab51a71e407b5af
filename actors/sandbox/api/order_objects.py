"""Orders and trades as the venue writes them: REST objects and user channel frames."""

from typing import Any

from actors.sandbox.accounts import HOUSE
from actors.sandbox.api.chain import checksum
from actors.sandbox.records import OrderRecord, OrderState, Placed, TradeRecord, TradeSide
from agents.money import text

#: The API key that the house's own orders show: theirs are none of the exchange's.
_HOUSE_KEY = "00000000-0000-4000-8000-000000000000"

_ENDS = {"market resolved": "CANCELED_MARKET_RESOLVED"}


def placed(result: Placed) -> dict[str, Any]:
    """Write the answer to a new order. The hashes of its trades come later, with the trades."""
    return {
        "errorMsg": "",
        "orderID": result.order_id,
        "takingAmount": text(result.taking_amount) if result.taking_amount else "",
        "makingAmount": text(result.making_amount) if result.making_amount else "",
        "status": result.status,
        "transactionsHashes": [],
        "tradeIDs": list(result.trade_ids),
        "success": True,
    }


def refused(message: str) -> dict[str, Any]:
    """Write the answer to one order of a batch that was refused; `success` is true all the same."""
    return {
        "errorMsg": message,
        "orderID": "",
        "takingAmount": "",
        "makingAmount": "",
        "status": "",
        "transactionsHashes": [],
        "tradeIDs": [],
        "success": True,
    }


def order(record: OrderRecord) -> dict[str, Any]:
    """Write an order as `/data/order` does."""
    return {
        "id": record.order_id,
        "status": status(record),
        "owner": record.api_key,
        "maker_address": checksum(record.owner),
        "market": record.condition_id,
        "asset_id": record.token_id,
        "side": str(record.side),
        "original_size": text(record.size),
        "size_matched": text(record.matched),
        "price": text(record.price),
        "outcome": record.outcome,
        "expiration": str(record.expiration),
        "order_type": str(record.order_type),
        "associate_trades": list(record.trade_ids),
        "created_at": record.created_wall // 1000,
    }


def order_frame(kind: str, record: OrderRecord, timestamp: int) -> dict[str, Any]:
    """Write an order's change as the user channel does. `kind` is PLACEMENT, UPDATE or CANCELLATION."""
    return {
        "id": record.order_id,
        "owner": record.api_key,
        "market": record.condition_id,
        "asset_id": record.token_id,
        "side": str(record.side),
        "order_owner": record.api_key,
        "original_size": text(record.size),
        "size_matched": text(record.matched),
        "price": text(record.price),
        "associate_trades": list(record.trade_ids),
        "outcome": record.outcome,
        "type": kind,
        "created_at": str(record.created_wall // 1000),
        "expiration": str(record.expiration),
        "order_type": str(record.order_type),
        "status": status(record),
        "maker_address": checksum(record.owner),
        "timestamp": str(timestamp),
        "event_type": "order",
    }


def status(record: OrderRecord) -> str:
    """Return an order's status in the venue's words; a cancellation carries its reason."""
    if record.state is OrderState.EXPIRED:
        return "CANCELED_EXPIRED_ORDER"
    return _ENDS.get(record.reason, str(record.state)) if record.state is OrderState.CANCELED else str(record.state)


def trade(record: TradeRecord, *, maker: bool) -> dict[str, Any]:
    """Write a trade as `/data/trades` does, to its taker or to its maker."""
    taker = record.taker
    return {
        "id": record.trade_id,
        "taker_order_id": taker.order_id,
        "market": record.condition_id,
        "asset_id": taker.token_id,
        "side": str(taker.side),
        "size": text(record.size),
        "fee_rate_bps": "0",
        "price": text(taker.price),
        "status": str(record.status),
        "match_time": str(record.match_wall // 1000),
        "last_update": str(record.update_wall // 1000),
        "outcome": taker.outcome,
        "bucket_index": 0,
        "owner": _key(taker),
        "maker_address": checksum(taker.owner),
        "transaction_hash": record.transaction_hash,
        "maker_orders": [_maker_order(record)],
        "trader_side": "MAKER" if maker else "TAKER",
    }


def trade_frame(record: TradeRecord, timestamp: int, *, maker: bool) -> dict[str, Any]:
    """Write a trade as the user channel does."""
    return {
        "type": "TRADE",
        **trade(record, maker=maker),
        "trade_owner": _key(record.maker if maker else record.taker),
        "timestamp": str(timestamp),
        "event_type": "trade",
    }


def _maker_order(record: TradeRecord) -> dict[str, Any]:
    side = record.maker
    return {
        "order_id": side.order_id,
        "owner": _key(side),
        "maker_address": checksum(side.owner),
        "matched_amount": text(record.size),
        "price": text(side.price),
        "fee_rate_bps": "0",
        "asset_id": side.token_id,
        "outcome": side.outcome,
        "side": str(side.side),
    }


def _key(side: TradeSide) -> str:
    return _HOUSE_KEY if side.owner in HOUSE else side.api_key

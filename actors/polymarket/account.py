"""What the venue says of an account: its orders and trades, in our own terms.

The venue writes them in two forms (REST objects and user channel frames, with more or fewer fields over the years); the
library's models are read through their field names, raw objects through the wire's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from actors.polymarket.schema import amount
from agents.model import Side
from agents.money import Micro, micro

_PREFIXES = ("TRADE_STATUS_", "ORDER_STATUS_")


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue has it; `status` is upper-case (LIVE, MATCHED, DELAYED, UNMATCHED, CANCELED..., INVALID)."""

    id: str
    condition_id: str
    token_id: str
    side: Side
    price: Micro
    size: Micro
    matched: Micro
    status: str


@dataclass(frozen=True, slots=True)
class Leg:
    """One order's part in a trade; `owner` is the API key that placed it, `address` the wallet."""

    order_id: str
    owner: str
    address: str
    token_id: str
    side: Side
    price: Micro
    size: Micro


@dataclass(frozen=True, slots=True)
class VenueTrade:
    """A match of one taker with its makers, who may be on the other token. `matched_at` is wall epoch seconds.

    `maker_only`: the venue says that who asked had no part in it as its taker.
    """

    id: str
    condition_id: str
    status: str
    tx_hash: str
    matched_at: int
    taker: Leg
    makers: tuple[Leg, ...]
    maker_only: bool = False


def parse_order(fields: Mapping[str, Any]) -> VenueOrder:
    """Read an order. Raises KeyError or ValueError where it is not one."""
    return VenueOrder(
        id=fields["id"],
        condition_id=fields["market"],
        token_id=str(fields["asset_id"]),
        side=Side(fields["side"].upper()),
        price=amount(fields["price"]),
        size=micro(fields["original_size"]),
        matched=micro(fields["size_matched"]),
        status=_order_status(fields),
    )


def parse_trade(fields: Mapping[str, Any]) -> VenueTrade:
    """Read a trade. Raises KeyError or ValueError where it is not one."""
    taker = Leg(
        order_id=fields["taker_order_id"],
        owner=fields.get("owner") or "",
        address=(fields.get("maker_address") or "").lower(),
        token_id=str(fields["asset_id"]),
        side=Side(fields["side"].upper()),
        price=amount(fields["price"]),
        size=micro(fields["size"]),
    )
    return VenueTrade(
        id=fields["id"],
        condition_id=fields["market"],
        status=_plain(fields["status"]),
        tx_hash=fields.get("transaction_hash") or "",
        matched_at=_seconds(fields.get("match_time") or fields.get("matched_at") or fields.get("matchtime")),
        taker=taker,
        makers=tuple(_maker(maker, taker) for maker in fields.get("maker_orders") or ()),
        maker_only=fields.get("trader_side") == "MAKER",
    )


def _maker(fields: Mapping[str, Any], taker: Leg) -> Leg:
    token_id = str(fields["asset_id"])
    if fields.get("side"):
        side = Side(fields["side"].upper())
    else:  # Old frames leave it out: on the taker's token it is the other side, on the other token the same.
        side = taker.side.opposite if token_id == taker.token_id else taker.side
    return Leg(
        order_id=fields["order_id"],
        owner=fields.get("owner") or "",
        address=(fields.get("maker_address") or "").lower(),
        token_id=token_id,
        side=side,
        price=amount(fields["price"]),
        size=micro(fields["matched_amount"]),
    )


def _order_status(fields: Mapping[str, Any]) -> str:
    status = _plain(fields.get("status") or "LIVE")
    cancelled = "CANCELLATION" in (fields.get("type"), fields.get("order_event_type"))
    # A cancellation's frame may carry its reason where the status belongs.
    return status if not cancelled or status.startswith("CANCEL") else "CANCELED"


def _plain(status: Any) -> str:
    text = str(getattr(status, "value", status)).upper()
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    return text


def _seconds(moment: Any) -> int:
    if moment is None:
        return 0
    return int(moment.timestamp()) if isinstance(moment, datetime) else int(moment)

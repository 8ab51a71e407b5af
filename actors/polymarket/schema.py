"""What the venue's public endpoints send, read into our own exact model.

The venue's JSON is loose: lists that are strings, numbers that are strings or floats, absent fields, four ways to write
a date. Everything is parsed with `loads`, which keeps decimals exact, and read here once.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from agents.model import FeeSchedule, Market, Side
from agents.money import ONE, Micro
from agents.unicode import may_be_torn, repaired

_RESOLVED_STATUSES = frozenset({"resolved", "settled"})
_DEFAULT_TICK: Micro = 10_000
_DEFAULT_MIN_SIZE: Micro = 5 * ONE
#: Characters of a market's rules that are kept.
_RULES = 6000


class SchemaError(ValueError):
    """Raised when an object of the venue lacks what we cannot do without."""


def loads(text: str | bytes) -> Any:
    """Parse JSON with exact decimals in place of floats, and without halves of characters. Raises ValueError."""
    said = text if isinstance(text, str) else text.decode(errors="replace")
    content = json.loads(said, parse_float=Decimal)
    return repaired(content) if may_be_torn(said) else content


def dumps(content: object) -> str:
    """Write compact JSON."""
    return json.dumps(content, separators=(",", ":"))


def amount(value: Any) -> Micro:
    """Read a price or size (a string or number) as millionths; digits beyond the sixth are rounded.

    Raises:
        SchemaError: if it is not a finite number.
    """
    try:
        scaled = Decimal(str(value)) * ONE
        return int(scaled.to_integral_value(ROUND_HALF_EVEN))
    except (InvalidOperation, ValueError, OverflowError):
        raise SchemaError(f"{value!r} is not a number") from None


def optional_amount(value: Any) -> Micro | None:
    """Read a price or size that may be absent, null or empty."""
    return None if value is None or value == "" else amount(value)


def strings(value: Any) -> tuple[str, ...]:
    """Read a list of strings that may be an array, a JSON text of one, empty or absent."""
    if isinstance(value, str):
        try:
            value = loads(value) if value else ()
        except json.JSONDecodeError:
            raise SchemaError(f"{value[:60]!r} is not a list") from None
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise SchemaError(f"{value!r} is not a list")
    return tuple(str(item) for item in value)


def millis(value: Any) -> int | None:
    """Read a time as epoch milliseconds: RFC 3339, "2026-09-09 14:25:04+00", a bare date, or epoch seconds or milliseconds.

    Absent, empty and unreadable times are None: none of them decides about money.
    """
    if value is None or value == "" or isinstance(value, bool):
        return None
    if isinstance(value, int | float | Decimal) or str(value).isdigit():
        number = int(value)
        return number if number >= 100_000_000_000 else number * 1000
    try:
        parsed = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return round(parsed.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Listing:
    """A market as Gamma lists it: our model of it, and what decides whether it can be traded."""

    market: Market
    active: bool
    enable_order_book: bool
    oracle_status: str
    placeholder: bool
    fee_known: bool
    event_slug: str = ""
    created: int | None = None
    tag_labels: tuple[str, ...] = ()
    #: The text by which it resolves; agents do not see it, so a change of it is no change of the market.
    rules: str = field(default="", compare=False)

    def tradable(self, now: int) -> bool:
        """Whether orders make sense at a time of the venue's clock.

        An answer proposed to the oracle already takes the book away; `end` is scheduled, yet nothing is begun after it.
        """
        market = self.market
        return (
            self.active
            and not market.closed
            and self.enable_order_book
            and market.accepting_orders
            and not self.placeholder
            and not self.oracle_status
            and (market.end is None or market.end > now)
        )


def listing(row: Mapping[str, Any], event: Mapping[str, Any] | None = None) -> Listing:
    """Read a Gamma market; `event` is the event that it was listed in, if any.

    Raises:
        SchemaError: if it is not a binary market with two tokens.
    """
    try:
        condition_id = str(row["conditionId"])
        identity = str(row["id"])
        question = str(row["question"])
    except KeyError as error:
        raise SchemaError(f"a market without {error.args[0]}") from None
    tokens = strings(row.get("clobTokenIds"))
    if row.get("version") == "v2" and (positions := strings(row.get("positionIds"))):
        tokens = positions
    outcomes = strings(row.get("outcomes"))
    if len(tokens) != 2 or len(outcomes) != 2:
        raise SchemaError(f"market {identity} has {len(outcomes)} outcomes and {len(tokens)} tokens; two of each are needed")
    parent = event or next(iter(row.get("events") or ()), {})
    closed = bool(row.get("closed"))
    status = str(row.get("umaResolutionStatus") or row.get("resolutionStatus") or "").lower()
    if status in ("active", "inactive"):  # Protocol V2's words for "not resolved yet".
        status = ""
    fee, fee_known = _fee(row)
    tags = _tags(row.get("tags")) or _tags(parent.get("tags"))
    return Listing(
        market=Market(
            id=identity,
            condition_id=condition_id,
            question=question,
            slug=str(row.get("slug") or ""),
            tokens=(tokens[0], tokens[1]),
            outcomes=(outcomes[0], outcomes[1]),
            tick=optional_amount(row.get("orderPriceMinTickSize")) or _DEFAULT_TICK,
            min_size=optional_amount(row.get("orderMinSize")) or _DEFAULT_MIN_SIZE,
            fee=fee,
            neg_risk=bool(row.get("negRisk")),
            event_id=str(parent.get("id") or ""),
            event_title=str(parent.get("title") or ""),
            tags=tuple(slug for slug, _ in tags),
            end=millis(row.get("endDate") or row.get("endDateIso")),
            accepting_orders=bool(row.get("acceptingOrders")),
            closed=closed,
            payouts=_final_prices(row) if closed and status in _RESOLVED_STATUSES else None,
        ),
        active=bool(row.get("active")),
        enable_order_book=bool(row.get("enableOrderBook")),
        oracle_status=status,
        placeholder=bool(row.get("negRiskOther")),
        fee_known=fee_known,
        event_slug=str(parent.get("slug") or ""),
        created=millis(row.get("createdAt") or row.get("startDate")),
        tag_labels=tuple(label for _, label in tags),
        rules=str(row.get("description") or "")[:_RULES],
    )


def event_listings(row: Mapping[str, Any]) -> list[Listing]:
    """Read the binary markets of a Gamma event."""
    return readable(row.get("markets") or (), row)


def readable(rows: Iterable[Mapping[str, Any]], event: Mapping[str, Any] | None = None) -> list[Listing]:
    """Read those Gamma markets that are binary and complete, leaving out the others."""
    found = []
    for row in rows:
        try:
            found.append(listing(row, event))
        except SchemaError:
            continue
    return found


def _fee(row: Mapping[str, Any]) -> tuple[FeeSchedule, bool]:
    """Return the fee and whether it is certain. The legacy fields makerBaseFee and takerBaseFee mean nothing."""
    if not row.get("feesEnabled"):
        return FeeSchedule(), True
    schedule = row.get("feeSchedule")
    if not schedule:
        return FeeSchedule(), False
    return FeeSchedule(Decimal(str(schedule["rate"])), int(Decimal(str(schedule["exponent"])))), True


def clob_fee(row: Mapping[str, Any]) -> FeeSchedule:
    """Read the fee of a `/clob-markets` object."""
    details = row.get("fd") or {}
    return FeeSchedule(Decimal(str(details.get("r") or 0)), int(Decimal(str(details.get("e") or 1))))


def _tags(value: Any) -> list[tuple[str, str]]:
    rows = value if isinstance(value, list) else []
    return [
        (str(tag.get("slug") or tag.get("label") or ""), str(tag.get("label") or ""))
        if isinstance(tag, dict)
        else (str(tag), str(tag))
        for tag in rows
    ]


def _final_prices(row: Mapping[str, Any]) -> tuple[Micro, Micro] | None:
    """Return the payouts that Gamma's outcomePrices of a resolved market say, or None if they are no payouts."""
    prices = [amount(price) for price in strings(row.get("outcomePrices"))]
    return (prices[0], prices[1]) if len(prices) == 2 and sum(prices) == ONE else None


def payouts(row: Mapping[str, Any]) -> tuple[str, tuple[Micro, Micro]] | None:
    """Read a row of `/v2/resolutions`: condition id and what a share of each token pays, or None if it is not final."""
    pair = row.get("payouts")
    if row.get("status") != "resolved" or not pair or len(pair) != 2:
        return None
    first, second = (int(Decimal(str(value))) for value in pair)
    return str(row["condition_id"]), (first, second)


@dataclass(frozen=True, slots=True)
class BookFrame:
    """A whole book: REST's answer or a `book` frame. Levels map prices to sizes."""

    condition_id: str
    token_id: str
    timestamp: int
    bids: dict[Micro, Micro]
    asks: dict[Micro, Micro]
    tick: Micro | None = None
    last_trade: Micro | None = None
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One level's new total size (0: gone), and the best prices that the venue saw after it."""

    token_id: str
    side: Side
    price: Micro
    size: Micro
    best_bid: Micro | None = None
    best_ask: Micro | None = None


@dataclass(frozen=True, slots=True)
class PriceChanges:
    """Levels of one market that changed together."""

    condition_id: str
    timestamp: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class LastTrade:
    """A trade as its taker made it; side and size are None and 0, and `tx_hash` empty, where the venue does not say them."""

    condition_id: str
    token_id: str
    price: Micro
    side: Side | None = None
    size: Micro = 0
    tx_hash: str = ""


@dataclass(frozen=True, slots=True)
class TickChange:
    """A market's new tick."""

    condition_id: str
    token_id: str
    tick: Micro


@dataclass(frozen=True, slots=True)
class NewMarket:
    """A market that opened anywhere on the venue."""

    condition_id: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A market that was resolved anywhere on the venue; the winner is only a hint, since payouts may be fractions."""

    condition_id: str
    winning_token: str = ""


Frame = BookFrame | PriceChanges | LastTrade | TickChange | NewMarket | Resolved


def book(row: Mapping[str, Any]) -> BookFrame:
    """Read a book of REST or of the market channel; levels come in any order."""
    return BookFrame(
        condition_id=str(row["market"]),
        token_id=str(row["asset_id"]),
        timestamp=int(row.get("timestamp") or 0),
        bids=_levels(row.get("bids")),
        asks=_levels(row.get("asks")),
        tick=optional_amount(row.get("tick_size")),
        last_trade=optional_amount(row.get("last_trade_price")),
        hash=str(row.get("hash") or ""),
    )


def _levels(rows: Any) -> dict[Micro, Micro]:
    levels = {amount(row["price"]): amount(row["size"]) for row in rows or ()}
    return {price: size for price, size in levels.items() if size > 0}


def frames(text: str | bytes) -> list[Frame]:
    """Read one message of the market channel: an object or an array of them; types that we do not use are left out.

    Raises:
        SchemaError: if it is not such a message.
    """
    try:
        content = loads(text)
        rows = content if isinstance(content, list) else [content]
        return [frame for row in rows if (frame := _frame(row)) is not None]
    except SchemaError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SchemaError(f"unreadable frame {str(text)[:120]!r}: {error!r}") from None


def _frame(row: Mapping[str, Any]) -> Frame | None:
    match row.get("event_type"):
        case "book":
            return book(row)
        case "price_change":
            return _price_changes(row)
        case "last_trade_price":
            return LastTrade(
                str(row["market"]),
                str(row["asset_id"]),
                amount(row["price"]),
                Side(str(row["side"]).upper()) if row.get("side") else None,
                optional_amount(row.get("size")) or 0,
                str(row.get("transaction_hash") or ""),
            )
        case "tick_size_change":
            return TickChange(str(row["market"]), str(row["asset_id"]), amount(row["new_tick_size"]))
        case "new_market":
            tokens = strings(row.get("assets_ids") or row.get("clob_token_ids"))
            return NewMarket(str(row.get("condition_id") or row["market"]), tokens)
        case "market_resolved":
            return Resolved(str(row["market"]), str(row.get("winning_asset_id") or ""))
        case _:
            return None


def _price_changes(row: Mapping[str, Any]) -> PriceChanges:
    """Read both shapes: changes that name their asset, and the older frame of one asset with one change or a list."""
    asset = row.get("asset_id")
    rows = row.get("price_changes") or row.get("changes") or [row]
    return PriceChanges(
        str(row["market"]),
        int(row.get("timestamp") or 0),
        tuple(
            Change(
                str(change.get("asset_id") or asset),
                Side(str(change["side"]).upper()),
                amount(change["price"]),
                amount(change["size"]),
                optional_amount(change.get("best_bid")),
                optional_amount(change.get("best_ask")),
            )
            for change in rows
        ),
    )


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """A trade that anyone can see; `timestamp` in epoch milliseconds."""

    condition_id: str
    token_id: str
    side: Side
    size: Micro
    price: Micro
    timestamp: int
    outcome_index: int | None = field(default=None)


def public_trade(row: Mapping[str, Any]) -> PublicTrade:
    """Read a trade of the Data API in its old (camelCase) or new (snake_case) shape; index 999 means not known."""
    index = row.get("outcome_index", row.get("outcomeIndex"))
    return PublicTrade(
        condition_id=str(row.get("condition_id") or row["conditionId"]),
        token_id=str(row.get("token_id") or row["asset"]),
        side=Side(str(row["side"]).upper()),
        size=amount(row["size"]),
        price=amount(row["price"]),
        timestamp=millis(row["timestamp"]) or 0,
        outcome_index=None if index in (None, 999) else int(index),
    )

"""The Data API (v2): what accounts hold, traded and were paid, and what markets resolved to."""

from collections.abc import Callable, Iterable
from typing import Any

from actors.sandbox.api import data_objects
from actors.sandbox.api.chain import CHAIN_ID, ERC20_APPROVALS, ERC1155_APPROVALS
from actors.sandbox.api.data_pages import conditions, integer, page, window
from actors.sandbox.api.history import INTERVALS, LONGEST, History
from actors.sandbox.api.messages import Call, Operation
from actors.sandbox.api.written import ADDRESS
from actors.sandbox.records import ActivityKind, MarketRecord, PositionRecord, Refused, TradeRecord, TradeSide
from actors.sandbox.venue import Venue
from agents.money import micro, notional, number

_STATUSES = ("OPEN", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE", "CLOSED")
_SORTS = {
    "CURRENT_VALUE": "current_value",
    "PRICE": "current_price",
    "TOKENS": "current_size",
    "UNREALIZED_PNL": "unrealized_pnl",
    "REALIZED_PNL": "realized_pnl",
    "TOTAL_PNL": "total_pnl",
    "TIMESTAMP": "last_event_at",
}
_TYPES = {
    *("TRADE", "SPLIT", "MERGE", "REDEEM", "CONVERSION", "MIGRATION", "DEPOSIT", "WITHDRAWAL"),
    *("REWARD", "MAKER_REBATE", "TAKER_REBATE", "YIELD", "REFERRAL_REWARD", "TIP"),
}
#: Seconds between two points of a history, by its interval, unless told otherwise.
_BUCKETS = {"max": 43_200, "all": 43_200, "1m": 3600, "1w": 1800, "1d": 300, "6h": 60, "1h": 60}
_MOST_POINTS = 10_000


class Data:
    """The operations of the Data API."""

    def __init__(self, venue: Venue, history: History) -> None:
        self._venue = venue
        self._exchange = venue.exchange
        self._history = history

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations."""
        return (
            Operation("GET", "/", lambda call: {"data": "OK"}),
            Operation("GET", "/v2/positions", self.positions),
            Operation("GET", "/v2/trades", self.trades),
            Operation("GET", "/v2/activity", self.activity),
            Operation("GET", "/v2/value", self.value),
            Operation("GET", "/v2/resolutions", self.resolutions),
            Operation("GET", "/v2/prices-history", self.prices),
            Operation("GET", "/v2/tokens", self.tokens),
            Operation("GET", "/v2/oi", self.open_interest),
            Operation("GET", "/v2/approvals", self.approvals),
        )

    def positions(self, call: Call) -> Any:
        """List positions of an account, or of all accounts in one market; without a status, all that are held."""
        wanted, status = self._wanted(call), call.one("status")
        if status and status not in _STATUSES:
            raise Refused(f"status must be one of {', '.join(_STATUSES)}")
        user, title = call.one("user").lower(), call.one("title").lower()
        if not user and len(conditions(call)) != 1:
            raise Refused("user or exactly one condition is required")
        rows = []
        for owner in [user] if user else self._exchange.addresses():
            for held in self._exchange.positions(owner):
                market = self._market(held.condition_id)
                mergeable = min(self._exchange.shares(owner, token).total for token in market.tokens) > 0
                if _in_status(held, market, status, mergeable) and wanted(market) and title in market.question.lower():
                    stats = self._exchange.stats(held.condition_id)
                    rows.append(data_objects.position(owner, held, market, stats, mergeable=mergeable))
        if sort := call.one("sort_by"):
            if sort not in _SORTS:
                raise Refused(f"sort_by must be one of {', '.join(_SORTS)}")
            rows.sort(key=lambda row: row[_SORTS[sort]], reverse=call.one("sort_direction") != "ASC")
        return page(call, rows)

    def trades(self, call: Call) -> Any:
        """List trades, newest first: an account's, or everybody's; only takers' sides unless told otherwise."""
        wanted, side, user = self._wanted(call), call.one("side"), call.one("user").lower()
        start, end = window(call)
        kind, least = call.one("filter_type"), call.one("filter_amount")
        takers = call.one("taker_only") != "false"
        rows = []
        for record, part in self._sides(user, takers, conditions(call)):
            amount = notional(record.size, part.price) if kind == "CASH" else record.size
            if (
                start <= record.match_wall <= end
                and side in ("", part.side)
                and (not least or amount >= _amount(least))
                and wanted(market := self._market(record.condition_id))
            ):
                rows.append(data_objects.trade(record, part, market))
        return page(call, rows)

    def _sides(self, user: str, takers: bool, asked: list[str]) -> Iterable[tuple[TradeRecord, TradeSide]]:
        if user:
            records: Iterable[TradeRecord] = self._exchange.trades(user)
        else:
            ids = asked or [market.condition_id for market in self._exchange.markets()]
            records = (record for id in ids for record in self._exchange.market_trades(id))
        found = [
            (record, part)
            for record in records
            for part in ((record.taker,) if takers else (record.taker, record.maker))
            if user in ("", part.owner)
        ]
        return sorted(found, key=lambda pair: pair[0].match_wall, reverse=True)

    def activity(self, call: Call) -> Any:
        """List what happened to an account; deposits only if they are not excluded."""
        user = call.one("user").lower()
        if not user:
            raise Refused("user is required")
        types = call.listed("type")
        if unknown := [kind for kind in types if kind not in _TYPES]:
            raise Refused(f"unknown activity type: {unknown[0]}")
        asked, side = set(conditions(call)), call.one("side")
        start, end = window(call)
        deposits = call.one("exclude_deposits_withdrawals", "true") == "false"
        rows = [
            data_objects.activity(record, self._exchange.market(record.condition_id))
            for record in self._exchange.activity(user)
            if (not types or record.kind in types)
            and (deposits or record.kind not in (ActivityKind.DEPOSIT, ActivityKind.WITHDRAWAL))
            and (not asked or record.condition_id in asked)
            and side in ("", record.side or "")
            and start <= record.timestamp <= end
        ]
        return page(call, rows[::-1] if call.one("sort_direction") == "ASC" else rows)

    def value(self, call: Call) -> Any:
        """Return what an account's positions are worth."""
        user, asked = call.one("user"), conditions(call)
        if not user:
            raise Refused("user is required")
        total = 0
        for held in self._exchange.positions(user):
            if not asked or held.condition_id in asked:
                market = self._market(held.condition_id)
                price = self._exchange.stats(held.condition_id).outcome_prices[market.index(held.token_id)]
                total += notional(held.size, price)
        return {"data": {"proxy_wallet": user, "value": number(total)}}

    def resolutions(self, call: Call) -> Any:
        """Return how far the resolution of markets is; those that nobody has proposed an answer for are left out."""
        questions, events = call.listed("question_id"), call.listed("event_id")
        asked = conditions(call)
        if sum(map(bool, (questions, events, asked))) != 1:
            raise Refused("provide exactly one of question_id, condition or event_id")
        if asked:
            markets: Iterable[MarketRecord] = (market for id in asked if (market := self._exchange.market(id)))
        else:
            markets = (
                market for market in self._exchange.markets() if market.question_id in questions or market.event_id in events
            )
        return {"data": [data_objects.resolution(market, self._venue.now) for market in markets if market.uma_status]}

    def prices(self, call: Call) -> Any:
        """Return a token's price history: points of whole buckets, then the exact last one."""
        token_id, interval = call.one("token_id"), call.one("interval")
        start, end, moment = (integer(call, name) for name in ("start", "end", "as_of"))
        if not token_id:
            raise Refused("token_id is required")
        if sum(value is not None for value in (interval or None, start, moment)) != 1:
            raise Refused("provide a time component: exactly one of interval, start or as_of")
        if zero := [name for name, value in (("start", start), ("end", end), ("as_of", moment)) if value == 0]:
            raise Refused(f"{zero[0]} must be a positive epoch second")
        now = self._history.now()
        if moment is not None:
            point = self._history.at(token_id, min(moment, now))
            return page(call, [_point(*point, 0)] if point else [], _MOST_POINTS)
        if start is None:
            if interval not in INTERVALS:
                raise Refused(f"interval must be one of {', '.join(INTERVALS)}")
            span = INTERVALS[interval]
            start, end = (self._history.begin(token_id) if span is None else now - span), now
        else:
            end = now if end is None else end
            if end < start:
                raise Refused("'end' must not be before 'start'")
            if end - start > LONGEST:
                raise Refused("'start' to 'end' must span at most 15 days")
        bucket = integer(call, "bucket_seconds") or _BUCKETS.get(interval, 60)
        last = self._history.at(token_id, min(end, now))
        points = self._history.sample(token_id, start, end, bucket)
        rows = [_point(second, price, bucket) for second, price in points if last is None or second != last[0]]
        if last is not None and last[0] >= start:
            rows.append(_point(*last, 0))
        return page(call, rows, _MOST_POINTS)

    def tokens(self, call: Call) -> Any:
        """Return what tokens are, by their ids or by their markets."""
        ids, asked = call.listed("token_id"), call.listed("condition", "condition_id")
        if bool(ids) is bool(asked):
            raise Refused("provide exactly one of token_id or condition")
        rows = [data_objects.token(market, market.index(id)) for id in ids if (market := self._exchange.market_by_token(id))]
        for id in asked:
            if market := self._exchange.market(id):
                rows.extend(data_objects.token(market, index) for index in (0, 1))
        return {"data": rows}

    def open_interest(self, call: Call) -> Any:
        """Return the collateral behind markets, or behind all of them."""
        listings = self._exchange.floor.listings
        asked = conditions(call)
        if not asked:
            total = sum(listing.collateral for listing in listings.values())
            return {"data": [{"condition_id": "GLOBAL", "value": number(total)}]}
        return {"data": [{"condition_id": id, "value": number(listings[id].collateral)} for id in asked if id in listings]}

    def approvals(self, call: Call) -> Any:
        """Say that an account has approved all that trading needs."""
        user = call.one("user")
        if not ADDRESS.fullmatch(user):
            raise Refused("invalid user address")
        rows = [
            {"token": token, "spender": spender, "standard": "ERC20", "approved": True, "amount": "max"}
            for token, spender in ERC20_APPROVALS
        ] + [
            {"token": token, "spender": operator, "standard": "ERC1155", "approved": True}
            for token, operator in ERC1155_APPROVALS
        ]
        return {"data": {"address": user, "chain_id": CHAIN_ID, "contracts": rows}}

    def _wanted(self, call: Call) -> Callable[[MarketRecord], bool]:
        asked, events = set(conditions(call)), set(call.listed("event_id"))
        return lambda market: (not asked or market.condition_id in asked) and (not events or market.event_id in events)

    def _market(self, condition_id: str) -> MarketRecord:
        market = self._exchange.market(condition_id)
        assert market is not None
        return market


def _in_status(held: PositionRecord, market: MarketRecord, status: str, mergeable: bool) -> bool:
    state = data_objects.status(held, market)
    pays = market.payouts is not None and market.payouts[market.index(held.token_id)] > 0
    match status:
        case "":
            return state != "CLOSED"
        case "REDEEMABLE":
            return state == "REDEEMABLE" and pays
        case "REDEEMABLE_LOST":
            return state == "REDEEMABLE" and not pays
        case "MERGEABLE":
            return state == "OPEN" and mergeable
        case _:
            return state == status


def _point(second: int, price: int, resolution: int) -> dict[str, Any]:
    return {"timestamp": second, "price": number(price), "resolution_seconds": resolution}


def _amount(value: str) -> int:
    try:
        return micro(value)
    except ValueError:
        raise Refused("filter_amount must be a number") from None

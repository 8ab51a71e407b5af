"""Price history as the venue samples it: what was in force at each step of a grid, never after now."""

from bisect import bisect_right
from typing import Any

from actors.sandbox.api.messages import Call, Operation
from actors.sandbox.records import Refused
from actors.sandbox.venue import Venue
from agents.money import Micro, number

_DAY = 86_400
#: Seconds that a window may span.
LONGEST = 15 * _DAY
#: Windows by name, in seconds; None is all there is.
INTERVALS: dict[str, int | None] = {
    "max": None,
    "all": None,
    "1m": 30 * _DAY,
    "1w": 7 * _DAY,
    "1d": _DAY,
    "6h": 6 * 3600,
    "1h": 3600,
}
#: The least minutes between two points, by interval.
_COARSEST = {"1m": 10, "1w": 5}
#: `max` gives no more points than this.
_MOST_POINTS = 4300
#: Below this many minutes `max` finds nothing of a resolved market.
_RESOLVED_FIDELITY = 720
_MOST_TOKENS = 20


class History:
    """Prices over the venue's time."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def now(self) -> int:
        """Return the venue's time in epoch seconds."""
        return self._venue.now // 1000

    def sample(self, token_id: str, start: int, end: int, step: int) -> list[tuple[int, Micro]]:
        """Return (epoch second, price) on a grid of `step` seconds in [start, end], oldest first; empty if unknown.

        The grid ends with the market: at its resolution, or now.
        """
        record = self._venue.exchange.market_by_token(token_id)
        if record is None or start > end:
            return []
        known = self._venue.history(token_id, 0, end * 1000)
        if not known:
            return []
        times = [moment for moment, _ in known]
        last = min(end, self.now(), record.resolved_at // 1000 if record.resolved_at is not None else end)
        first = max(start, -(-times[0] // 1000))
        grid = range(-(-first // step) * step, last + 1, step)
        return [(second, known[bisect_right(times, second * 1000) - 1][1]) for second in grid]

    def at(self, token_id: str, second: int) -> tuple[int, Micro] | None:
        """Return the price in force at a second, and that second: of the resolution at the latest; None if unknown."""
        record = self._venue.exchange.market_by_token(token_id)
        known = self._venue.history(token_id, 0, second * 1000) if record else []
        if record is None or not known:
            return None
        return (second if record.resolved_at is None else min(second, record.resolved_at // 1000)), known[-1][1]

    def begin(self, token_id: str) -> int:
        """Return the second in which a token's market was created (0 for an unknown one)."""
        record = self._venue.exchange.market_by_token(token_id)
        return record.created // 1000 if record else 0

    def resolved(self, token_id: str) -> bool:
        """Whether a token's market is resolved."""
        record = self._venue.exchange.market_by_token(token_id)
        return record is not None and record.closed


class ClobHistory:
    """The CLOB's operations on price history."""

    def __init__(self, history: History) -> None:
        self._history = history

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations."""
        return (
            Operation("GET", "/prices-history", self.one),
            Operation("POST", "/batch-prices-history", self.many),
        )

    def one(self, call: Call) -> Any:
        """Return the price history of one token."""
        token_id = call.one("market")
        if not token_id:
            raise Refused("invalid filters: 'market' is required")
        start, end = _number(call.one("startTs"), "startTs"), _number(call.one("endTs"), "endTs")
        fidelity = _number(call.one("fidelity"), "fidelity")
        return {"history": self._points(token_id, call.one("interval"), start, end, fidelity)}

    def many(self, call: Call) -> Any:
        """Return the price history of up to 20 tokens."""
        content = call.json()
        tokens = content.get("markets") if isinstance(content, dict) else None
        if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
            raise Refused("Invalid payload")
        if len(tokens) > _MOST_TOKENS:
            raise Refused(f"invalid filters: at most {_MOST_TOKENS} markets")
        start, end, fidelity = (_number(str(content.get(name) or ""), name) for name in ("start_ts", "end_ts", "fidelity"))
        interval = str(content.get("interval") or "")
        return {"history": {token: self._points(token, interval, start, end, fidelity) for token in tokens}}

    def _points(
        self, token_id: str, interval: str, start: int | None, end: int | None, fidelity: int | None
    ) -> list[dict[str, Any]]:
        history = self._history
        now = history.now()
        minutes = fidelity if fidelity is not None else 1
        _check(interval, start, end, minutes)
        if start is None:
            span = INTERVALS[interval]
            whole = span is None
            if whole and history.resolved(token_id) and minutes < _RESOLVED_FIDELITY:
                return []
            start, end = (history.begin(token_id) if span is None else now - span), now
            if whole:
                start = max(start, now - _MOST_POINTS * minutes * 60)
        else:
            end = now if end is None else end
            if end - start > LONGEST:
                raise Refused("invalid filters: 'startTs' and 'endTs' interval is too long")
        points = history.sample(token_id, start, end, minutes * 60)
        # The venue adds one point of now, even to windows that end before it.
        if points and not history.resolved(token_id) and (latest := history.at(token_id, now)) and points[-1][0] != now:
            points.append((now, latest[1]))
        return [{"t": second, "p": number(price)} for second, price in points]


def _check(interval: str, start: int | None, end: int | None, minutes: int) -> None:
    if interval and interval not in INTERVALS:
        raise Refused(f"invalid filters: 'interval' must be one of {', '.join(INTERVALS)}")
    least = _COARSEST.get(interval, 1)
    if minutes < least:
        raise Refused(f"invalid filters: minimum 'fidelity' for '{interval}' range is {least}")
    if start is None and end is not None:
        raise Refused("invalid filters: 'endTs' needs 'startTs'")
    if start is None and not interval:
        raise Refused("invalid filters: 'interval' or 'startTs' and 'endTs' are required")
    if start is not None and end is not None and end < start:
        raise Refused("invalid filters: 'startTs' must be before 'endTs'")


def _number(value: str, name: str) -> int | None:
    if not value:
        return None
    if not value.isdecimal():
        raise Refused(f"invalid filters: '{name}' must be a number")
    return int(value)

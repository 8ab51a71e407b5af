"""The world of a markets file: recorded markets that open, move and resolve as they really did.

Recorded markets trade on the 0.01 grid, and on the 0.001 grid beyond 0.04 and 0.96. Each stands in an event of its own.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

from actors.sandbox.categories import COARSE, TERMS, classify
from actors.sandbox.recording import RecordedMarket, moment
from actors.sandbox.records import MarketRecord
from actors.sandbox.script import Bar, Script, complement
from agents.money import ONE, Micro

_DAY = 86_400_000
#: Shares; what the venue asks of nearly all markets.
_MIN_SIZE: Micro = 5 * ONE
#: Markets that were recorded without a numeric id get one above this.
_FREE_IDS = 10**15
_OPPOSITE = {"Yes": "No", "No": "Yes", "Up": "Down", "Down": "Up", "Over": "Under", "Under": "Over"}


class RecordedWorld:
    """Recorded markets by opening time."""

    def __init__(self, markets: Iterable[RecordedMarket], start: int | None = None) -> None:
        """Take the markets; a venue begins at `start`, or on the day when most of them are open."""
        self._scripts = sorted((_script(market) for market in markets), key=lambda script: (script.opens, script.record.id))
        self._by_condition = {script.record.condition_id: script for script in self._scripts}
        self._start = _busiest_day(self._scripts) if start is None else start
        self._last = max(script.resolves for script in self._scripts)

    @property
    def start(self) -> int:
        """The venue time at which a new venue begins."""
        return self._start

    @property
    def last(self) -> int | None:
        """The venue time of the last resolution."""
        return self._last

    def opening(self, after: int, until: int) -> list[Script]:
        """Return the scripts of markets that open within (after, until], by opening time."""
        return [script for script in self._scripts if after < script.opens <= until]

    def script(self, record: MarketRecord) -> Script:
        """Return the script of a recorded market."""
        return self._by_condition[record.condition_id]


def _script(market: RecordedMarket) -> Script:
    resolves = market.resolved_at * 1000
    labels, tokens = _sides(market)
    first, second = (
        tuple((point.t * 1000, round(point.p * ONE)) for point in market.outcomes[label].history if point.t * 1000 < resolves)
        if label in market.outcomes
        else ()
        for label in labels
    )
    bars: tuple[tuple[Bar, ...], tuple[Bar, ...]] = (first or complement(second), second or complement(first))
    opens = min(side[0][0] for side in bars)
    won = labels.index(market.winning_outcome)
    return Script(
        record=_record(market, labels, tokens, opens),
        opens=opens,
        resolves=resolves,
        payouts=(ONE, 0) if won == 0 else (0, ONE),
        draw=lambda: bars,
    )


def _sides(market: RecordedMarket) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return labels and tokens, Yes first; a side that was not recorded gets a derived token."""
    labels = list(market.outcomes)
    if len(labels) == 1:
        missing = _OPPOSITE.get(labels[0], f"Not {labels[0]}")
        labels.append(missing if market.winning_outcome == labels[0] else market.winning_outcome)
    if labels[1] == "Yes":
        labels.reverse()
    recorded = {label: side.token_id for label, side in market.outcomes.items()}
    derived = str(int.from_bytes(sha256(f"{market.condition_id}/opposite".encode()).digest()))
    first, second = labels
    return (first, second), (recorded.get(first, derived), recorded.get(second, derived))


def _record(market: RecordedMarket, labels: tuple[str, str], tokens: tuple[str, str], opens: int) -> MarketRecord:
    category = classify(market.question)
    terms = TERMS[category]
    condition_id = market.condition_id.lower()
    question = market.question.strip()
    id = market.gamma_market_id or str(_FREE_IDS + int(condition_id[2:14], 16))
    slug = f"{re.sub(r'[^a-z0-9]+', '-', question.lower()).strip('-')[:80]}-{id}"
    return MarketRecord(
        id=id,
        condition_id=condition_id,
        question_id=f"0x{sha256(f'{condition_id}/question'.encode()).hexdigest()}",
        question=question,
        slug=slug,
        description=market.description,
        category=category,
        tags=(category, "recorded"),
        event_id=id,
        event_slug=slug,
        event_title=question,
        tokens=tokens,
        outcomes=labels,
        tick=COARSE,
        min_size=_MIN_SIZE,
        fee=terms.fee,
        created=min(moment(market.open) or opens, opens),
        start=opens,
        end=moment(market.close),
        seconds_delay=terms.seconds_delay,
        taker_delay=terms.taker_delay,
    )


def _busiest_day(scripts: list[Script]) -> int:
    """Return the first midnight (UTC) at which the most markets are open."""
    days = {script.opens // _DAY * _DAY + _DAY for script in scripts}
    counts = {day: sum(script.opens <= day < script.resolves for script in scripts) for day in days}
    return max(sorted(days), key=lambda day: counts[day])


def start_of(text: str) -> int:
    """Return the venue time of a start date in epoch milliseconds.

    Raises:
        ValueError: if it is no ISO date between the years 1970 and 9999.
    """
    at = moment(text)
    if at is None or at < 0:
        raise ValueError(f"{text!r} is not an ISO date such as 2025-11-20")
    return at


def date_of(at: int) -> str:
    """Return the UTC date of a venue time."""
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()

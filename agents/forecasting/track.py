"""The forecasts of the fleet and what came of them, folded from the log: what calibration, weights and scores are made of."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from agents.events import Event, Type
from agents.forecasting.scoring import Resolved
from agents.money import ONE, micro

#: Resolved forecasts that are kept of each agent; the oldest go first.
KEPT = 1000

#: Forecasts that are kept of one market by one agent, spread evenly over the time in which they were made.
PER_MARKET = 4

#: Markets that an agent may wait for; the one that it has asked about least recently goes first.
OPEN = 250

#: By what forecasts can be grouped; `agent` is by agent, strategy and model.
Grouping = Literal["agent", "strategy", "model", "category"]
GROUPS: tuple[Grouping, ...] = get_args(Grouping)

#: An `Entry` as it is kept: plain tuples cross processes seven times as fast.
Row = tuple[str, str, str, str, str, int, float, float, float, float, float | None]


class Entry(NamedTuple):
    """One forecast as it is remembered; probabilities and price are of the market's first outcome, `at` is venue time.

    `outcome` is what a share of it paid, None as long as that is not known.
    """

    strategy: str
    model: str
    category: str
    condition_id: str
    event: str
    at: int
    pooled: float
    calibrated: float
    blended: float
    price: float
    outcome: float | None

    def resolved(self, which: str = "blended") -> Resolved:
        """Return it for scoring, by one of its three probabilities. It must have come out."""
        assert self.outcome is not None
        return Resolved(self.event, getattr(self, which), self.price, self.outcome, self.condition_id)


@dataclass(slots=True)
class TrackRecord:
    """What is remembered, by agent; and while a market is open, by its first outcome's token.

    An agent that makes a forecast of a market again and again is scored by the mean over what is kept of them, not by the
    last one alone: which one that is depends on when the market ended, and nobody knew that. Voided markets are forgotten.
    """

    done: dict[str, list[Row]] = field(default_factory=dict)
    open: dict[str, dict[str, list[Row]]] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Fold one event."""
        data = event.data
        if event.type is Type.FORECAST and event.agent_id and "pooled" in data:
            self._await(event.agent_id, data["tokenId"], _row(data))
        elif event.type is Type.RESOLUTION and "payouts" in data:
            for token, payout in data["payouts"].items():
                self._resolve(token, micro(payout) / ONE)

    def forget(self, agent_id: str) -> None:
        """Drop an agent's record."""
        self.done.pop(agent_id, None)
        self.open.pop(agent_id, None)

    def of(self, agent_id: str) -> list[Entry]:
        """Return an agent's forecasts that came out 0 or 1, oldest first."""
        return [Entry(*row) for row in self.done.get(agent_id, ())]

    @property
    def waiting(self) -> int:
        """How many of the forecasts that are kept have not come out yet."""
        return sum(len(rows) for markets in self.open.values() for rows in markets.values())

    def settled(self) -> "TrackRecord":
        """Return a copy of what has come out, for another thread to read."""
        return TrackRecord({agent_id: list(rows) for agent_id, rows in self.done.items()})

    def grouped(self, by: Grouping = "agent") -> dict[tuple[str, ...], list[Entry]]:
        """Return what came out by what it has in common."""
        found: defaultdict[tuple[str, ...], list[Entry]] = defaultdict(list)
        for agent_id in self.done:
            for entry in self.of(agent_id):
                key = (agent_id, entry.strategy, entry.model) if by == "agent" else (str(getattr(entry, by)),)
                found[key].append(entry)
        return dict(found)

    def _await(self, agent_id: str, token: str, row: Row) -> None:
        markets = self.open.setdefault(agent_id, {})
        # Put at the end, so that the first market is the one that was asked about least recently.
        rows = markets[token] = markets.pop(token, [])
        rows.append(row)
        if len(rows) > PER_MARKET:
            times = [Entry(*row).at for row in rows]
            del rows[min(range(1, len(rows) - 1), key=lambda n: times[n + 1] - times[n - 1])]
        if len(markets) > OPEN:
            del markets[next(iter(markets))]

    def _resolve(self, token: str, outcome: float) -> None:
        for agent_id, markets in self.open.items():
            rows = markets.pop(token, [])
            if rows and outcome in (0.0, 1.0):
                kept = self.done.setdefault(agent_id, [])
                kept.extend((*row[:-1], outcome) for row in rows)
                del kept[:-KEPT]


def _row(data: dict[str, Any]) -> Row:
    p, calibrated, blended, price = (round(data[name], 6) for name in ("pooled", "calibrated", "blended", "marketPrice"))
    names = data["strategy"], data["model"], data["category"], data["conditionId"], data["event"]
    return (*names, data["venueTime"], p, calibrated, blended, price, None)

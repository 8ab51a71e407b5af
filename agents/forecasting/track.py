"""The forecasts of the fleet and what came of them, folded from the log: what calibration, weights and scores are made of."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from agents.events import Event, Type
from agents.forecasting.scoring import Resolved
from agents.money import ONE, micro

#: Resolved forecasts that are kept of each agent; the oldest go first.
KEPT = 3000


@dataclass(slots=True)
class Entry:
    """One forecast as it is remembered; probabilities and price are of the first outcome, `token` is that outcome's.

    `outcome` is what a share of it paid, None as long as that is not known.
    """

    agent_id: str
    strategy: str
    model: str
    category: str
    condition_id: str
    token: str
    event: str
    at: int
    pooled: float
    calibrated: float
    blended: float
    price: float
    outcome: float | None = None

    def resolved(self, which: str = "blended") -> Resolved:
        """Return it for scoring, by one of its three probabilities. It must have come out."""
        assert self.outcome is not None
        return Resolved(self.event, getattr(self, which), self.price, self.outcome)


@dataclass(slots=True)
class TrackRecord:
    """What is remembered, by agent, and by market as long as it is open."""

    done: dict[str, list[Entry]] = field(default_factory=dict)
    open: dict[str, list[Entry]] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Fold one event."""
        data = event.data
        if event.type is Type.FORECAST and event.agent_id and "pooled" in data:
            self.open.setdefault(data["conditionId"], []).append(_entry(event.agent_id, data))
        elif event.type is Type.RESOLUTION and "payouts" in data:
            for entry in self.open.pop(data["conditionId"], []):
                entry.outcome = micro(data["payouts"][entry.token]) / ONE
                kept = self.done.setdefault(entry.agent_id, [])
                kept.append(entry)
                del kept[:-KEPT]

    def of(self, agent_id: str) -> list[Entry]:
        """Return an agent's forecasts that came out 0 or 1, oldest first."""
        return [entry for entry in self.done.get(agent_id, ()) if entry.outcome in (0.0, 1.0)]

    def grouped(self) -> dict[tuple[str, str, str], list[Entry]]:
        """Return what came out by agent, strategy and model."""
        found: defaultdict[tuple[str, str, str], list[Entry]] = defaultdict(list)
        for entry in chain.from_iterable(self.done.values()):
            found[entry.agent_id, entry.strategy, entry.model].append(entry)
        return dict(found)


def _entry(agent_id: str, data: dict[str, Any]) -> Entry:
    return Entry(
        agent_id=agent_id,
        strategy=data["strategy"],
        model=data["model"],
        category=data["category"],
        condition_id=data["conditionId"],
        token=data["tokenId"],
        event=data["event"],
        at=data["venueTime"],
        pooled=data["pooled"],
        calibrated=data["calibrated"],
        blended=data["blended"],
        price=data["marketPrice"],
    )

"""Equity and drawdown over time, of the fleet, each wallet and each agent: a fold over samples, in bounded memory.

A sample is an `equity` event. The older the points of a curve, the further they lie apart; how deep profit has fallen from
its peak is known from every sample that ever was.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agents.events import Event
from agents.money import Micro, micro

#: The part of a point's age that it may be away from the next one: finer for the fleet and wallets than for agents.
FINE, COARSE = 32, 10

#: Points that a curve has before it is thinned for the first time.
_FIRST = 128


class Point(NamedTuple):
    """What there was at a wall millisecond: cash and holdings, and realised and unrealised profit.

    Profit, unlike equity, does not change with what is paid in or out.
    """

    time: int
    equity: Micro
    profit: Micro


@dataclass(slots=True)
class Curve:
    """Points, the oldest first, and the deepest fall of profit from its peak so far, as a positive amount."""

    grain: int = FINE
    points: list[Point] = field(default_factory=list)
    peak: Micro | None = None
    drawdown: Micro = 0
    #: The number of points at which it is thinned next.
    full: int = _FIRST

    def add(self, point: Point) -> None:
        """Add a sample; one that is not newer than the last is dropped."""
        if self.points and point.time <= self.points[-1].time:
            return
        self.points.append(point)
        self.peak = point.profit if self.peak is None else max(self.peak, point.profit)
        self.drawdown = max(self.drawdown, self.peak - point.profit)
        if len(self.points) >= self.full:
            self._thin()

    @property
    def fall(self) -> Micro:
        """How far profit is below its peak now."""
        return self.peak - self.points[-1].profit if self.peak is not None and self.points else 0

    def _thin(self) -> None:
        """Drop points without which those beside them are still close enough for their age; the first and the last stay."""
        points, now = self.points, self.points[-1].time
        kept = [points[-1]]
        for point, older in zip(points[-2:0:-1], points[-3::-1], strict=True):
            if (kept[-1].time - older.time) * self.grain > now - older.time:
                kept.append(point)
        self.points = [points[0], *reversed(kept)]
        self.full = max(_FIRST, len(self.points) * 5 // 4)


@dataclass(slots=True)
class Equity:
    """The curves; `time` is the wall millisecond of the last sample."""

    fleet: Curve = field(default_factory=Curve)
    wallets: dict[str, Curve] = field(default_factory=dict)
    agents: dict[str, Curve] = field(default_factory=dict)
    time: int = 0

    def add(self, event: Event) -> None:
        """Fold a sample."""
        data = event.data
        self.time = max(self.time, event.timestamp)
        self.fleet.add(_point(event.timestamp, data["total"]))
        for name, figures in data["wallets"].items():
            self.wallets.setdefault(name, Curve()).add(_point(event.timestamp, figures))
        for name, figures in data["agents"].items():
            self.agents.setdefault(name, Curve(COARSE)).add(_point(event.timestamp, figures))

    def forget(self, agent_id: str) -> None:
        """Drop the curve of an agent that is deleted."""
        self.agents.pop(agent_id, None)


def _point(time: int, figures: dict[str, Any]) -> Point:
    return Point(time, micro(figures["equity"]), micro(figures["profit"]))

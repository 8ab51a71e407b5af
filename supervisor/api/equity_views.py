"""Equity over time as clients see it."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from agents.equity import Curve
from agents.money import Micro, text
from supervisor.api.market_views import Exact


class EquityPoint(TypedDict):
    """What there was at one moment: `profit` is realised and unrealised, `drawdown` how far below its peak it was."""

    timestamp: int
    equity: Exact
    profit: Exact
    drawdown: Exact


class EquityCurve(TypedDict):
    """A curve, the oldest point first; the older, the further apart. All null: it is the whole fleet's."""

    agentId: str | None
    wallet: str | None
    points: list[EquityPoint]
    drawdown: Annotated[Exact, Field(description="The deepest fall of profit from its peak, of every sample there ever was.")]
    fall: Annotated[Exact, Field(description="How far profit is below its peak now.")]


def equity_curve(curve: Curve, agent_id: str | None, wallet: str | None, start: int, end: int) -> EquityCurve:
    """Return the part of a curve between two wall milliseconds, both included."""
    points: list[EquityPoint] = []
    peak: Micro | None = None
    for point in curve.points:
        peak = point.profit if peak is None else max(peak, point.profit)
        if start <= point.time <= end:
            points.append(
                {
                    "timestamp": point.time,
                    "equity": text(point.equity),
                    "profit": text(point.profit),
                    "drawdown": text(peak - point.profit),
                }
            )
    return {
        "agentId": agent_id,
        "wallet": wallet,
        "points": points,
        "drawdown": text(curve.drawdown),
        "fall": text(curve.fall),
    }

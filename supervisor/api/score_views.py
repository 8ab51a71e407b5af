"""Scores of forecasts as clients see them, made from the folded record by pure functions."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from agents.forecasting.scoring import Score, Verdict, score
from agents.forecasting.track import Grouping, TrackRecord


class Bin(TypedDict):
    """Forecasts between two tenths: how many, their mean, and the part of them that came true."""

    low: float
    n: int
    mean: float
    cameTrue: float


class Quality(TypedDict):
    """How good probabilities were; `low` to `high` is the 95 % interval of the skill."""

    brier: Annotated[float, Field(description="0 is perfect, 0.25 is always saying one half.")]
    skill: Annotated[float, Field(description="The price's Brier score minus this one: 0 for who repeats the price.")]
    low: float
    high: float
    logScore: Annotated[float, Field(description="Mean natural logarithm of what was given to what came out.")]
    ece: Annotated[float, Field(description="Expected calibration error.")]


class ScoreRow(Quality):
    """One group of forecasts; its own figures are those of the blend, which is what is traded on. Null: of several."""

    agentId: str | None
    strategy: str | None
    model: str | None
    category: str | None
    n: Annotated[int, Field(description="Forecasts; at most four of one market by one agent are kept.")]
    events: Annotated[int, Field(description="Events; each counts alike.")]
    marketBrier: float
    verdict: Verdict
    moreEvents: Annotated[
        int | None,
        Field(description="About how many more events would show this skill, at the present spread; null: shown, or never."),
    ]
    raw: Annotated[Quality, Field(description="What the models said, pooled and blind to the price.")]
    calibrated: Annotated[Quality, Field(description="That, corrected by the agent's record.")]
    bins: list[Bin]
    profit: Annotated[
        float | None,
        Field(description="Realised profit of the agent, or of the strategy's agents, in pUSD; null: by model or category."),
    ]


def score_rows(record: TrackRecord, by: Grouping, profits: Mapping[str, tuple[str, float]]) -> list[ScoreRow]:
    """Return one score for each group in which something has come out; `profits` are strategy and profit by agent id."""
    rows: list[ScoreRow] = []
    for key, entries in sorted(record.grouped(by).items()):
        names = dict(zip(("agent", "strategy", "model") if by == "agent" else (by,), key, strict=True))
        blend, raw, calibrated = (
            score(entry.resolved(which) for entry in entries) for which in ("blended", "pooled", "calibrated")
        )
        if blend is None or raw is None or calibrated is None:
            continue
        rows.append(
            {
                "agentId": names.get("agent"),
                "strategy": names.get("strategy"),
                "model": names.get("model"),
                "category": names.get("category"),
                "n": blend.n,
                "events": blend.events,
                "marketBrier": blend.market_brier,
                **_quality(blend),
                "verdict": blend.verdict,
                "moreEvents": _more(blend),
                "raw": _quality(raw),
                "calibrated": _quality(calibrated),
                "bins": [{"low": each.low, "n": each.n, "mean": each.mean, "cameTrue": each.came_true} for each in blend.bins],
                "profit": _profit(by, key[0], profits),
            }
        )
    return rows


def _quality(found: Score) -> Quality:
    return {
        "brier": found.brier,
        "skill": found.skill,
        "low": found.low,
        "high": found.high,
        "logScore": found.log_score,
        "ece": found.ece,
    }


def _more(found: Score) -> int | None:
    if found.verdict != "no skill shown" or found.needed is None:
        return None
    return max(found.needed - found.events, 1)


def _profit(by: Grouping, name: str, profits: Mapping[str, tuple[str, float]]) -> float | None:
    if by == "agent":
        return profits[name][1] if name in profits else None
    return sum(profit for strategy, profit in profits.values() if strategy == name) if by == "strategy" else None

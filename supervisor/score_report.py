"""What `polyfleet score` shows: a fleet's scores as a table, and how good the price was on recorded markets."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from actors.sandbox.recorded_world import RecordedWorld
from actors.sandbox.recording import read
from agents.forecasting.scoring import Baseline, PricePath, market_brier

#: Days before the resolution at which the price of recorded markets is scored.
_DAYS = (1, 7, 30)

#: The width of the interval of a skill that says nothing.
_NO_INTERVAL = 2

_NAMES = {"agentId": "agent", "strategy": "strategy", "model": "model", "category": "category"}


def score_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the rows of `GET /api/scores` as a table: Brier scores of what was said at each step, and of the price."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    names = [name for name in _NAMES if any(row[name] is not None for row in rows)]
    for name in names:
        table.add_column(_NAMES[name], overflow="fold")
    for figure in ("n", "events", "raw", "calibrated", "blended", "price", "skill", "95 % interval", "ECE", "profit"):
        table.add_column(figure, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for row in rows:
        table.add_row(*(str(row[name]) for name in names), *_figures(row), _verdict(row))
    return table


def baselines(markets: Path) -> list[Baseline]:
    """Score the price on the markets of a file, some days before each resolved.

    Raises:
        InvalidInput: if the file cannot be read.
    """
    world = RecordedWorld(market for _, market in read(str(markets)))
    scripts = world.opening(-1, world.last or 0)
    paths = [PricePath(script.bars[0], script.resolves, script.payouts[0]) for script in scripts]
    return [market_brier(paths, days) for days in _DAYS]


def baseline_table(found: Sequence[Baseline]) -> Table:
    """Return them as a table."""
    table = Table("days before the resolution", "markets", "the price's Brier score", box=None, header_style="bold")
    for each in found:
        table.add_row(f"{each.days:g}", str(each.n), "-" if each.brier is None else f"{each.brier:.4f}")
    return table


def _figures(row: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(row["n"]), str(row["events"]))
    for brier in (row["raw"]["brier"], row["calibrated"]["brier"], row["brier"], row["marketBrier"]):
        yield f"{brier:.4f}"
    yield f"{row['skill']:+.4f}"
    yield f"{row['low']:+.4f} to {row['high']:+.4f}" if row["high"] - row["low"] < _NO_INTERVAL else "too few events"
    yield f"{row['ece']:.1%}"
    yield "" if row["profit"] is None else f"{row['profit']:.2f}"


def _verdict(row: Mapping[str, Any]) -> str:
    more = row["moreEvents"]
    return str(row["verdict"]) + (f"; it would take some {more:,} more events" if more is not None else "")

import gzip
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from supervisor.score_report import baseline_table, baselines, score_table
from tests.unit.actors.sandbox.recordings import recorded, write

REAL = Path(__file__).parents[4] / "shared/data/polymarket/resolved_markets.jsonl.gz"

ROW: dict[str, Any] = {
    "agentId": "default",
    "strategy": "llm",
    "model": "openai:gpt-5-mini",
    "category": None,
    "n": 120,
    "events": 31,
    "brier": 0.181,
    "marketBrier": 0.183,
    "skill": 0.002,
    "low": -0.01,
    "high": 0.014,
    "logScore": -0.5,
    "ece": 0.043,
    "verdict": "no skill shown",
    "moreEvents": 1509,
    "raw": {"brier": 0.21},
    "calibrated": {"brier": 0.195},
    "profit": -3.5,
}


def shown(table: Any) -> list[str]:
    console = Console(width=200, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return [" ".join(line.split()) for line in capture.get().splitlines()]


def test_a_score_is_one_line_with_what_may_be_said_of_it() -> None:
    assert shown(score_table([ROW])) == [
        "agent strategy model n events raw calibrated blended price skill 95 % interval ECE profit verdict",
        "default llm openai:gpt-5-mini 120 31 0.2100 0.1950 0.1810 0.1830 +0.0020 -0.0100 to +0.0140 4.3% -3.50 "
        "no skill shown; it would take some 1,509 more events",
    ]


def test_groups_have_the_columns_that_they_are_made_of() -> None:
    row = ROW | {"agentId": None, "strategy": None, "model": None, "category": "sports", "profit": None}
    head, line = shown(score_table([row | {"verdict": "worse than the price", "moreEvents": None}]))
    assert head.startswith("category n events")
    assert line.startswith("sports 120 31")
    assert line.endswith("4.3% worse than the price")


def test_the_price_of_a_markets_file_is_scored(tmp_path: Path) -> None:
    # Half a day after its fifth bar each resolves to Yes: its price was 0.99 a day before that.
    found = baselines(Path(write(tmp_path / "m.jsonl.gz", recorded(1), recorded(2))))
    assert [(each.days, each.n, each.brier) for each in found] == [(1, 2, 0.0001), (7, 0, None), (30, 0, None)]
    assert shown(baseline_table(found))[1:3] == ["1 2 0.0001", "7 0 -"]


def reckoned(days: int) -> tuple[int, float]:
    """Return the number of markets and their mean squared error, reckoned in fractions from the file's own text."""
    errors = []
    with gzip.open(REAL) as lines:
        for line in lines:
            row: dict[str, Any] = json.loads(line, parse_float=Fraction)
            yes = row["outcomes"]["Yes"]["history"]
            known = [point["p"] for point in yes if point["t"] <= row["resolved_at"] - days * 86_400]
            if known:
                errors.append((Fraction(known[-1]) - (row["winning_outcome"] == "Yes")) ** 2)
    return len(errors), float(sum(errors, Fraction()) / len(errors))


@pytest.mark.skipif(not REAL.exists(), reason=f"the recorded markets are not at {REAL}")
def test_the_price_of_the_recorded_markets_is_scored_exactly() -> None:
    found = baselines(REAL)
    assert [(each.n, each.brier) for each in found] == [reckoned(days) for days in (1, 7, 30)]
    assert [(each.n, round(each.brier or 0, 6)) for each in found] == [(140, 0.036335), (139, 0.041143), (130, 0.048489)]

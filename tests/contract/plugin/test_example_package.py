"""The example package as its user has it: built, installed beside polyfleet, and found by its name."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "polyfleet-cheap"

DECIDE = """
import json, sys
import polyfleet_cheap
from agents.agent import Agent
from agents.money import text
from agents.roster import parse_roster
from tests.unit.agents.worlds import market, seen, view

[spec] = parse_roster(json.loads(sys.argv[1]), "fleet.yaml")
looked = view(seen(market(1), [("0.10", 50)], [("0.12", 50)]), seen(market(2)))
[order] = Agent(spec).step(looked).orders
found = {"file": polyfleet_cheap.__file__, "market": order.market.id, "price": text(order.price), "size": text(order.size)}
print(json.dumps(found | {"reasoning": order.reasoning}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and its metadata; nothing is fetched for it, and the environment stays as it is."""
    target = tmp_path_factory.mktemp("site")
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "install", "--quiet", "--offline", "--no-deps", "--target", str(target), str(EXAMPLE)]
    done = subprocess.run(
        [*command, "--python", sys.executable, "--no-cache"], capture_output=True, text=True, timeout=100, cwd=target
    )
    assert done.returncode == 0, done.stderr
    return target


def decide(installed: Path, **fields: Any) -> "subprocess.CompletedProcess[str]":
    roster = {"agents": [{"id": "bargain-hunter", "strategy": "cheap", "minConfidence": 0.5} | fields]}
    return subprocess.run(
        [sys.executable, "-c", DECIDE, json.dumps(roster)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=installed,
        env={"PYTHONPATH": f"{installed}:{ROOT}"},
    )


def test_a_fleet_file_finds_its_strategy_and_it_decides(installed: Path) -> None:
    done = decide(installed, params={"below": 0.15, "shares": 20})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("file").startswith(str(installed))
    assert found == {"market": "1", "price": "0.12", "size": "20", "reasoning": "Yes is offered at 0.12, below 0.15."}


def test_its_params_are_checked_like_those_of_any_other(installed: Path) -> None:
    done = decide(installed, params={"below": 2})
    assert "bargain-hunter" in done.stderr
    assert "params.below: input should be less than 1, not 2" in done.stderr

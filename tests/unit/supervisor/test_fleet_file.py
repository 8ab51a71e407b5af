from pathlib import Path

import pytest

from agents.agent import Agent
from agents.errors import InvalidInput
from supervisor.fleet_file import read_fleet

DEFAULT = Path(__file__).parents[3] / "fleet.yaml"


def write(directory: Path, text: str | bytes) -> Path:
    path = directory / "fleet.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_default_fleet_has_20_enabled_agents_one_of_them_default() -> None:
    specs = read_fleet(DEFAULT)
    assert len(specs) == 20
    assert all(spec.enabled and spec.wallet == "main" for spec in specs)
    assert [spec.id for spec in specs].count("default") == 1
    assert {spec.strategy for spec in specs} == {"market_maker", "momentum", "favourite_longshot", "neg_risk_arbitrage", "llm"}
    assert sum(spec.budget for spec in specs) < 60_000
    for spec in specs:
        Agent(spec)


def test_each_default_maker_but_one_has_a_lane_of_its_own() -> None:
    lanes = [spec.params.get("lane") for spec in read_fleet(DEFAULT) if spec.strategy == "market_maker"]
    assert sorted(lane for lane in lanes if lane is not None) == [0, 1, 2, 3, 4]
    assert lanes.count(None) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("agents:\n  - id: a\n    strategy: [\n", ", line 4: not valid YAML, "),
        ("agents:\n\t- id: a\n", ", line 2: not valid YAML, found character '\\t' that cannot start any token"),
        ("agents:\n  - id: a\n    id: b\n", ", line 3: not valid YAML, the field 'id' is written twice"),
        ("agents: !!python/object:os.system []\n", ", line 1: not valid YAML, could not determine a constructor"),
        ("agents: \x00\n", ": not valid YAML, unacceptable character"),
        ("agents: " + "[" * 1000, ": not valid YAML, it is nested too deeply"),
        ("? [a, b]\n: 1\n", ", line 1: not valid YAML, found unhashable key"),
        ("", ': expected "agents:" with a list of agents below it'),
        ("agents:\n  - id: a\n    strategy: momentum\n    budget: yes\n", ": agent 1 (a): budget: "),
        (
            "agents:\n  - {id: a, strategy: momentum}\n  - {id: a, strategy: momentum}\n",
            ": agent 2 (a): id: agent 1 has the same",
        ),
        (b"agents: \xff\n", " is not UTF-8 text"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InvalidInput) as caught:
        read_fleet(path)
    assert str(caught.value).startswith(f"fleet file {path}")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.yaml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(InvalidInput, match=f"fleet file {path} cannot be read: {reason}"):
            read_fleet(path)


def test_a_merge_key_and_an_anchor_are_fine(tmp_path: Path) -> None:
    text = "agents:\n  - &a {id: a, strategy: momentum, budget: 5}\n  - {<<: *a, id: b}\n"
    assert [(spec.id, spec.budget) for spec in read_fleet(write(tmp_path, text))] == [("a", 5), ("b", 5)]

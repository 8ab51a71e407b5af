import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.sandbox.recording import read
from agents.errors import InvalidInput
from tests.unit.actors.sandbox.recordings import FIRST, recorded, write

REAL = Path(__file__).parents[5] / "shared/data/polymarket/resolved_markets.jsonl.gz"


def change(row: dict[str, Any], path: str, value: Any) -> None:
    *folders, name = path.split(".")
    for folder in folders:
        row = row[int(folder)] if isinstance(row, list) else row[folder]
    if value is ...:
        del row[name]
    else:
        row[name] = value


def test_gzipped_and_plain_files_read_the_same(tmp_path: Path) -> None:
    rows = [recorded(1), recorded(2)]
    plain, packed = write(tmp_path / "m.jsonl", *rows), write(tmp_path / "m.jsonl.gz", *rows)
    assert [market for _, market in read(plain)] == [market for _, market in read(packed)]
    assert [market.question for _, market in read(plain)] == ["Will test 1 pass?", "Will test 2 pass?"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("winning_outcome", ..., "winning_outcome: Field required"),
        ("outcomes", ..., "outcomes: Field required"),
        ("description", ..., "description: Field required"),
        ("question", 7, "question: Input should be a valid string"),
        ("condition_id", "0x12", "condition_id: String should match pattern"),
        ("resolved_at", "1761955200", "resolved_at: Input should be a valid integer"),
        ("resolved_at", 1_761_955_200_000, "resolved_at: Input should be less than or equal to"),
        ("resolved_at", FIRST, "outcomes hold no price from before resolved_at"),
        ("close", "soon", "close: 'soon' is not an ISO date"),
        ("winning_outcome", "Maybe", "winning_outcome 'Maybe' is none of Yes, No"),
        ("outcomes", {}, "outcomes: Dictionary should have at least 1 item"),
        ("outcomes.No.token_id", "11x", "outcomes.No.token_id: String should match pattern"),
        ("outcomes.No.token_id", "20", "both outcomes have the same token_id"),
        ("outcomes.Yes.history.2.p", 1.5, "outcomes.Yes.history.2.p: Input should be less than or equal to 1"),
        ("outcomes.Yes.history.2.p", "0.5", "outcomes.Yes.history.2.p: Input should be a valid number"),
        ("outcomes.Yes.history.2.p", True, "outcomes.Yes.history.2.p: Input should be a valid number"),
        ("outcomes.Yes.history.2.p", float("nan"), "outcomes.Yes.history.2.p"),
        ("outcomes.Yes.history.2.t", 1.5, "outcomes.Yes.history.2.t: Input should be a valid integer"),
        ("outcomes.Yes.history.2.t", FIRST, "outcomes.Yes.history: point 2 is not later than the one before it"),
    ],
)
def test_a_wrong_field_is_named_with_its_file_and_line(tmp_path: Path, path: str, value: Any, message: str) -> None:
    row = recorded(2)
    change(row, path, value)
    file = write(tmp_path / "markets.jsonl", recorded(1), row)
    with pytest.raises(InvalidInput) as error:
        list(read(file))
    assert str(error.value).startswith(f"markets file {file}, line 2: ")
    assert message in str(error.value)


def corrupt(content: bytes) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        path = folder / "markets.jsonl.gz"
        path.write_bytes(content)
        return str(path)

    return make


PACKED = gzip.compress(b"".join(json.dumps(recorded(n)).encode() + b"\n" for n in range(1, 40)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"plain text", "line 1: not gzip data although its name ends in .gz"),
        (PACKED[: len(PACKED) // 2], "corrupt gzip data"),
        (PACKED[:-6] + b"\0\0\0\0\0\0", "corrupt gzip data"),
        (gzip.compress(json.dumps(recorded()).encode() + b"\n{not json\n"), "line 2: Invalid JSON"),
        (gzip.compress(json.dumps(recorded()).encode() + b"\n[1, 2]\n"), "line 2: Input should be an object"),
        (gzip.compress(json.dumps(recorded()).encode() + b'\n{"question": "\xff"}\n'), "line 2: Invalid JSON"),
        (
            gzip.compress((json.dumps(recorded()) + "\n\n" + json.dumps(recorded())).encode()),
            "line 3: condition_id repeats line 1",
        ),
        (gzip.compress(b""), "holds no market"),
    ],
)
def test_a_corrupt_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = corrupt(content)(tmp_path)
    with pytest.raises(InvalidInput) as error:
        list(read(path))
    assert message in str(error.value)
    assert path in str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read: No such file or directory"):
        list(read(str(tmp_path / "none.jsonl")))
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        list(read(str(tmp_path)))


@pytest.mark.skipif(not REAL.exists(), reason=f"the recorded markets are not at {REAL}")
def test_all_recorded_markets_are_read() -> None:
    markets = [market for _, market in read(str(REAL))]
    assert len(markets) == 140
    assert sum(market.winning_outcome == "Yes" for market in markets) == 25

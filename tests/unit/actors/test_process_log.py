import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import process_log


@pytest.fixture(autouse=True)
def root_as_before() -> Iterator[None]:
    before = list(logging.getLogger().handlers)
    yield
    for handler in set(logging.getLogger().handlers) - set(before):
        logging.getLogger().removeHandler(handler)
        handler.close()


def test_lines_are_json_and_come_back_oldest_first_across_lives(tmp_path: Path) -> None:
    log = logging.getLogger("actors.agent")
    process_log.begin(str(tmp_path), "agent:a", 7)
    log.info("first %d", 1)
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed")
    first, second = process_log.newest(str(tmp_path), "agent:a", 10)
    assert {name: first[name] for name in ("level", "actor", "pid", "logger", "message")} == {
        "level": "info",
        "actor": "agent:a",
        "pid": 7,
        "logger": "actors.agent",
        "message": "first 1",
    }
    assert second["exception"].endswith("ValueError: no\n")
    assert [line["message"] for line in process_log.newest(str(tmp_path), "agent:a", 1)] == ["failed"]


def test_a_line_that_a_kill_has_cut_short_is_left_out(tmp_path: Path) -> None:
    path = process_log.path_of(str(tmp_path), "agent:a")
    path.parent.mkdir()
    path.write_text(json.dumps({"message": "whole"}) + '\n{"message": "cu')
    assert process_log.newest(str(tmp_path), "agent:a", 10) == [{"message": "whole"}]
    assert process_log.newest(str(tmp_path), "agent:b", 10) == []


def test_a_directory_that_cannot_be_used_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    process_log.begin(str(tmp_path / "file"), "agent:a", 7)
    assert "the log of agent:a goes to stderr alone" in caplog.text

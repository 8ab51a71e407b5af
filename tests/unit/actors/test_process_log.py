import json
import logging
from pathlib import Path

import pytest

from actors import process_log
from agents.errors import Unavailable

pytestmark = pytest.mark.usefixtures("root_as_before")


def test_lines_are_json_and_come_back_oldest_first_across_lives(tmp_path: Path) -> None:
    log = logging.getLogger("actors.agent")
    process_log.begin(str(tmp_path), "agent:a", 7, life=3)
    log.info("first %d", 1)
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed")
    first, second = process_log.newest(str(tmp_path), "agent:a", 10)
    assert {name: first[name] for name in ("level", "actor", "pid", "life", "logger", "message")} == {
        "level": "info",
        "actor": "agent:a",
        "pid": 7,
        "life": 3,
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
    logging.getLogger("actors.agent").info("it lives on")
    assert process_log.newest(str(tmp_path / "file"), "agent:a", 10) == []


def test_a_log_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    process_log.path_of(str(tmp_path), "agent:a").mkdir(parents=True)
    with pytest.raises(Unavailable, match=r"agent-a\.jsonl cannot be read: Is a directory"):
        process_log.newest(str(tmp_path), "agent:a", 10)

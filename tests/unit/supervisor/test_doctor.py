"""What `polyfleet doctor` says of what it found."""

import pytest
import typer

from supervisor.doctor import _examined

FINE = {"what": "CLOB answers", "ok": True, "sentence": "CLOB answers", "remedy": ""}
NOTE = {"what": "a key", "ok": True, "sentence": "there is no key", "remedy": "make one"}
WRONG = {"what": "the clock", "ok": False, "sentence": "the clock is wrong", "remedy": "set it"}


def test_a_note_is_told_and_keeps_nobody_from_trading(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as end:
        _examined([FINE, NOTE], as_json=False)
    assert end.value.exit_code == 0
    assert capsys.readouterr().out.splitlines() == ["ok     CLOB answers", "note   there is no key; make one"]


def test_what_is_wrong_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as end:
        _examined([FINE, NOTE, WRONG], as_json=False)
    assert end.value.exit_code == 1
    assert capsys.readouterr().out.splitlines()[-1] == "FAIL   the clock is wrong; set it"

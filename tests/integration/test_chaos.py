"""Half a minute of kills of every kind; `polyfleet chaos` does more of the same."""

import json
import subprocess
import sys

import pytest


@pytest.mark.timeout(500)
def test_half_a_minute_of_kills_loses_nothing_and_does_nothing_twice() -> None:
    command = [sys.executable, "-m", "supervisor", "chaos", "--duration", "35", "--seed", "1", "--agents", "5", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            answer, progress = run.communicate(timeout=450)
        except subprocess.TimeoutExpired:
            # It ends its fleet before it ends itself.
            run.terminate()
            raise
    assert run.returncode == 0, answer + progress
    found = json.loads(answer)
    assert found["ok"]
    assert found["kills"]["total"] >= 5
    assert found["kills"]["node"] >= 1
    assert found["trades"] > 0

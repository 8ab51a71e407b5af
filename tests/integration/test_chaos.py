"""Half a minute of kills; `polyfleet chaos` does more of the same."""

import json
import subprocess
import sys

import pytest

#: All but the whole node, whose kill and start the tests of `up` and `down` cover.
TARGETS = "agents,broker,feed,ledger,supervisor,sandbox,librarian,forecaster,notifier,forkserver,serve"


@pytest.mark.timeout(800)
@pytest.mark.parametrize(("store", "seconds"), [("sqlite", 35), ("postgresql", 25)])
def test_half_a_minute_of_kills_loses_nothing_and_does_nothing_twice(
    store: str, seconds: int, request: pytest.FixtureRequest
) -> None:
    options = ["--duration", str(seconds), "--seed", "1", "--agents", "5", "--targets", TARGETS, "--json"]
    if store == "postgresql":
        options += ["--database", request.getfixturevalue("postgres_server").new_database()]
    command = [sys.executable, "-m", "supervisor", "chaos", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            answer, progress = run.communicate(timeout=700)
        except subprocess.TimeoutExpired:
            # It ends its fleet before it ends itself.
            run.terminate()
            raise
    assert run.returncode == 0, answer + progress
    found = json.loads(answer)
    assert found["ok"]
    assert found["kills"]["total"] >= 5
    assert found["trades"] > 0

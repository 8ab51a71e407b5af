import io
from collections import Counter

from rich.console import Console

from supervisor.chaos.evidence import Change, Log
from supervisor.chaos.invariants import Finding
from supervisor.chaos.plan import Kind
from supervisor.chaos.report import Report
from supervisor.chaos.targets import Kill

KILLS = [
    Kill(1_000, Kind.AGENTS, "agent:a", 1),
    Kill(2_000, Kind.LEDGER, "ledger", 2),
    Kill(20_000, Kind.AGENTS, "agent:a", 3),
    Kill(40_000, Kind.AGENTS, "agent:a", 4, hang=True),
]
CHANGES = [
    Change(1, 1_100, "a", "backing_off", 1),
    Change(2, 1_700, "a", "starting", 2),
    Change(3, 4_000, "a", "running", 2),
    Change(4, 20_010, "a", "backing_off", 2),
    Change(5, 21_000, "a", "running", 3),
    Change(6, 50_500, "a", "backing_off", 3),
    Change(7, 52_000, "a", "running", 4),
]


def report(*findings: Finding) -> Report:
    return Report(
        7,
        1,
        60.0,
        KILLS,
        Log(changes=CHANGES),
        findings,
        outcomes=Counter({"answered": 190, "503": 7, "ReadTimeout": 3}),
        settled=3.0,
    )


def test_kills_are_counted_by_kind_and_recoveries_by_how_the_agent_was_hit() -> None:
    found = report().json()
    assert found["kills"] == {"agents": 3, "ledger": 1, "total": 4}
    assert found["hangs"] == 1
    assert found["recovery"] == {
        "killed": {"n": 2, "noticed": {"median": 0.055, "p99": 0.1}, "running": {"median": 2.0, "p99": 3.0}},
        "killedAlone": {"n": 1, "noticed": {"median": 0.01, "p99": 0.01}, "running": {"median": 1.0, "p99": 1.0}},
        "frozen": {"n": 1, "noticed": {"median": 10.5, "p99": 10.5}, "running": {"median": 12.0, "p99": 12.0}},
    }
    assert found["api"] == {"answered": 190, "503": 7, "ReadTimeout": 3}


def test_it_is_fine_only_if_every_invariant_holds() -> None:
    fine, wrong = Finding("one", True, "5 of them"), Finding("two", False, "[x] is missing")
    assert report(fine).json()["ok"] is True
    assert report(fine, wrong).json()["ok"] is False


def test_the_table_names_what_failed_with_its_detail() -> None:
    out = Console(file=io.StringIO(), width=160)
    report(Finding("one", True, "5 of them"), Finding("two", False, "[x] is missing")).show(out)
    lines = [" ".join(line.split()) for line in out.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert "ok one (5 of them)" in lines
    assert "FAIL two ([x] is missing)" in lines
    assert "kills 4 in 60 s: agents 3, ledger 1; 1 of the agents were frozen" in lines
    assert "API answered 95.0% of 200 questions; not: 503 7, ReadTimeout 3" in lines

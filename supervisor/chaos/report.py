"""What a run found, as one table for people or as JSON."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from supervisor.chaos.evidence import Log
from supervisor.chaos.invariants import Finding, recoveries
from supervisor.chaos.plan import Kind
from supervisor.chaos.targets import Kill

#: Seconds around the kill of an agent in which nothing else died, for it to count as undisturbed.
_ALONE = 5.0


@dataclass(slots=True)
class Report:
    """What a run found."""

    seed: int
    agents: int
    seconds: float
    kills: Sequence[Kill]
    log: Log
    findings: Sequence[Finding]
    #: What came of the questions to `/health` while the node was up: "answered", or why not.
    outcomes: Counter[str] = field(default_factory=Counter)
    settled: float | None = None
    directory: str = ""
    restarts: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return all(finding.ok for finding in self.findings)

    def json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        agents = [kill for kill in self.kills if kill.kind is Kind.AGENTS]
        return {
            "ok": self.ok,
            "seed": self.seed,
            "agents": self.agents,
            "seconds": round(self.seconds, 1),
            "kills": dict(Counter(str(kill.kind) for kill in self.kills)) | {"total": len(self.kills)},
            "hangs": sum(kill.hang for kill in agents),
            "restarts": self.restarts,
            "recovery": {
                "killed": self._recovery([kill for kill in agents if not kill.hang]),
                "killedAlone": self._recovery([kill for kill in agents if not kill.hang and self._alone(kill)]),
                "frozen": self._recovery([kill for kill in agents if kill.hang]),
            },
            "settledAfter": None if self.settled is None else round(self.settled, 1),
            "events": len(self.log.seqs),
            "orders": len(self.log.signed),
            "trades": len(self.log.fills),
            "api": dict(self.outcomes.most_common()),
            "invariants": [{"name": found.name, "ok": found.ok, "detail": found.detail} for found in self.findings],
            "directory": self.directory,
        }

    def show(self, out: Console) -> None:
        """Print it as a table."""
        found = self.json()
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column()
        table.add_column(overflow="fold")
        kills = found["kills"]
        table.add_row("seed, agents", f"{self.seed}, {self.agents}")
        by_kind = ", ".join(f"{kind} {kills[kind]}" for kind in Kind if kind in kills)
        table.add_row(
            "kills", f"{kills['total']} in {self.seconds:.0f} s: {by_kind}; {found['hangs']} of the agents were frozen"
        )
        table.add_row("restarts", ", ".join(f"{name} {count}" for name, count in self.restarts.items()))
        titles = {"killed": "agent killed", "killedAlone": "  and nothing else", "frozen": "agent frozen"}
        for name, title in titles.items():
            table.add_row(title, _times(found["recovery"][name]))
        table.add_row("settled after", "not in time" if self.settled is None else f"{self.settled:.0f} s")
        table.add_row("log", f"{found['events']} events, {found['orders']} orders, {found['trades']} trades")
        table.add_row("API", self._api())
        for finding in self.findings:
            mark = "[green]ok[/]" if finding.ok else "[red bold]FAIL[/]"
            table.add_row(mark, escape(f"{finding.name} ({finding.detail})" if finding.detail else finding.name))
        out.print(table)

    def _api(self) -> str:
        asked, answered = self.outcomes.total(), self.outcomes["answered"]
        reasons = ", ".join(f"{reason} {n}" for reason, n in self.outcomes.most_common() if reason != "answered")
        return (
            f"answered {answered / asked:.1%} of {asked} questions" + (f"; not: {reasons}" if reasons else "")
            if asked
            else "not asked"
        )

    def _recovery(self, kills: Sequence[Kill]) -> dict[str, Any]:
        named = [(kill.name.split(":", 1)[1], kill.at) for kill in kills]
        noticed, running = recoveries(self.log.changes, named)
        return {"n": len(kills), "noticed": _spread(noticed), "running": _spread(running)}

    def _alone(self, kill: Kill) -> bool:
        return all(other is kill or abs(other.at - kill.at) > _ALONE * 1000 for other in self.kills)


def _spread(milliseconds: Sequence[int]) -> dict[str, float] | None:
    """Return median and 99th percentile in seconds."""
    if not milliseconds:
        return None
    ordered = sorted(milliseconds)
    return {
        "median": round(statistics.median(ordered) / 1000, 3),
        "p99": round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] / 1000, 3),
    }


def _times(recovery: dict[str, Any]) -> str:
    parts = [
        f"{title} {spread['median']:.2f} s, p99 {spread['p99']:.2f} s"
        for title, spread in (("noticed: median", recovery["noticed"]), ("running again: median", recovery["running"]))
        if spread
    ]
    return f"{recovery['n']} times; " + "; ".join(parts) if parts else "never"

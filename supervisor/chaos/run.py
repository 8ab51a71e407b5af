"""One run: start a fleet, kill its processes for a while, let it settle, check the invariants, end it, tell."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from agents.errors import PolyfleetError, Unavailable
from supervisor.chaos import invariants
from supervisor.chaos.evidence import Log, read_log, read_venue
from supervisor.chaos.fleet import FleetUnderTest
from supervisor.chaos.invariants import Finding
from supervisor.chaos.plan import Kind, Strike, strikes
from supervisor.chaos.probe import Probe
from supervisor.chaos.report import Report
from supervisor.chaos.roster import POLICY
from supervisor.chaos.targets import Kill, Targets

#: Seconds for everything to run again after the last kill, and for what is in flight to land once trading has stopped.
_SETTLE_TIMEOUT = 240.0
_CALM_TIMEOUT = 90.0
_LOOK = 0.5

#: Seconds between lines of progress.
_SAY_EVERY = 10.0

#: How often `up` is started anew when it does not become ready.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ChaosOptions:
    """The options of the command; `seconds` is how long it kills, `kills` after how many it stops if that is sooner."""

    seconds: float
    seed: int
    agents: int
    targets: tuple[Kind, ...]
    kills: int | None = None
    as_json: bool = False
    keep: bool = False
    database: str | None = None


def chaos(options: ChaosOptions) -> int:
    """Do one run and return the exit code: 0 if every invariant holds. Raises Unavailable if the fleet does not start."""
    signal.signal(signal.SIGTERM, _interrupt)
    directory = Path(tempfile.mkdtemp(prefix="polyfleet-chaos-"))
    run = _Run(options, directory)
    fine = False
    try:
        report = run.run()
        fine = report.ok
    finally:
        run.close()
        if fine and not options.keep:
            shutil.rmtree(directory)
        else:
            run.say(f"its data and the output of `up` are in {directory}, its logs in {run.fleet.data_dir}/logs")
    if options.as_json:
        sys.stdout.write(json.dumps(report.json(), indent=2) + "\n")
    else:
        report.show(Console(highlight=False, width=None if sys.stdout.isatty() else 160))
    return 0 if fine else 1


class _Run:
    def __init__(self, options: ChaosOptions, directory: Path) -> None:
        self._options = options
        self._began = time.monotonic()
        self._out = Console(stderr=True, highlight=False, soft_wrap=True)
        self.fleet = FleetUnderTest(directory, options.seed, options.agents, options.database)
        self._targets = Targets(self.fleet)
        self._probe = Probe(self.fleet.url)
        self._kills: list[Kill] = []
        #: Wall milliseconds at which everything was killed.
        self._resets: list[int] = []

    def say(self, sentence: str) -> None:
        """Print a line of progress."""
        self._out.print(f"{time.monotonic() - self._began:6.0f} s  {sentence}", markup=False)

    def close(self) -> None:
        """Leave no process behind, whatever happened."""
        self._targets.close()
        self._probe.close()
        self.fleet.kill_everything()

    def run(self) -> Report:
        options = self._options
        self.say(f"chaos with seed {options.seed}: {options.agents} agents in a sandbox at {self.fleet.url}")
        self.say(f"their restart policy: {POLICY.model_dump_json(by_alias=True)}")
        self._up()
        self.say(f"killing {', '.join(options.targets)} for {options.seconds:g} s")
        killing = time.monotonic()
        self._strike_for(options.seconds)
        seconds = time.monotonic() - killing
        self.say(f"{len(self._kills)} killed; waiting for all to run again")
        settling = time.monotonic()
        why = self._wait_for(self._unsettled(), _SETTLE_TIMEOUT)
        settled = None if why else time.monotonic() - settling
        findings = [Finding("the fleet settled", not why, why or f"{settled:.0f} s after the last kill")]
        report = Report(options.seed, options.agents, seconds, self._kills, Log(), findings, settled=settled)
        try:
            findings += self._examine(report)
        except PolyfleetError as error:
            findings.append(Finding("the fleet could be asked", False, str(error)))
        report.directory = str(self.fleet.directory)
        report.outcomes = self._probe.outcomes
        return report

    def _up(self) -> None:
        """Start everything and wait until it is ready."""
        for attempt in range(1, _ATTEMPTS + 1):
            self.fleet.begin()
            try:
                self.fleet.until_ready()
                break
            except Unavailable as error:
                self.say(str(error))
                if attempt == _ATTEMPTS:
                    raise
                self.fleet.ended.append(str(error))
                self.fleet.kill_everything()
        self._targets.look_again()
        self._probe.resume()
        self.say("the fleet is ready")

    def _strike_for(self, seconds: float) -> None:
        """Strike for so many seconds; those in which the whole node starts again do not count."""
        said = due = time.monotonic()
        deadline = due + seconds
        for strike in strikes(self._options.seed, self._options.targets, self._options.agents):
            due = max(due + strike.delay, time.monotonic())
            if due >= deadline or (self._options.kills and len(self._kills) >= self._options.kills):
                return
            time.sleep(max(0.0, due - time.monotonic()))
            away = time.monotonic()
            if not self.fleet.lives:
                self._revive()
                deadline += time.monotonic() - away
            elif strike.victims[0].kind is Kind.NODE:
                self._kill_node(strike)
                deadline += time.monotonic() - away
            else:
                self._kills += self._targets.strike(strike)
            if time.monotonic() - said > _SAY_EVERY:
                said = time.monotonic()
                self._say_progress()

    def _revive(self) -> None:
        """Start `up` again after it ended by itself, which it never should."""
        self.fleet.ended.append(self.fleet.last_words())
        self.say(f"`up` has ended by itself: {self.fleet.last_words()}")
        self._probe.pause()
        self.fleet.kill_everything()
        self._up()

    def _kill_node(self, strike: Strike) -> None:
        self._probe.pause()
        self._kill_all()
        if strike.again is not None:
            self.fleet.begin()
            time.sleep(strike.again)
            self._kill_all()
        self._up()

    def _kill_all(self) -> None:
        self._targets.close()
        pid = self.fleet.pid
        count = self.fleet.kill_everything()
        self._resets.append(int(time.time() * 1000))
        self._kills.append(Kill(self._resets[-1], Kind.NODE, "node", pid))
        self.say(f"killed the node: {count} processes at once")

    def _say_progress(self) -> None:
        counts = Counter(str(kill.kind) for kill in self._kills)
        kinds = ", ".join(f"{kind} {counts[kind]}" for kind in Kind if counts[kind])
        self.say(f"{len(self._kills)} kills: {kinds}")

    def _wait_for(self, unmet: Callable[[], str], timeout: float) -> str:
        """Wait until `unmet` has nothing to say any more; return what it says still when the time is up."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                why = unmet()
            except PolyfleetError as error:
                why = str(error)
            if not why or time.monotonic() > deadline:
                return why
            time.sleep(_LOOK)

    def _unsettled(self) -> Callable[[], str]:
        """Return a question: why the fleet has not settled. What was pending when all ran first must have landed, too."""
        first: set[str] | None = None

        def why() -> str:
            nonlocal first
            if not self.fleet.lives:
                self._revive()
            api = self.fleet.api
            ready = api.ready()
            check = api.ledger_check()
            found = invariants.of_agents(api.agents()["agents"], api.fleet()["services"])
            wrong = [f"{finding.name}: {finding.detail}" for finding in found if not finding.ok]
            if not check["ok"]:
                wrong.append(f"the books differ: {[wallet['differences'] for wallet in check['wallets']]}")
            if wrong or not ready["ready"]:
                return "; ".join(wrong) or f"it is not ready: {ready}"
            pending = _pending(check)
            if first is None:
                first = pending
            first &= pending
            return f"pending all the time: {sorted(first)[:3]}" if first else ""

        return why

    def _examine(self, report: Report) -> list[Finding]:
        """Ask the fleet what must be asked while it runs, end it, and check everything."""
        fleet = self.fleet
        agents, services = fleet.api.agents()["agents"], fleet.api.fleet()["services"]
        found = list(invariants.of_agents(agents, services))
        report.restarts = {"agents": sum(agent["restarts"] for agent in agents)}
        report.restarts |= {service["name"]: service["restarts"] for service in services}
        fleet.api.kill_switch("the end of the run: all that is in flight lands")
        why = self._wait_for(lambda: str(sorted(_pending(fleet.api.ledger_check()))[:3] or ""), _CALM_TIMEOUT)
        found.append(Finding("all that was in flight has landed", not why, why))
        check = fleet.api.ledger_check()
        found += invariants.of_books(check)
        report.log = log = read_log(fleet.api.events())
        self.say(f"the log has {len(log.seqs)} events; the fleet is ended")
        self._probe.pause()
        ended = list(fleet.ended)
        code, left = fleet.end()
        venue = read_venue(fleet.data_dir, {wallet["address"] for wallet in check["wallets"]})
        found += [*invariants.of_log(log), *invariants.of_orders(log, venue), *invariants.of_fills(log, venue)]
        found += invariants.of_deposits(log)
        found += invariants.of_forecasts(log)
        found += invariants.of_lives(log, os.cpu_count() or 2, self._resets)
        found += invariants.of_end(code, left, ended)
        return found


def _pending(check: Mapping[str, Any]) -> set[str]:
    """Return keys of the fills and orders that are in flight; shares that are being paid out are not among them."""
    lines = [line for wallet in check["wallets"] for line in wallet["pending"]]
    return {f"{line.get('tradeId', '')}/{line['orderId']}" for line in lines if "orderId" in line}


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt

"""How each kind of process is found and killed, without asking the fleet's API, which may be down."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from actors import naming
from supervisor import ray_cluster
from supervisor.chaos.census import Census
from supervisor.chaos.fleet import FleetUnderTest
from supervisor.chaos.plan import Kind, Strike, Victim

#: What Serve names its own actors.
_SERVE = "SERVE_"

#: Processes that are not actors: a name as if they were, by the last part of a word of their command line.
_NO_ACTORS = {"haproxy": f"{_SERVE}haproxy", "actors.forkserver.server": Kind.FORKSERVER.value}

_NAMED: dict[Kind, Callable[[str], bool]] = {
    Kind.AGENTS: lambda name: name.startswith(naming.agent("")),
    Kind.BROKER: lambda name: name.startswith(naming.broker("")),
    Kind.FEED: lambda name: name == naming.MARKET_FEED,
    Kind.LEDGER: lambda name: name == naming.LEDGER,
    Kind.SUPERVISOR: lambda name: name == naming.SUPERVISOR,
    Kind.SANDBOX: lambda name: name == naming.SANDBOX,
    Kind.LIBRARIAN: lambda name: name == naming.LIBRARIAN,
    Kind.FORECASTER: lambda name: name == naming.FORECASTER,
    Kind.NOTIFIER: lambda name: name == naming.NOTIFIER,
    Kind.FORKSERVER: lambda name: name == Kind.FORKSERVER,
    Kind.SERVE: lambda name: name.startswith(_SERVE),
}


@dataclass(frozen=True, slots=True)
class Kill:
    """One process that was killed (or frozen, with `hang`): when, in wall epoch milliseconds, and who it was."""

    at: int
    kind: Kind
    name: str
    pid: int
    hang: bool = False


def choose(victims: Iterable[Victim], pids: Mapping[str, int], lives: Callable[[int], bool]) -> dict[int, tuple[Victim, str]]:
    """Return the victims that are there, each process once, by process id with its name; `pids` are those of all actors."""
    chosen: dict[int, tuple[Victim, str]] = {}
    for victim in victims:
        names = sorted(name for name in pids if _NAMED[victim.kind](name))
        first = victim.which % len(names) if names else 0
        for name in names[first:] + names[:first]:
            pid = pids[name]
            if pid not in chosen and lives(pid):
                chosen[pid] = (victim, name)
                break
    return chosen


class Targets:
    """The processes of the fleet under test."""

    def __init__(self, fleet: FleetUnderTest) -> None:
        self._fleet = fleet
        self._census: Census | None = None
        self._sessions: set[int] = set()
        self._frozen: set[int] = set()

    def look_again(self) -> None:
        """Begin anew after `up` has started a cluster."""
        self.close()
        address = self._fleet.address
        assert address is not None, "the fleet has not started"
        data_dir = self._fleet.data_dir
        told = {k: v for k, v in ray_cluster.environment(data_dir).items() if k != ray_cluster.MARK}
        self._census = Census(address, self._fleet.environment | told, self._fleet.directory / "census.log")
        self._sessions = {os.getsid(process.pid) for process in ray_cluster.processes(data_dir) if process.is_running()}
        self._frozen.clear()

    def close(self) -> None:
        """Stop looking."""
        if self._census is not None:
            self._census.close()

    def strike(self, strike: Strike) -> list[Kill]:
        """Kill the victims of a strike at one instant, as far as they are there; return who was killed. Not for nodes."""
        pids = dict(self._census.pids) if self._census else {}
        if any(victim.kind in (Kind.SERVE, Kind.FORKSERVER) for victim in strike.victims):
            pids |= self._no_actors()
        chosen = choose(strike.victims, pids, self._lives)
        kills = []
        for pid, (victim, name) in chosen.items():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP if victim.hang else signal.SIGKILL)
                kills.append(Kill(int(time.time() * 1000), victim.kind, name, pid, victim.hang))
                if victim.hang:
                    self._frozen.add(pid)
        return kills

    def _lives(self, pid: int) -> bool:
        """Whether a process is one of the fleet's and runs: the census may be behind, and an id may be another's by now."""
        try:
            return (
                pid not in self._frozen
                and os.getsid(pid) in self._sessions
                and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
            )
        except (ProcessLookupError, psutil.Error):
            return False

    def _no_actors(self) -> dict[str, int]:
        found: dict[int, str] = {}
        parents: dict[int, int] = {}
        for process in ray_cluster.processes(self._fleet.data_dir):
            with contextlib.suppress(psutil.Error):
                words = {Path(word).name for word in process.cmdline()}
                for word in words & _NO_ACTORS.keys():
                    found[process.pid], parents[process.pid] = _NO_ACTORS[word], process.ppid()
        # Until it has its own name, an actor that was copied has that of the server.
        return {name: pid for pid, name in found.items() if parents[pid] not in found}

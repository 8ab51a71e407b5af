"""When many agents fail alike, restarting them is no help: the breaker halts the fleet. Failures from outside never do.

A failure counts here only if it has a cause of the agent's own (a start-up error, an exception, a hang whose stack is known).
A SIGKILL, a lack of memory or a lost node say nothing about the agents, nor does a round without end of one whose heart
beats: it waits for a service. Those who failed of such causes are told of as one group.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from supervisor.core.signals import Failed, Failure

#: Failures this close together, in seconds, are counted together.
WINDOW = 60.0
#: More than this share of all agents, and at least so many, trip the breaker.
SHARE = 0.3
LEAST = 3

_OWN = frozenset({Failure.STARTUP, Failure.EXCEPTION, Failure.HUNG})

#: What differs between two failures of one cause: numbers, addresses and what is quoted.
_PARTICULAR = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?|'[^']*'|\"[^\"]*\"", re.IGNORECASE)

#: Where the stack of a loop ends that runs nothing: if no heartbeat came then, the machine was too slow.
_IDLE = re.compile(r"threading\.py:\d+:run|selectors\.py:\d+:select")
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')


def fingerprint(failed: Failed) -> str | None:
    """Return what failures of one cause share, or None if the cause is not the agent's own or is not known."""
    if failed.failure not in _OWN or failed.external:
        return None
    if failed.failure is Failure.HUNG:
        frames = _FRAME.findall(failed.cause)
        where = ":".join(frames[-1]) if frames else ""
        return f"{failed.failure} at {where}" if where and not _IDLE.search(where) else None
    lines = failed.cause.strip().splitlines()
    what = _PARTICULAR.sub("…", lines[-1]) if lines else ""
    return f"{failed.failure}: {what[:200]}"


@dataclass(frozen=True, slots=True)
class Trip:
    """Why the fleet is halted: what the failures share, and whose they were."""

    fingerprint: str
    agents: tuple[str, ...]

    def sentence(self, total: int) -> str:
        """Return the reason as one sentence."""
        return f"{len(self.agents)} of {total} agents failed alike within {WINDOW:g} s: {self.fingerprint}"


@dataclass(slots=True)
class Breaker:
    """Remembers the failures of the last minute; `now` is always seconds of a monotonic clock."""

    _failures: list[tuple[float, str, str]] = field(default_factory=list)

    def note(self, agent_id: str, failed: Failed, now: float, total: int) -> Trip | None:
        """Take note of a failure; return the trip if it is one too many. The count then begins anew."""
        shared = fingerprint(failed)
        if shared is None:
            return None
        self._failures = [one for one in self._failures if one[0] > now - WINDOW]
        self._failures.append((now, agent_id, shared))
        agents = tuple(sorted({agent for _, agent, found in self._failures if found == shared}))
        if len(agents) < max(LEAST, math.floor(total * SHARE) + 1):
            return None
        self._failures = []
        return Trip(shared, agents)


@dataclass(slots=True)
class Deaths:
    """Gathers deaths with a cause from outside, so that many at once become one alert."""

    tell: Callable[[tuple[str, ...], str], None]
    _gathered: dict[str, str] = field(default_factory=dict)
    _since: float = 0.0
    _latest: float = 0.0

    def note(self, agent_id: str, failed: Failed, now: float) -> None:
        """Take note of a death, if it is one from outside."""
        if fingerprint(failed) is not None:
            return
        if not self._gathered:
            self._since = now
        self._latest = now
        self._gathered[agent_id] = f"{failed.failure}: {failed.summary}"

    def tick(self, now: float, pause: float = 2.0, longest: float = 10.0) -> None:
        """Tell of a group of at least `LEAST` once it has been quiet for `pause` seconds, `longest` after its first death."""
        if self._gathered and (now - self._latest >= pause or now - self._since >= longest):
            gathered, self._gathered = self._gathered, {}
            if len(gathered) >= LEAST:
                self.tell(tuple(sorted(gathered)), next(iter(gathered.values())))

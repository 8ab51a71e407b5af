"""What may happen to an agent (signals), and what must be done about it (effects)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Action = Literal["start", "stop", "pause", "resume", "restart"]


class Failure(StrEnum):
    """How an agent failed."""

    STARTUP = "startup"
    CRASH = "crash"
    EXCEPTION = "exception"
    HUNG = "hung"
    NO_PROGRESS = "no_progress"
    #: Its private memory was over its limit.
    MEMORY = "memory"
    #: The machine had no memory left.
    OOM = "oom"
    NODE_LOST = "node_lost"
    LOST = "lost"


# What may happen to an agent.


@dataclass(frozen=True, slots=True)
class Control:
    """An operator asked for something."""

    action: Action


@dataclass(frozen=True, slots=True)
class Slot:
    """It is its turn to start, as this incarnation."""

    incarnation: int


@dataclass(frozen=True, slots=True)
class Launched:
    """Its process has begun to work."""

    pid: int


@dataclass(frozen=True, slots=True)
class Failed:
    """It died, hung or could not start. A `final` failure would only repeat itself: it is not restarted.

    An `external` one has no cause of the agent's own, whatever kind it is: a machine that was too slow to start it.
    """

    failure: Failure
    cause: str
    final: bool = False
    external: bool = False

    @property
    def summary(self) -> str:
        """The last line of the cause, which says most."""
        lines = self.cause.strip().splitlines()
        return lines[-1][:300] if lines else str(self.failure)


@dataclass(frozen=True, slots=True)
class Left:
    """It ended by itself, in good order."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Its process is gone, as it was asked. `for_good`: the whole fleet stops, so it is not started again."""

    for_good: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """Its backoff is over."""


@dataclass(frozen=True, slots=True)
class Found:
    """A new life of the supervisor looked for its process, and found it alive or not."""

    alive: bool


@dataclass(frozen=True, slots=True)
class FleetStarts:
    """A new cluster has begun: whatever process the record speaks of is gone."""


@dataclass(frozen=True, slots=True)
class FleetStops:
    """The whole fleet stops; what is desired stays as it is."""


Signal = Control | Slot | Launched | Failed | Left | Ended | Due | Found | FleetStarts | FleetStops


# What must be done.


@dataclass(frozen=True, slots=True)
class Queue:
    """Start it when it is its turn."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Take charge of its running process."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Let it finish its round, then end its process, by force after the policy's stop timeout."""


@dataclass(frozen=True, slots=True)
class Kill:
    """End its process now."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Send `Due` after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Tell its process to stop deciding, and cancel its quotes then; or to go on."""

    paused: bool


@dataclass(frozen=True, slots=True)
class CancelOrders:
    """Cancel its resting orders."""


Effect = Queue | Watch | Stop | Kill | Wait | Pause | CancelOrders

"""What can be asked of the log's writer; many jobs go into one commit, in the order in which they came."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from agents.errors import StaleIncarnation
from agents.events import Event


@dataclass(frozen=True, slots=True)
class Append:
    """Store events (with their data as JSON text beside) and signed orders by order id. Its outcome is the events' seqs."""

    events: tuple[Event, ...]
    texts: tuple[str, ...]
    signed: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenSource:
    """Begin the next life of a source. Its outcome is the incarnation."""

    source: str


@dataclass(frozen=True, slots=True)
class PutDocument:
    """Store JSON text under a name. Its outcome is None."""

    name: str
    text: str


Job = Append | OpenSource | PutDocument
Outcome = list[int] | int | None | StaleIncarnation


class Stored(NamedTuple):
    """An event that is on disk, with the length of its data as JSON text."""

    event: Event
    size: int


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit did: the outcome of each job, and the events that are new on disk, in the order of their seqs."""

    outcomes: list[Outcome]
    stored: list[Stored]

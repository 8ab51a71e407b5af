"""The newest events of the log in memory, so that those who follow it rarely touch the disk."""

from collections.abc import Iterable

from actors.storage.jobs import Stored
from agents.events import Event

#: How many events are kept, and how many characters of JSON: in memory an event takes about four bytes a character.
MOST = 50_000
VOLUME = 16_000_000


class RecentEvents:
    """A window on the end of the log, without a gap; the oldest tenth leaves it when it is full."""

    def __init__(self, most: int = MOST, volume: int = VOLUME) -> None:
        self._most = most
        self._full = volume
        self._events: list[Event] = []
        self._sizes: list[int] = []
        self._volume = 0

    def __len__(self) -> int:
        return len(self._events)

    def extend(self, stored: Iterable[Stored]) -> None:
        """Take the next events of the log."""
        for one in stored:
            self._events.append(one.event)
            self._sizes.append(one.size)
            self._volume += one.size
        while self._events and (len(self._events) > self._most or self._volume > self._full):
            gone = max(len(self._events) - self._most, len(self._events) // 10, 1)
            self._volume -= sum(self._sizes[:gone])
            del self._events[:gone], self._sizes[:gone]

    def reaches(self, after: int) -> bool:
        """Whether it holds every event after this seq."""
        return bool(self._events) and self._events[0].seq <= after + 1

    def after(self, seq: int, limit: int, agent: str | None, types: frozenset[str] | None) -> list[Event]:
        """Return the events after a seq that it reaches, oldest first."""
        start = max(seq + 1 - self._events[0].seq, 0)
        if agent is None and types is None:
            return self._events[start : start + limit]
        found: list[Event] = []
        for event in self._events[start:]:
            if (agent is None or event.agent_id == agent) and (types is None or event.type in types):
                found.append(event)
                if len(found) == limit:
                    break
        return found

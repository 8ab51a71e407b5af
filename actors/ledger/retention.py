"""How much of the log is kept."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from actors.settings import number_setting

#: The fewest events that may be kept: a source that tries again, and followers that were away, find theirs among them.
_FEWEST = 10_000
_FEWEST_BYTES = 64_000_000

#: The database is brought down to the second share of its size cap when it has reached the first.
_FULL, _LOW = 0.95, 0.9


@dataclass(frozen=True, slots=True)
class Retention:
    """At most so many events, so many bytes of database, and events of so many days (None: of any age)."""

    events: int = 2_000_000
    bytes: int = 2_000_000_000
    days: float | None = None

    def until(self, floor: int, head: int, used: int) -> int:
        """Return the seq up to which events must go, for the sake of count and size; less than the floor if none must."""
        count = head - floor + 1
        surplus = max(count - self.events, 0)
        if used > self.bytes * _FULL:
            surplus = max(surplus, int(count * (1 - self.bytes * _LOW / used)) + 1)
        return floor + surplus - 1

    def since(self, now: float) -> int | None:
        """Return the wall milliseconds before which events go, at a wall second; None if their age does not matter."""
        return None if self.days is None else int((now - self.days * 86_400) * 1000)


def retention_from(environment: Mapping[str, str] = os.environ) -> Retention:
    """Read POLYFLEET_RETENTION_EVENTS, _BYTES and _DAYS. Raises InvalidInput for what is no such number."""
    default = Retention()
    return Retention(
        events=int(number_setting(environment, "POLYFLEET_RETENTION_EVENTS", default.events, _FEWEST)),
        bytes=int(number_setting(environment, "POLYFLEET_RETENTION_BYTES", default.bytes, _FEWEST_BYTES)),
        days=number_setting(environment, "POLYFLEET_RETENTION_DAYS", 0, 0) or None,
    )

"""The event envelope and the closed list of event types: one fact in the log each."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Type(StrEnum):
    """The types that an event may have."""

    DECISION = "decision"
    TRADE = "trade"
    ORDER = "order"
    FORECAST = "forecast"
    AGENT = "agent"
    RISK = "risk"
    RESOLUTION = "resolution"
    INFO = "info"
    OPPORTUNITY = "opportunity"
    TELEGRAM = "telegram"
    CROSSCHAIN = "crosschain"
    ERROR = "error"
    AUDIT = "audit"
    EQUITY = "equity"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `seq` is 0 until the ledger has numbered it; `id` is source/incarnation/n and unique for ever.

    `timestamp` is wall time in epoch milliseconds; `incarnation` is the source's.
    """

    id: str
    type: Type
    source: str
    agent_id: str | None
    incarnation: int
    timestamp: int
    data: dict[str, Any] = field(default_factory=dict)
    seq: int = 0

    def numbered(self, seq: int) -> "Event":
        """Return the event with its place in the log."""
        return replace(self, seq=seq)

    def json(self) -> dict[str, Any]:
        """Return the event as clients see it."""
        return {
            "seq": self.seq,
            "id": self.id,
            "type": str(self.type),
            "source": self.source,
            "agentId": self.agent_id,
            "incarnation": self.incarnation,
            "timestamp": self.timestamp,
            "data": self.data,
        }


def parse_event(fields: dict[str, Any]) -> Event:
    """Read an event in the form of `Event.json`."""
    return Event(
        id=fields["id"],
        type=Type(fields["type"]),
        source=fields["source"],
        agent_id=fields["agentId"],
        incarnation=fields["incarnation"],
        timestamp=fields["timestamp"],
        data=fields["data"],
        seq=fields["seq"],
    )

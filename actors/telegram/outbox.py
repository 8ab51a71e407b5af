"""What is durable of one chat's alerts: how far the log was told, and the message that is on its way."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Pending:
    """A message that is to be sent; it tells the log up to `through`."""

    id: str
    text: str
    through: int
    silent: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Outbox:
    """`cursor`: the seq up to which the log was told. `day` and `totals`: of the last daily summary.

    `gone` says since when (wall milliseconds) the chat cannot be reached.
    """

    cursor: int
    day: str
    totals: dict[str, int] = field(default_factory=dict)
    pending: Pending | None = None
    gone: int | None = None

    def settled(self) -> "Outbox":
        """Return what is left once the pending message was sent or has failed."""
        assert self.pending is not None
        return replace(self, cursor=max(self.cursor, self.pending.through), pending=None)

    def wire(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def parse_outbox(fields: dict[str, Any]) -> Outbox:
    """Read the form of `Outbox.wire`."""
    pending = fields["pending"]
    return Outbox(**fields | {"pending": Pending(**pending) if pending else None})

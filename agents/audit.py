"""Who asked for what: the data of `audit` events, and the answers in them that an idempotency key can have again."""

from dataclasses import dataclass, field
from typing import Any

from agents.events import Event, Type

#: Answers that are kept at most, for how many milliseconds, and the characters that one may have.
KEPT = 256
LIFETIME = 24 * 3_600_000
LONGEST = 16_384


@dataclass(slots=True)
class Answer:
    """What a request was answered, with which others are the same by their `fingerprint`; a `body` too long to keep is None."""

    fingerprint: str
    status: int
    body: str | None
    timestamp: int


@dataclass(slots=True)
class Answers:
    """The latest answers by idempotency key, folded from `audit` events, the oldest first."""

    by_key: dict[str, Answer] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Remember the answer of an event that has one, and forget what is too old or too much."""
        data = event.data
        if event.type is not Type.AUDIT or "key" not in data:
            return
        answer = Answer(data["fingerprint"], data["status"], data["answer"], event.timestamp)
        fresh = {key: kept for key, kept in self.by_key.items() if event.timestamp - kept.timestamp < LIFETIME}
        fresh.pop(data["key"], None)
        fresh[data["key"]] = answer
        self.by_key = dict(list(fresh.items())[-KEPT:])

    def find(self, key: str, now: int) -> Answer | None:
        """Return the answer to an idempotency key, if there was one in the last 24 hours; `now` is epoch milliseconds."""
        answer = self.by_key.get(key)
        return answer if answer and now - answer.timestamp < LIFETIME else None


def audit_data(*, by: str, method: str, path: str, status: int, correlation_id: str | None = None) -> dict[str, Any]:
    """Return the data of an `audit` event: who changed something by which request, and how it was answered.

    `by` is the name of a token, or of another way in. No body is in it, since bodies may hold secrets.
    """
    return {"by": by, "method": method, "path": path, "status": status, "correlationId": correlation_id}


def with_answer(data: dict[str, Any], *, key: str, fingerprint: str, body: str) -> dict[str, Any]:
    """Return the data of an `audit` event whose answer can be had again by an idempotency key."""
    return data | {"key": key, "fingerprint": fingerprint, "answer": body if len(body) <= LONGEST else None}

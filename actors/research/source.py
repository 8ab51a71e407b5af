"""What a source of news is, and how what it sends is read."""

from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from agents.errors import Unavailable

#: How far back news are asked for.
LOOKBACK = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Article:
    """A document as a source gave it: `content` is HTML or text, `published` venue milliseconds, None if it does not say.

    `publisher` is empty where the source does not tell it.
    """

    publisher: str
    url: str
    title: str
    content: str
    published: int | None


class Source(Protocol):
    """One source. `fetch` raises Unavailable, in one sentence without any key, when it could not be asked."""

    @property
    def name(self) -> str:
        """What notes and logs call it."""

    @property
    def searches(self) -> bool:
        """Whether what it returns depends on the query: where not, one fetch serves all queries."""

    @property
    def rate(self) -> str:
        """How often it may be asked, by the wall's clock, as `limits` reads it."""

    async def fetch(self, query: str, as_of: int, limit: int) -> list[Article]:
        """Return at most `limit` articles on a query, as far as it can only those published at or before `as_of`."""

    async def close(self) -> None:
        """Give back its connections."""


def moment(at: int) -> datetime:
    """Return epoch milliseconds as a time in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC)


def milliseconds(written: object) -> int | None:
    """Return a time that a source wrote (ISO 8601 or as in mail) in epoch milliseconds, None for what is no such time.

    Without a zone it is UTC. A day without an hour is its end: the document may have been published as late as that.
    """
    if not isinstance(written, str):
        return None
    try:
        if len(written.strip()) == len("2026-01-31"):
            day = date.fromisoformat(written.strip())
            return (timegm(day.timetuple()) + 86_400) * 1000 - 1
        at = datetime.fromisoformat(written.strip())
    except ValueError:
        try:
            at = parsedate_to_datetime(written)
        except ValueError:
            return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    try:
        return int(at.timestamp() * 1000)
    except (OverflowError, ValueError):
        return None


def listed(answer: object, key: str, name: str) -> list[Mapping[str, Any]]:
    """Return the objects listed under a key of a JSON answer. Raises Unavailable if there is no such list."""
    found = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise Unavailable(f"{name} answered something that is no list of articles; see whether its address is right")
    return [item for item in found if isinstance(item, dict)]


def worded(fields: Mapping[str, Any], key: str) -> str:
    """Return a text field, empty for anything else."""
    value = fields.get(key)
    return value if isinstance(value, str) else ""

"""The ways in which the venue writes a time; all take epoch milliseconds."""

from datetime import UTC, datetime


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def rfc3339(milliseconds: int) -> str:
    """Write a time as Gamma does mostly: 2026-06-18T00:02:51.727Z, the fraction left out where it is zero."""
    fraction = f"{milliseconds % 1000 / 1000:.3f}".rstrip("0")[1:] if milliseconds % 1000 else ""
    return f"{_moment(milliseconds):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def spaced(milliseconds: int) -> str:
    """Write a time as `closedTime` is written: 2026-09-09 14:25:04+00."""
    return f"{_moment(milliseconds):%Y-%m-%d %H:%M:%S}+00"


def day(milliseconds: int) -> str:
    """Write a bare date."""
    return f"{_moment(milliseconds):%Y-%m-%d}"


def parse(text: str) -> int:
    """Read RFC 3339 or a bare date (UTC unless it says otherwise). Raises ValueError if it is neither."""
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)

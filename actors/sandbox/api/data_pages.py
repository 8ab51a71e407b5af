"""The Data API's envelope: cursor pages, and refusals with a code and a trace id."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from actors.sandbox.api.messages import Answer, Call
from actors.sandbox.records import Refused

_DEFAULT = 100
_MOST = 1000
_CODES = {400: "invalid_request", 404: "not_found"}


def page(call: Call, rows: Sequence[Any], most: int = _MOST) -> dict[str, Any]:
    """Return one page of rows. Raises Refused (400) for an offset, which this API does not take, or a bad cursor."""
    if "offset" in call.query:
        raise Refused("offset is not supported, use cursor")
    limit = integer(call, "limit") or _DEFAULT
    if not 1 <= limit <= most:
        raise Refused(f"limit must be between 1 and {most}")
    start = _decode(call.one("cursor"))
    shown = rows[start : start + limit]
    following = start + len(shown)
    more = following < len(rows)
    return {
        "data": list(shown),
        "pagination": {
            "limit": limit,
            "offset": start,
            "has_more": more,
            "next_cursor": base64.urlsafe_b64encode(str(following).encode()).decode() if more else None,
        },
    }


def integer(call: Call, name: str) -> int | None:
    """Return a whole number of the query, or None if it is not given."""
    value = call.one(name)
    if not value:
        return None
    if not value.isdecimal():
        raise Refused(f"{name} must be a positive integer")
    return int(value)


def window(call: Call) -> tuple[int, int]:
    """Return `start` and `end` in epoch milliseconds; open ends are as wide as can be."""
    start, end = integer(call, "start"), integer(call, "end")
    return (start or 0) * 1000, 2**62 if end is None else end * 1000 + 999


def conditions(call: Call) -> list[str]:
    """Return the condition ids asked for. Raises Refused (400) if events are asked for too."""
    found = call.listed("condition_id", "condition")
    if found and call.one("event_id"):
        raise Refused("must provide either eventId or condition, not both")
    return found


def refuse(refused: Refused) -> Answer:
    """Word a refusal as the Data API does."""
    content = {
        "error": refused.message,
        "code": refused.code or _CODES.get(refused.status, "error"),
        "retryable": refused.status >= 500,
        "trace_id": uuid4().hex,
    }
    return Answer(content, refused.status)


def _decode(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        start = int(base64.urlsafe_b64decode(cursor))
    except (binascii.Error, ValueError):
        start = -1
    if start < 0:
        raise Refused("invalid cursor")
    return start

"""The CLOB's pages: opaque base64 cursors of an offset, and `LTE=` for the end, which is itself no cursor."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from actors.sandbox.records import Refused

END = "LTE="

T = TypeVar("T")


def page(rows: Sequence[T], cursor: str, limit: int, write: Callable[[T], Any]) -> dict[str, Any]:
    """Return one page of rows. Raises Refused (400) for a cursor that is none."""
    offset = _offset(cursor)
    shown = rows[offset : offset + limit]
    following = offset + len(shown)
    return {
        "data": [write(row) for row in shown],
        "next_cursor": encode(following) if following < len(rows) else END,
        "limit": limit,
        "count": len(shown),
    }


def encode(offset: int) -> str:
    """Return the cursor of an offset."""
    return base64.b64encode(str(offset).encode()).decode()


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        offset = int(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError):
        raise Refused("invalid next_cursor") from None
    if offset < 0:
        raise Refused("next item should be greater than or equal to 0")
    return offset

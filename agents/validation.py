"""From a failed validation to the one sentence that a user reads."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from agents.errors import InvalidInput

#: Characters of a wrong value that are shown.
_SHOWN = 60


def explain(error: ValidationError, *prefix: str) -> str:
    """Return where the first mistake is, under a prefix, and what was expected: "params.window: input should be ..., not 0"."""
    first, *others = error.errors(include_url=False)
    path = _path((*prefix, *first["loc"]))
    more = f" (and {len(others)} more)" if others else ""
    return f"{path}: {_message(dict(first))}{more}"


def invalid(error: ValidationError, *prefix: str) -> InvalidInput:
    """Return the error that tells a user of it, with the details of every mistake."""
    details = [
        {"field": _path((*prefix, *found["loc"])), "message": _message(dict(found)), "type": found["type"]}
        for found in error.errors(include_url=False)
    ]
    return InvalidInput(explain(error, *prefix), details)


def wrong(field: str, message: str, type: str = "value_error") -> InvalidInput:
    """Return the error that tells a user of one wrong field."""
    return InvalidInput(f"{field}: {message}", [{"field": field, "message": message, "type": type}])


def whole(value: Any) -> Any:
    """Return a number without a fraction as an integer, which 5.0 is in JSON; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _path(parts: Sequence[int | str]) -> str:
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def _message(found: dict[str, Any]) -> str:
    if found["type"] == "extra_forbidden":
        return "there is no such field"
    if found["type"] == "missing":
        return "it is missing"
    message = str(found["msg"])
    if found["type"] == "value_error":
        # One of our own, which says what is wrong.
        return message.removeprefix("Value error, ")
    value = found["input"]
    shown = repr(value) if not isinstance(value, dict | list | tuple) else f"a {type(value).__name__}"
    return f"{message[:1].lower()}{message[1:]}, not {shown[:_SHOWN]}"

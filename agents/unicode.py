"""Text that came from outside cut in the middle of a character, such as a title that lost half of its emoji."""

import re
from typing import Any

#: How JSON writes a character beyond 16 bits, or half of one.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def may_be_torn(text: str) -> bool:
    """Whether JSON text may hold half of a character, so that what was parsed of it needs to be `repaired`."""
    return _SURROGATE.search(text) is not None


def repaired(content: Any) -> Any:
    """Return parsed JSON with a question mark for each half of a surrogate pair: JSON can say one, UTF-8 cannot."""
    match content:
        case str():
            return content.encode(errors="replace").decode()
        case dict():
            return {repaired(name): repaired(value) for name, value in content.items()}
        case list() | tuple():
            return [repaired(each) for each in content]
    return content

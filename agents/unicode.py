"""Text that came from outside cut in the middle of a character, such as a title that lost half of its emoji."""

from typing import Any


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

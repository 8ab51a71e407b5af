"""Bursts as one message: as many alerts as fit, in their order."""

from collections.abc import Sequence

from agents.alerts.markup import LONGEST, cut, length

_BETWEEN = "\n\n"


def grouped(texts: Sequence[str]) -> tuple[str, int]:
    """Return one message of the first alerts of a list, and how many it holds: at least one, cut if it is too long alone."""
    message = cut(texts[0])
    count = 1
    for text in texts[1:]:
        longer = f"{message}{_BETWEEN}{text}"
        if length(longer) > LONGEST:
            break
        message, count = longer, count + 1
    return message, count

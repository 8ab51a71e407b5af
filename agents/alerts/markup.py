"""Telegram's `Markdown` parse mode, which the seed's messages are written in, and its limits.

What comes from outside is escaped, so that it is shown as it is: in this mode a backslash before one of four characters
takes their meaning away, and nothing else has any. Only words of ours are bold.
"""

import re

from agents.rag.text import plain

PARSE_MODE = "Markdown"

#: The most that one message may hold, in UTF-16 code units, as Telegram counts.
LONGEST = 4096

_SPECIAL = re.compile(r"([_*`\[])")


def escaped(text: str) -> str:
    """Return a text that is shown as it is."""
    return _SPECIAL.sub(r"\\\1", text)


def outside(text: object, limit: int = 300) -> str:
    """Return text from outside on one line: without unseen characters, not too long, escaped."""
    return escaped(plain(str(text), limit).replace("\n", " "))


def bold(words: str) -> str:
    """Return words of ours in bold; they must not hold markup."""
    return f"*{words}*"


def length(text: str) -> int:
    """Return the length of a text as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def unmarked(text: str) -> str:
    """Return what a reader sees of a text."""
    return re.sub(r"\\([_*`\[])|\*", lambda found: found[1] or "", text)


def cut(text: str, limit: int = LONGEST) -> str:
    """Return a text of whole lines that fits into one message; a line says if something is left out."""
    if length(text) <= limit:
        return text
    kept: list[str] = []
    room = limit - 2
    for line in text.split("\n"):
        room -= length(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join([*kept, "…"])

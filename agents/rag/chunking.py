"""Cuts a text into chunks for embedding, at the ends of sentences where it can."""

import re
from collections.abc import Iterator

#: Characters of a chunk: about 300 tokens, some paragraphs of news.
SIZE = 1200

_SENTENCE_END = re.compile(r"(?<=[.!?\u2026])[\"'\u2019\u201d)\]]*\s+|\n+")


def chunks(text: str, size: int = SIZE) -> list[str]:
    """Return a text's chunks in their order, none longer than `size` characters and all of them full but the last ones."""
    found: list[str] = []
    current = ""
    for sentence in _sentences(text, size):
        if current and len(current) + 1 + len(sentence) > size:
            found.append(current)
            current = ""
        current = f"{current} {sentence}" if current else sentence
    return [*found, current] if current else found


def _sentences(text: str, size: int) -> Iterator[str]:
    start = 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]:
        sentence = text[start:end].strip()
        start = end
        while len(sentence) > size:
            cut = sentence.rfind(" ", size // 2, size)
            cut = size if cut < 0 else cut
            yield sentence[:cut].rstrip()
            sentence = sentence[cut:].lstrip()
        if sentence:
            yield sentence

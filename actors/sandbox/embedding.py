"""Embeddings of the simulated model: hashed bags of words, so that texts with words in common lie near each other."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import log, sqrt
from zlib import crc32

from actors.sandbox.words import telling, words

DIMENSIONS = 256


def embedding(text: str | Sequence[int], dimensions: int = DIMENSIONS) -> list[float]:
    """Return the unit vector of a text, or of its tokens; the same on every machine."""
    if not isinstance(text, str):
        return _vector(Counter(f"#{token}" for token in text).items(), dimensions)
    counts = Counter(words(text))
    return _vector(((word, counts[word]) for word in telling(text)), dimensions)


def _vector(counts: Iterable[tuple[str, int]], dimensions: int) -> list[float]:
    vector = [0.0] * dimensions
    for word, count in counts:
        place = _hash(word)
        vector[(place >> 1) % dimensions] += (1.0 + log(count)) * (1.0 if place & 1 else -1.0)
    length = sqrt(sum(value * value for value in vector))
    if length == 0.0:
        return [1.0] + [0.0] * (dimensions - 1)
    return [value / length for value in vector]


@lru_cache(maxsize=8192)
def _hash(word: str) -> int:
    return crc32(word.encode())

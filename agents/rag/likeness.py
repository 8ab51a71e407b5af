"""Whether two texts say the same in nearly the same words, as the copies of one agency's report do."""

import re
from dataclasses import dataclass

#: Words of a run; long enough that two reports on one matter share few by chance.
_RUN = 4
#: The part of the shorter text's runs that the other must have, for the two to be alike.
_SHARED = 0.8

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What two texts are compared by: the runs of four words (shingles), and the numbers."""

    runs: frozenset[tuple[str, ...]]
    numbers: frozenset[str]


def fingerprint(text: str) -> Fingerprint:
    """Return the fingerprint of a text, to which case and punctuation do not matter; of a short text all words are one run."""
    words = _WORD.findall(text.casefold())
    runs = zip(*(words[n:] for n in range(_RUN)), strict=False) if len(words) > _RUN else [tuple(words)]
    return Fingerprint(frozenset(runs), frozenset(_NUMBER.findall(text)))


def alike(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether one text repeats most of the other and all its numbers: the same report with a new number is news."""
    shorter, longer = sorted((one, other), key=lambda text: len(text.runs))
    return shorter.numbers <= longer.numbers and len(shorter.runs & longer.runs) >= _SHARED * len(shorter.runs)

"""Words of a text, as the simulated news wire and the simulated model compare texts by them."""

import re

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, in their order; numbers are words."""
    return _WORD.findall(text.lower())


#: Words that tell nothing of what a text is about.
_COMMON = frozenset(
    words(
        "a about an and any are as at be been before by can could did do does for from had has have how if in into is it its "
        "may more most not of on or our out said say says so than that the their them then there these they this to was were "
        "what when where whether which who why will with would you your"
    )
)


def telling(text: str) -> list[str]:
    """Return the words that tell what a text is about, each once, in their order."""
    return [word for word in dict.fromkeys(words(text)) if word not in _COMMON]


def overlap(text: str, subject: str) -> float:
    """Return the part (0 to 1) of a subject's telling words that a text has."""
    wanted = telling(subject)
    found = set(words(text))
    return sum(word in found for word in wanted) / len(wanted) if wanted else 0.0

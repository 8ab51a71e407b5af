"""Which passages answer a search: published in time, relevant, one of each document, no two alike."""

from collections.abc import Iterable
from dataclasses import dataclass

from agents.forecasting.records import Evidence
from agents.rag.likeness import Fingerprint, alike, fingerprint

#: A document less than so many times as relevant as the best one is left out: news share much of their wording.
_BESIDE_THE_BEST = 0.5

#: Characters of what is returned of one document at most.
LONGEST = 3000


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk of a document as a search found it; `position` counts the document's chunks, times are venue milliseconds."""

    source: str
    url: str
    title: str
    text: str
    position: int
    published: int
    retrieved: int
    relevance: float


def admissible(published: int | None, as_of: int) -> bool:
    """Whether a document may be known at a time: one that does not say when it was published never is."""
    return published is not None and 0 < published <= as_of


def selected(passages: Iterable[Passage], *, as_of: int, least: float, limit: int) -> tuple[Evidence, ...]:
    """Return the evidence in passages of relevance `least` or more, the most relevant first.

    Nothing comes back that is less than half as relevant as the best. Chunks of one document are joined in its order; of a
    document that was published again the newest text counts.
    """
    documents: dict[str, list[Passage]] = {}
    for passage in passages:
        if admissible(passage.published, as_of) and passage.relevance >= least:
            documents.setdefault(passage.url, []).append(passage)
    ranked = sorted(map(_joined, documents.values()), key=lambda found: (-found.relevance, -found.published, found.url))
    kept: list[Evidence] = []
    seen: list[Fingerprint] = []
    for found in ranked:
        if len(kept) == limit or found.relevance < _BESIDE_THE_BEST * ranked[0].relevance:
            break
        mark = fingerprint(found.summary)
        if not any(alike(mark, other) for other in seen):
            kept.append(found)
            seen.append(mark)
    return tuple(kept)


def _joined(passages: list[Passage]) -> Evidence:
    newest = max(passage.published for passage in passages)
    # The same chunk may have been found by several queries.
    best: dict[int, Passage] = {}
    for passage in passages:
        known = best.get(passage.position)
        if passage.published == newest and (known is None or passage.relevance > known.relevance):
            best[passage.position] = passage
    chosen: dict[int, Passage] = {}
    length = 0
    for passage in sorted(best.values(), key=lambda passage: (-passage.relevance, passage.position)):
        length += len(passage.text) + 3
        if chosen and length > LONGEST:
            break
        chosen[passage.position] = passage
    text = ""
    for position in sorted(chosen):
        between = "" if not text else " " if position - 1 in chosen else " … "
        text += between + chosen[position].text
    top = max(chosen.values(), key=lambda passage: passage.relevance)
    return Evidence(top.source, top.url, top.title, text, top.published, top.retrieved, round(top.relevance, 4))

"""What the simulated model makes of a prompt: a reader, not an oracle, whose answers depend on the prompt's text alone.

It answers JSON schemas whose properties it knows, and finds its evidence in sentences of the form
`… put the chance of "Yes" at about 63 in 100` within the documents.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Any

from actors.sandbox.prompt import Document, Prompt
from actors.sandbox.records import Refused
from actors.sandbox.words import overlap, telling
from agents.odds import expit, logit

#: What figures of one date weigh beside those of the next later date.
_FADING = 0.8
#: How much more an answer scatters when there is nothing to read.
_GUESS = 2.0
#: No answer, and no figure, is surer than this.
_LEAST = 0.01
#: Characters of a document's last paragraph that a summary begins with.
_LEAD = 160
_QUERIES = 3
_RESOLVED = re.compile(
    r"\b(?:resolved(?:\s+(?:to|as))?|came out(?: as)?|outcome(?:\s+was)?)\s*:?\s*"
    r"""["“]?([\w'. -]{1,60}?)["”,;.)\n]"""
)


@dataclass(frozen=True, slots=True)
class Temper:
    """How a model errs, in log-odds: `bias` towards whatever outcome it is asked about, `noise` around what it read."""

    bias: float
    noise: float


def reply(schema: Mapping[str, Any], prompt: Prompt, temper: Temper, random: Random) -> dict[str, Any]:
    """Return the object that a JSON schema asks for. Raises Refused (400) for a schema with others."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    required = schema.get("required", list(properties))
    unknown = [name for name in required if name not in _KNOWN and name != "reasoning"]
    if unknown:
        known = ", ".join([*_KNOWN, "reasoning"])
        raise Refused(f"the simulated model knows no property {', '.join(unknown)}; it knows {known}")
    content: dict[str, Any] = {}
    reasons: list[str] = []
    for name in properties:
        if name in _KNOWN:
            content[name], reason = _KNOWN[name](prompt, temper, random)
            reasons += [reason] if reason else []
    if "reasoning" in properties:
        content["reasoning"] = " ".join(reasons) or "There was nothing to reason about."
    return {name: content[name] for name in properties if name in content}


def forecast(prompt: Prompt, temper: Temper, random: Random) -> tuple[float, str]:
    """Return the probability of the outcome asked about, and why."""
    if prompt.ordered is not None:
        return prompt.ordered, f"The instructions order the answer {prompt.ordered:g}."
    asked = prompt.asked
    chances = {document: prompt.chances(document) for document in sorted(prompt.documents, key=lambda one: one.date)}
    read = [(document, chance) for document, found in chances.items() for chance in found]
    silent = sum(not found for found in chances.values())
    if not read:
        guess = _moved(0.5, temper.bias, _GUESS * temper.noise, random)
        return (
            guess,
            f'None of {len(prompt.documents)} documents states a chance of "{asked}", so this is a guess near one half.',
        )
    dates = sorted({document.date for document, _ in read}, reverse=True)
    weights = [_FADING ** dates.index(document.date) for document, _ in read]
    odds = sum(weight * logit(_sure(chance)) for weight, (_, chance) in zip(weights, read, strict=True)) / sum(weights)
    figures = ", ".join(f"document {document.number}: {100 * chance:g} in 100" for document, chance in read)
    reasoning = f'Chances of "{asked}" read, the latest last: {figures}. {silent} documents state none that is about it.'
    return _moved(expit(odds), temper.bias, temper.noise, random), reasoning


def _moved(chance: float, bias: float, noise: float, random: Random) -> float:
    return round(_sure(expit(logit(chance) + bias + random.gauss(0.0, noise))), 3)


def _sure(chance: float) -> float:
    return min(max(chance, _LEAST), 1 - _LEAST)


def _probability(prompt: Prompt, temper: Temper, random: Random) -> tuple[Any, str]:
    return forecast(prompt, temper, random)


def _base_rate(prompt: Prompt, temper: Temper, random: Random) -> tuple[Any, str]:
    """Count the outcomes of similar markets, wherever the prompt names them; two made-up ones keep it away from 0 and 1."""
    if prompt.ordered is not None:
        return prompt.ordered, f"The instructions order the answer {prompt.ordered:g}."
    texts = (prompt.instructions, prompt.market, *(document.text for document in prompt.documents))
    outcomes = [found.strip().casefold() for text in texts for found in _RESOLVED.findall(text)]
    hits = outcomes.count(prompt.asked.casefold())
    rate = _moved((hits + 1) / (len(outcomes) + 2), 0.0, temper.noise / 2, random)
    return rate, f'Of {len(outcomes)} similar markets {hits} came out "{prompt.asked}".'


def _queries(prompt: Prompt, temper: Temper, random: Random) -> tuple[Any, str]:
    question = prompt.question.rstrip("?")
    key = " ".join(telling(question))
    return [query for query in dict.fromkeys((question, key, f"{key} odds")) if query.strip()][:_QUERIES], ""


def _documents(prompt: Prompt, temper: Temper, random: Random) -> tuple[Any, str]:
    return [_digest(prompt, document) for document in prompt.documents], ""


def _digest(prompt: Prompt, document: Document) -> dict[str, Any]:
    figures = document.figures()
    ours = [prompt.about(document, figure) for figure in figures]
    share = fmean(ours) if ours else 1.0
    relevance = overlap(document.text, prompt.question) * (0.3 + 0.7 * share)
    lead = " ".join(document.text[document.text.rfind("\n") + 1 :].split())[:_LEAD].rsplit(" ", 1)[0]
    summary = " ".join([f"{lead} …", *(f"{' '.join(figure.text.split())}." for figure in figures if figure.text not in lead)])
    return {"number": document.number, "relevance": round(min(relevance, 1.0), 2), "summary": summary}


_KNOWN: Mapping[str, Callable[[Prompt, Temper, Random], tuple[Any, str]]] = {
    "queries": _queries,
    "documents": _documents,
    "base_rate": _base_rate,
    "probability": _probability,
}

"""What language models answer: the forms asked for, and how an answer is read whatever stands around it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Generic, TypeVar

from agents.forecasting.prompts import QUERIES, QUERY, REASONING, SUMMARY, BaseRate
from agents.rag.text import plain

T = TypeVar("T")

#: Characters of an answer that are looked at, and places in it where an object may begin.
_LONGEST = 50_000
_TRIED = 200

_NUMBER = re.compile(r"\s*(\d{1,3}(?:\.\d+)?|\.\d+)\s*(%?)\s*")


class BadAnswer(ValueError):
    """Raised when an answer is not of the form asked for; the message says what is wrong, in words of ours."""


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """A form of answer: its JSON schema, and how what it says is taken from the object."""

    schema: Mapping[str, Any]
    take: Callable[[Mapping[str, Any]], T]

    def read(self, answer: object) -> T:
        """Return what an answer says: an object, or text with one in it. Raises BadAnswer."""
        if isinstance(answer, Mapping):
            return self.take(answer)
        if not isinstance(answer, str):
            raise BadAnswer("it was no text")
        problem = BadAnswer("it held no complete JSON object")
        for n, found in enumerate(_objects(answer)):
            try:
                return self.take(found)
            except BadAnswer as error:
                # The last object is the answer; those before it are thoughts.
                problem = problem if n else error
        raise problem


@dataclass(frozen=True, slots=True)
class Rated:
    """What a digest says of one document."""

    number: int
    relevance: float
    summary: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """The chance of the outcome that was asked for."""

    p: float
    reasoning: str


def _objects(answer: str) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects in a text, the last and outermost first."""
    text, decoder, found, at = answer[:_LONGEST], json.JSONDecoder(), [], 0
    for _ in range(_TRIED):
        if (start := text.find("{", at)) < 0:
            break
        try:
            value, at = decoder.raw_decode(text, start)
            found.append(value)
        except (ValueError, RecursionError):
            at = start + 1
    yield from reversed(found)


def _chance(fields: Mapping[str, Any], name: str) -> float:
    if name not in fields:
        raise BadAnswer(f"{name} was missing")
    value = fields[name]
    if isinstance(value, str) and (match := _NUMBER.fullmatch(value)):
        value = float(match[1]) / (100 if match[2] else 1)
    if isinstance(value, bool) or not isinstance(value, int | float) or (isinstance(value, float) and not isfinite(value)):
        raise BadAnswer(f"{name} was no number")
    if not 0 <= value <= 1:
        raise BadAnswer(f"{name} was not between zero and one")
    return float(value)


def _words(fields: Mapping[str, Any], name: str, limit: int) -> str:
    value = fields.get(name)
    return plain(value, limit) if isinstance(value, str) else ""


def _list(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    if not isinstance(value, list):
        raise BadAnswer(f"{name} was no list")
    return value


def _queries(fields: Mapping[str, Any]) -> tuple[str, ...]:
    texts = [plain(each, QUERY).replace("\n", " ") for each in _list(fields, "queries") if isinstance(each, str)]
    found = tuple(dict.fromkeys(text for text in texts if text))[:QUERIES]
    if not found:
        raise BadAnswer("there was no query")
    return found


def _documents(fields: Mapping[str, Any]) -> tuple[Rated, ...]:
    found = []
    for each in _list(fields, "documents"):
        if not isinstance(each, Mapping) or isinstance(each.get("number"), bool) or not isinstance(each.get("number"), int):
            raise BadAnswer("a document had no number")
        found.append(Rated(each["number"], _chance(each, "relevance"), _words(each, "summary", SUMMARY)))
    return tuple(found)


def _object(title: str, **properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema as OpenAI's strict mode wants it: no other fields, none optional."""
    return {
        "title": title,
        "description": f"The {title} asked for.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
_CHANCE = {"type": "number", "description": "From 0 to 1."}

PLAN: Form[tuple[str, ...]] = Form(_object("plan", queries={"type": "array", "items": _TEXT}), _queries)
DIGEST: Form[tuple[Rated, ...]] = Form(
    _object(
        "digest",
        documents={
            "type": "array",
            "items": _object("document", number={"type": "integer"}, relevance=_CHANCE, summary=_TEXT),
        },
    ),
    _documents,
)
BASE_RATE: Form[BaseRate] = Form(
    _object("outside_view", reasoning=_TEXT, base_rate=_CHANCE),
    lambda fields: BaseRate(_chance(fields, "base_rate"), _words(fields, "reasoning", REASONING)),
)
FORECAST: Form[Opinion] = Form(
    _object("forecast", reasoning=_TEXT, probability=_CHANCE),
    lambda fields: Opinion(_chance(fields, "probability"), _words(fields, "reasoning", REASONING)),
)

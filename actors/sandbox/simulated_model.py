"""The simulated language model: how its name tells its faults and errors, and what it answers to a chat request.

`simulated` may carry options, as in `simulated/bias=0.4/noise=0.3/malformed=0.2/truncated=0.1/error429=0.1/error500=0.1` and
`/slow=5`; any other name is a model without faults, whose small noise is its own. An answer follows from the request alone
(its `seed` included); faults come by chance, so that a repeated request may succeed.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from random import Random
from typing import Any

from actors.sandbox import prompt, reader
from actors.sandbox.reader import Temper
from actors.sandbox.records import Refused

PREFIX = "simulated"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a model errs. `bias` and `noise` are log-odds, `slow` wall seconds before each answer, the others chances."""

    bias: float = 0.1
    noise: float = 0.25
    malformed: float = 0.0
    truncated: float = 0.0
    error429: float = 0.0
    error500: float = 0.0
    slow: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """One choice of an answer; `finish` is OpenAI's finish_reason."""

    text: str
    finish: str = "stop"


def behaviour(model: str) -> Behaviour:
    """Return how a model of this name behaves. Raises Refused for an option that is wrong."""
    name, *options = model.split("/")
    if name != PREFIX:
        return Behaviour()
    known = {field.name for field in fields(Behaviour)}
    chosen: dict[str, float] = {}
    for option in options:
        key, _, value = option.partition("=")
        if key not in known:
            raise Refused(f"model {model!r}: there is no option {key!r}; it takes {', '.join(sorted(known))}")
        number = _number(value)
        most = 1.0 if key in ("malformed", "truncated", "error429", "error500") else 600.0 if key == "slow" else 10.0
        if number is None or not (-10.0 if key == "bias" else 0.0) <= number <= most:
            raise Refused(f"model {model!r}: {key} is {value!r}; a number up to {most:g} was expected")
        chosen[key] = number
    return Behaviour(**chosen)


def answer(request: Mapping[str, Any], choice: int = 0) -> str:
    """Return what the model answers to a chat request. Raises Refused."""
    how = behaviour(request["model"])
    read = prompt.read(_texts(request["messages"]))
    digest = sha256(json.dumps([request, choice], sort_keys=True, default=str).encode()).hexdigest()
    random, temper = Random(digest), Temper(how.bias, how.noise)
    schema = _schema(request.get("response_format"))
    if schema is None:
        p, reasoning = reader.forecast(read, temper, random)
        return f"{reasoning} Probability: {p:g}"
    return json.dumps(reader.reply(schema, read, temper, random))


def spoilt(text: str, how: Behaviour, limit: int | None, chance: Random) -> Reply:
    """Return an answer with the faults that fall on it; `limit` is the most tokens that it may have."""
    if limit is not None and tokens(text) > limit:
        return Reply(text[: 4 * limit], "length")
    if chance.random() < how.truncated:
        return Reply(text[: max(1, len(text) // 2)], "length")
    if chance.random() < how.malformed:
        return Reply(chance.choice(_MALFORMED)(text))
    return Reply(text)


def tokens(text: str) -> int:
    """Return about how many tokens a text is."""
    return math.ceil(len(text) / 4)


def prompt_tokens(messages: Sequence[Any]) -> int:
    """Return about how many tokens a prompt is."""
    return sum(4 + tokens(text) for text in _texts(messages))


def _texts(messages: Sequence[Any]) -> list[str]:
    """Return the texts of messages; what the model itself said before instructs it no more."""
    found: list[str] = []
    for message in messages:
        if not isinstance(message, Mapping) or "role" not in message:
            raise Refused("each of messages must be an object with a role and content")
        if message["role"] == "assistant":
            continue
        content = message.get("content")
        parts = content if isinstance(content, list) else [content]
        texts: list[str] = []
        for part in parts:
            text = part.get("text") if isinstance(part, Mapping) else part
            if not isinstance(text, str):
                raise Refused("the content of a message must be text")
            texts.append(text)
        # A lone surrogate, which JSON can hold, could not be sent back.
        found.append("\n".join(texts).encode("utf-8", "replace").decode())
    return found


def _schema(wanted: Any) -> Mapping[str, Any] | None:
    """Return the JSON schema of a response_format, None where plain text is wanted."""
    if wanted is None or (isinstance(wanted, Mapping) and wanted.get("type") == "text"):
        return None
    if isinstance(wanted, Mapping) and wanted.get("type") == "json_object":
        return {"properties": {"reasoning": {}, "probability": {}}}
    try:
        schema = wanted["json_schema"]["schema"]
        properties = schema["properties"]
    except (KeyError, TypeError):
        properties = None
    if not isinstance(properties, Mapping):
        raise Refused("response_format must be a json_schema of an object with properties")
    return dict(schema)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _wrong_values(text: str) -> str:
    """Answer in JSON that does not fit the schema: a word for every number and list."""
    try:
        content = json.loads(text)
    except ValueError:
        return "{}"
    return json.dumps({name: value if isinstance(value, str) else "high" for name, value in content.items()})


_MALFORMED: Sequence[Callable[[str], str]] = (
    lambda text: text[: max(1, 2 * len(text) // 3)],
    lambda text: text.replace('"', "'"),
    lambda text: text.replace('": ', '" '),
    lambda text: f"Of course! Here is what you asked for:\n```json\n{text}\n```\nIs there anything else?",
    lambda text: "I'm sorry, but I can't forecast that.",
    lambda text: "{}",
    _wrong_values,
)

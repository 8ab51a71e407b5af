"""The simulated language model over HTTP, as OpenAI's API words it: chat completions, embeddings, models, and an outage."""

import asyncio
import base64
import struct
import time
from collections.abc import Callable, Mapping
from itertools import count
from random import Random
from typing import Any

from actors.sandbox.api.messages import Answer, Call, Operation
from actors.sandbox.embedding import DIMENSIONS, embedding
from actors.sandbox.records import Refused
from actors.sandbox.simulated_model import (
    PREFIX,
    Behaviour,
    answer,
    behaviour,
    prompt_tokens,
    spoilt,
    tokens,
)

_MODELS = (PREFIX, f"{PREFIX}-embedding")
_TYPES = {400: "invalid_request_error", 429: "rate_limit_error"}
#: Seconds after which a client that was refused for its rate may come again.
_RETRY_AFTER = 1
_MOST_CHOICES = 16
_MOST_INPUTS = 2048
_MOST_DIMENSIONS = 3072
_LONGEST_OUTAGE = 86_400.0


class LanguageModel:
    """The operations of the model; `wall` gives epoch seconds."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._out_until = 0.0
        self._chance = Random("faults")
        self._numbers = count(1)

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations."""
        return (
            Operation("POST", "/chat/completions", self.chat),
            Operation("POST", "/embeddings", self.embeddings),
            Operation("GET", "/models", self.models),
            Operation("POST", "/outage", self.outage),
        )

    async def chat(self, call: Call) -> Any:
        """Answer a chat request, with the faults that its model's name asks for."""
        self._be_up()
        request = _request(call)
        messages, choices = request.get("messages"), _given(request, "n", 1)
        if not isinstance(messages, list) or not messages:
            raise Refused("messages must be a list of at least one message")
        if not isinstance(choices, int) or not 1 <= choices <= _MOST_CHOICES:
            raise Refused(f"n must be a whole number from 1 to {_MOST_CHOICES}")
        for feature in ("stream", "tools", "functions"):
            if request.get(feature):
                raise Refused(f"the simulated model does not support {feature}; ask without it")
        how = behaviour(request["model"])
        if how.slow:
            await asyncio.sleep(how.slow)
            self._be_up()
        self._fail(how)
        limit = _limit(request)
        replies = [spoilt(answer(request, choice), how, limit, self._chance) for choice in range(choices)]
        asked, answered = prompt_tokens(messages), sum(tokens(reply.text) for reply in replies)
        return {
            "id": f"chatcmpl-simulated-{next(self._numbers)}",
            "object": "chat.completion",
            "created": int(self._wall()),
            "model": request["model"],
            "choices": [
                {
                    "index": index,
                    "message": {"role": "assistant", "content": reply.text, "refusal": None},
                    "logprobs": None,
                    "finish_reason": reply.finish,
                }
                for index, reply in enumerate(replies)
            ],
            "usage": _usage(asked, answered),
        }

    def embeddings(self, call: Call) -> Any:
        """Return the vectors of texts, or of lists of tokens."""
        self._be_up()
        request = _request(call)
        inputs = _inputs(request.get("input"))
        dimensions = _given(request, "dimensions", DIMENSIONS)
        if not isinstance(dimensions, int) or not 1 <= dimensions <= _MOST_DIMENSIONS:
            raise Refused(f"dimensions must be a whole number from 1 to {_MOST_DIMENSIONS}")
        encode = _base64 if request.get("encoding_format") == "base64" else list
        return {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": encode(embedding(text, dimensions))}
                for index, text in enumerate(inputs)
            ],
            "model": request["model"],
            "usage": {
                name: sum(tokens(text) if isinstance(text, str) else len(text) for text in inputs)
                for name in ("prompt_tokens", "total_tokens")
            },
        }

    def models(self, call: Call) -> Any:
        """Return the models by name; any other name is answered too."""
        self._be_up()
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "polyfleet-sandbox"} for name in _MODELS]
        return {"object": "list", "data": data}

    def outage(self, call: Call) -> Any:
        """Let everything but this operation answer 503 for `seconds` of wall time; 0 ends an outage."""
        body = call.json()
        seconds = body.get("seconds") if isinstance(body, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST_OUTAGE:
            raise Refused(f"seconds must be a number from 0 to {_LONGEST_OUTAGE:g}")
        self._out_until = self._wall() + seconds
        return {"seconds": seconds}

    def _be_up(self) -> None:
        if self._wall() < self._out_until:
            raise Refused("the simulated model is out of order, as it was told to be", 503)

    def _fail(self, how: Behaviour) -> None:
        drawn = self._chance.random()
        if drawn < how.error429:
            raise Refused("simulated fault: too many requests", 429, code="rate_limit_exceeded", retry_after=_RETRY_AFTER)
        if drawn < how.error429 + how.error500:
            raise Refused("simulated fault: the server had an error", 500)


def refuse(refused: Refused) -> Answer:
    """Word a refusal as OpenAI does."""
    error = {
        "message": refused.message,
        "type": _TYPES.get(refused.status, "server_error"),
        "param": None,
        "code": refused.code,
    }
    headers = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    return Answer({"error": error}, refused.status, headers)


def _request(call: Call) -> Mapping[str, Any]:
    request = call.json("the body is not JSON")
    if not isinstance(request, dict):
        raise Refused("the body must be a JSON object")
    if not isinstance(request.get("model"), str) or not request["model"]:
        raise Refused("model must be the name of a model")
    return request


def _given(request: Mapping[str, Any], name: str, default: int) -> Any:
    value = request.get(name)
    return default if value is None else value


def _limit(request: Mapping[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        limit = request.get(name)
        if limit is not None:
            if not isinstance(limit, int) or limit < 1:
                raise Refused(f"{name} must be a whole number of at least 1")
            return limit
    return None


def _inputs(given: Any) -> list[Any]:
    """Return the inputs of an embeddings request: texts, or lists of token numbers."""
    inputs = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
    if len(inputs) > _MOST_INPUTS:
        raise Refused(f"input has {len(inputs)} texts; at most {_MOST_INPUTS} are embedded at once")
    for one in inputs:
        tokens_given = isinstance(one, list) and one and all(isinstance(token, int) for token in one)
        if not (isinstance(one, str) or tokens_given):
            raise Refused("input must be a text, a list of tokens, or a list of either")
    return inputs


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _usage(asked: int, answered: int) -> dict[str, int]:
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}

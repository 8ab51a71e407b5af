"""The language models, of any provider that LangChain has: built once, asked within limits, and left alone when down."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any

from actors.forecasting.settings import LlmSettings
from agents.errors import InvalidInput, Unavailable
from agents.forecasting.answers import BadAnswer, Form
from agents.forecasting.breaker import Breaker
from agents.forecasting.prompts import Prompt
from agents.forecasting.spend import ANSWER, counted, named

log = logging.getLogger(__name__)

#: How often LangChain's client asks again by itself, with backoff, after a 429, a 5xx or a lost connection.
_RETRIES = 2

#: Seconds between looks of a request that waits for its turn under the rate limit.
_LOOK = 0.05

#: Keys whose variables are not named for LangChain's provider.
_KEYS = {"google_genai": "GOOGLE_API_KEY", "mistralai": "MISTRAL_API_KEY", "perplexity": "PPLX_API_KEY"}

#: Where a server says no to the form that an answer is asked in, or to the question.
_REFUSED = (400, 413, 422)
#: What a server may stumble over that has never heard of a form: llama.cpp's own answers so.
_STUMBLED = 500
_LATE = "no answer in time"
_FINAL = {401: "the key was refused", 403: "the key does not allow it", 404: "there is no such model or address"}


class _Way(StrEnum):
    """How a model is asked for an answer in a form; a server that knows the first alone may know one of the others."""

    SCHEMA = "schema"
    #: Any JSON object; llama.cpp and others take the schema beside.
    OBJECT = "object"
    #: The prompt says the form in words, in the other ways too.
    WORDS = "words"


class ModelDown(Unavailable):
    """Raised when a model gave no answer; the message is one sentence without what the server wrote.

    `tokens` (in, out) is what may have to be paid for all the same.
    """

    tokens = (0, 0)


class CutOff(BadAnswer):
    """Raised when an answer was longer than it may be; `tokens` (in, out) is what it took."""

    tokens = (0, ANSWER)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said: text, or the arguments of a call where a provider answers in that form, and the tokens it took."""

    content: object
    tokens_in: int
    tokens_out: int


class Models:
    """All models, by LangChain's names for them (provider:model; OpenAI's need no provider).

    Args:
        settings: see there; its `base_url` is where the provider openai is asked.
        keys: by the names of their variables, such as OPENAI_API_KEY.
        simulated: where the simulated model answers now: it takes the place of openai unless `base_url` is set. None if the
            venue is a real one.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        settings: LlmSettings,
        keys: Mapping[str, str],
        *,
        simulated: Callable[[], Awaitable[str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._simulated = simulated
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}
        self._built: dict[tuple[str, str], Any] = {}
        #: The way in which each model has answered last.
        self._way: dict[str, _Way] = {}
        self._turns = asyncio.Semaphore(settings.concurrency)
        self._limiter: Any = None
        self._client: Any = None
        self._building = asyncio.Lock()

    async def load(self) -> None:
        """Import LangChain, which takes seconds, in a thread."""
        await asyncio.to_thread(import_module, "langchain.chat_models")
        await asyncio.to_thread(import_module, "langchain_openai")

    async def close(self) -> None:
        """Close the connections."""
        self._built.clear()
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def breaker(self, model: str) -> Breaker:
        """Return a model's circuit breaker."""
        return self._breakers.setdefault(model, Breaker())

    def up(self, models: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of some models that may be asked now."""
        return tuple(model for model in models if self.breaker(model).allows(self._clock()))

    async def ask(self, model: str, prompt: Prompt, form: Form[Any]) -> Answer:
        """Ask once, with the client's own retries.

        Raises:
            ModelDown: if there was no answer, or the breaker is open; asking later may work.
            BadAnswer: if the answer was cut off, or the server took offence at the question.
        """
        breaker = self.breaker(model)
        async with self._turns:
            if breaker.reason and not breaker.probing:
                raise ModelDown(f"the model {model} does not answer: {breaker.reason}")
            try:
                answer = await self._answer(model, prompt, form)
            except BadAnswer:
                breaker.succeed()
                raise
            except Exception as error:
                status = getattr(error, "status_code", None)
                reason = str(error) if isinstance(error, InvalidInput | Unavailable) else _reason(error, status)
                log.warning("%s did not answer: %s (%s)", model, reason, type(error).__name__)
                breaker.fail(reason, self._clock(), final=status in _FINAL or isinstance(error, InvalidInput))
                if status is None and self._simulated is not None:
                    # A simulated venue that was started again has moved.
                    self._built.clear()
                down = ModelDown(f"the model {model} does not answer: {reason}")
                if reason == _LATE:
                    down.tokens = (_asked(prompt), ANSWER)
                raise down from None
        breaker.succeed()
        return answer

    async def _answer(self, model: str, prompt: Prompt, form: Form[Any]) -> Answer:
        try:
            said = await self._said(model, prompt, form)
        except Exception as error:
            if (completion := getattr(error, "completion", None)) is not None:
                usage, cut = getattr(completion, "usage", None), CutOff("it was cut off; use fewer words")
                cut.tokens = (getattr(usage, "prompt_tokens", 0) or 0, getattr(usage, "completion_tokens", 0) or ANSWER)
                raise cut from None
            if getattr(error, "status_code", None) in _REFUSED:
                raise BadAnswer("the server refused the question") from None
            raise
        message = said["raw"] if isinstance(said, dict) else said
        usage = message.usage_metadata or {}
        content: object = message.text
        if not message.text and message.tool_calls:
            content = message.tool_calls[0]["args"]
        took = usage.get("input_tokens") or _asked(prompt), usage.get("output_tokens") or counted(len(str(content)))
        return Answer(content, *took)

    async def _said(self, name: str, prompt: Prompt, form: Form[Any]) -> Any:
        """Return what a model says, asked in the first way that its server knows, and from then on in that way."""
        known = self._way.get(name)
        for way in _Way if known is None else (known, _Way.WORDS):
            try:
                said = await (await self._model(name, form, way)).ainvoke(prompt.messages)
            except Exception as error:
                status = getattr(error, "status_code", None)
                stumbled = status == _STUMBLED and known is None
                if way is _Way.WORDS or not (status in _REFUSED or stumbled or isinstance(error, NotImplementedError)):
                    raise
            else:
                self._way[name] = way
                return said
        raise AssertionError("words are always understood")

    async def _model(self, name: str, form: Form[Any], way: _Way) -> Any:
        """Return a model that is asked for a form in some way. Raises NotImplementedError if LangChain has none such for it."""
        key = (name, "" if way is _Way.WORDS else f"{way} {form.schema['title']}")
        async with self._building:
            if (name, "") not in self._built:
                self._built[name, ""] = await self._build(name)
            model = self._built[name, ""]
            if key not in self._built:
                if way is _Way.SCHEMA:
                    self._built[key] = model.with_structured_output(dict(form.schema), include_raw=True)
                elif named(name)[0] == "openai":
                    self._built[key] = model.bind(response_format={"type": "json_object", "schema": dict(form.schema)})
                else:
                    raise NotImplementedError
            return self._built[key]

    async def _build(self, name: str) -> Any:
        provider, model = named(name)
        chat = import_module("langchain.chat_models")
        key_name = _KEYS.get(provider, f"{provider.upper()}_API_KEY")
        options: dict[str, Any] = {
            "timeout": self._settings.timeout,
            "max_retries": _RETRIES,
            "rate_limiter": self._rate_limiter(),
            "max_tokens": ANSWER,
        }
        if key := self._keys.get(key_name):
            options["api_key"] = key
        if provider == "openai":
            options |= await self._openai(key)
        try:
            # In a thread: it may take a second, and agents wait for answers.
            return await asyncio.to_thread(chat.init_chat_model, f"{provider}:{model}", **options)
        except ImportError:
            package = f"langchain-{provider.replace('_', '-')}"
            raise InvalidInput(f"LangChain's package for {provider} is missing; install {package}") from None
        except Exception as error:
            # Its text may hold what it was given.
            log.warning("%s could not be set up (%s)", name, type(error).__name__)
            raise InvalidInput(f"it could not be set up; is its name right, and {key_name} set?") from None

    def _rate_limiter(self) -> Any:
        """Return what all requests of all models wait for."""
        if self._limiter is None:
            self._limiter = import_module("langchain_core.rate_limiters").InMemoryRateLimiter(
                requests_per_second=self._settings.rate,
                check_every_n_seconds=_LOOK,
                max_bucket_size=max(self._settings.rate, 1),
            )
        return self._limiter

    async def _openai(self, key: str | None) -> dict[str, Any]:
        httpx = import_module("httpx")
        url = self._settings.base_url
        if not url and self._simulated is not None:
            # Never the real key: a simulation bills nobody.
            url, key = await self._simulated(), "simulated"
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._settings.timeout)
        if not url and not key:
            raise InvalidInput("there is no key for it; set OPENAI_API_KEY, or OPENAI_BASE_URL for another server")
        # OpenAI calls the limit `max_completion_tokens`; servers that know it by its older name alone would write without end.
        elsewhere = {"base_url": url, "extra_body": {"max_tokens": ANSWER}} if url else {}
        return {"api_key": key or "none", "http_async_client": self._client} | elsewhere


def _asked(prompt: Prompt) -> int:
    return counted(sum(len(text) for _, text in prompt.messages))


def _reason(error: BaseException, status: int | None) -> str:
    """Return one clause on why there was no answer. What a server wrote is left out: it may repeat a key."""
    if status is not None:
        return f"HTTP {status}, {_FINAL[status]}" if status in _FINAL else f"HTTP {status}"
    kinds = " ".join(kind.__name__ for kind in type(error).__mro__)
    if "Timeout" in kinds:
        return _LATE
    if "Connect" in kinds or "OSError" in kinds:
        return "it cannot be reached"
    return f"its answer could not be read ({type(error).__name__})"

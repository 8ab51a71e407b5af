"""What turns text into vectors: OpenAI's model with a key, otherwise WordLlama, whose weights come with its package."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from langchain_core.embeddings import Embeddings

from agents.errors import Unavailable

#: OpenAI's model unless OPENAI_EMBEDDING_MODEL names another; this value stands for WordLlama.
_MODEL = "text-embedding-3-small"
BUILT_IN = "wordllama"

#: Seconds that one request may take, how often it is made again, and texts in it.
_TIMEOUT = 15.0
_RETRIES = 1
_BATCH = 100

#: Texts that WordLlama embeds in one go: each takes 1 kB for every token of the longest.
_FEW = 16

#: Queries whose vectors are remembered.
_REMEMBERED = 500


class Meter:
    """Counts tokens, from any thread."""

    def __init__(self) -> None:
        self._tokens = 0
        self._lock = threading.Lock()

    def add(self, tokens: int) -> None:
        """Count tokens that were paid for."""
        with self._lock:
            self._tokens += tokens

    def take(self) -> int:
        """Return what was counted since the last time."""
        with self._lock:
            taken, self._tokens = self._tokens, 0
        return taken


@dataclass(frozen=True)
class Embedder:
    """A model of embeddings; `name` tells its vectors from those of any other, `meter` what it costs (nothing: 0)."""

    name: str
    model: Embeddings
    meter: Meter = field(default_factory=Meter)


def embedder_from(settings: Mapping[str, str], *, free: bool) -> Embedder:
    """Return the embedder that the settings ask for, and load it; only one that costs nothing if it must be `free`."""
    model = settings.get("OPENAI_EMBEDDING_MODEL") or _MODEL
    if free or not settings.get("OPENAI_API_KEY") or model == BUILT_IN:
        return Embedder(BUILT_IN, _Remembering(_WordLlama()))
    return _open_ai(settings["OPENAI_API_KEY"], settings.get("OPENAI_BASE_URL"), model)


class _WordLlama(Embeddings):
    """WordLlama as LangChain's embeddings."""

    def __init__(self) -> None:
        import wordllama

        home = Path(wordllama.__file__).parent
        self._model = wordllama.WordLlama.load(cache_dir=home, disable_download=True)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector of length 1 for each text."""
        vectors: list[list[float]] = self._model.embed(texts, norm=True, batch_size=_FEW).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Return a text's vector."""
        return self.embed_documents([text])[0]


class _Remembering(Embeddings):
    """Embeds a query that was asked before only once."""

    def __init__(self, model: Embeddings) -> None:
        self._model = model
        self._query = lru_cache(_REMEMBERED)(model.embed_query)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text."""
        return self._model.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        """Return a text's vector."""
        return self._query(text)


def _open_ai(key: str, url: str | None, model: str) -> Embedder:
    import openai
    from langchain_openai import OpenAIEmbeddings

    meter = Meter()
    client = openai.OpenAI(api_key=key, base_url=url, timeout=_TIMEOUT, max_retries=_RETRIES)
    metered = _Metered(client.embeddings.create, meter, model)
    # Counting tokens beforehand would download the tokenizer; chunks are far shorter than the limit.
    embeddings = OpenAIEmbeddings(
        client=metered, async_client=metered, model=model, check_embedding_ctx_length=False, chunk_size=_BATCH
    )
    # Another server's model of the same name may be another model.
    host = urlsplit(url).netloc if url else ""
    name = re.sub(r"[^a-zA-Z0-9]+", "-", f"{model} {host}").strip("-")
    return Embedder(name, _Remembering(embeddings), meter)


class _Metered:
    """The resource of OpenAI's client that LangChain asks: counts tokens, and fails as our services do."""

    def __init__(self, create: Callable[..., Any], meter: Meter, model: str) -> None:
        self._create = create
        self._meter = meter
        self._model = model

    def create(self, **request: Any) -> Any:
        """Embed texts. Raises Unavailable, without what the server said: it may repeat the key."""
        import openai

        try:
            response = self._create(**request)
        except openai.APIStatusError as error:
            raise Unavailable(f"the embeddings of {self._model} were refused with status {error.status_code}") from None
        except openai.OpenAIError as error:
            raise Unavailable(f"the embeddings of {self._model} cannot be had now ({type(error).__name__})") from None
        if len(response.data) != len(request["input"]):
            raise Unavailable(f"{self._model} gave {len(response.data)} embeddings for {len(request['input'])} texts")
        self._meter.add(response.usage.total_tokens if response.usage else 0)
        return response

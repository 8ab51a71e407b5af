"""The simulated model as OpenAI's own client and LangChain's use it, unmodified."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field, SecretStr

from actors.sandbox.venue import VenueConfig
from tests.contract.sandbox.served import Served

QUESTION = "Will Ilse Brandt be confirmed as prime minister of Veldania?"
PROMPT = f"""<market>
Question: {QUESTION}
</market>

<document number="1" published="2026-11-20 10:00 UTC">
Asked the question “{QUESTION}”, our panel put the chance of "Yes" at about 63 in 100.
</document>

What is the probability that this market resolves to "Yes"?"""
EXACT = "simulated/bias=0/noise=0"


class Forecast(BaseModel):
    """A forecast."""

    reasoning: str = Field(description="why")
    probability: float = Field(ge=0, le=1)


class Digest(BaseModel):
    number: int
    relevance: float
    summary: str


class Digests(BaseModel):
    documents: list[Digest]


@pytest.fixture(scope="module")
def wired() -> Iterator[Served]:
    venue = Served(VenueConfig(seed=11))
    yield venue
    venue.stop()


@pytest_asyncio.fixture
async def client(wired: Served) -> AsyncIterator[openai.AsyncOpenAI]:
    async with (
        openai.DefaultAsyncHttpxClient(trust_env=False) as http,
        openai.AsyncOpenAI(base_url=wired.endpoints.openai_url, api_key="any", max_retries=0, http_client=http) as made,
    ):
        yield made


@pytest_asyncio.fixture
async def langchain(wired: Served) -> AsyncIterator[dict[str, Any]]:
    async with openai.DefaultAsyncHttpxClient(trust_env=False) as http:
        yield {
            "base_url": wired.endpoints.openai_url,
            "api_key": SecretStr("any"),
            "http_async_client": http,
            "max_retries": 0,
        }


async def ask(client: openai.AsyncOpenAI, model: str = EXACT, **options: Any) -> Any:
    return await client.chat.completions.create(model=model, messages=[{"role": "user", "content": PROMPT}], **options)


async def test_openais_client_parses_a_structured_answer_with_its_usage(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.parse(
        model=EXACT, messages=[{"role": "user", "content": PROMPT}], response_format=Forecast
    )
    parsed = answer.choices[0].message.parsed
    assert parsed is not None
    assert parsed.probability == 0.63
    assert "document 1" in parsed.reasoning
    usage = answer.usage
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens > 60
    assert usage.completion_tokens > 10


async def test_several_choices_are_answered_at_once(client: openai.AsyncOpenAI) -> None:
    answer = await ask(client, "gpt-5-mini", n=3)
    assert len({choice.message.content for choice in answer.choices}) == 3


async def test_langchain_gets_structured_output_by_json_schema(langchain: dict[str, Any]) -> None:
    model = ChatOpenAI(model=EXACT, **langchain)
    forecast = await model.with_structured_output(Forecast, method="json_schema").ainvoke(PROMPT)
    assert isinstance(forecast, Forecast)
    assert forecast.probability == 0.63
    raw: Any = await model.with_structured_output(Digests, method="json_schema", include_raw=True).ainvoke(PROMPT)
    assert raw["parsed"].documents[0].summary.endswith('put the chance of "Yes" at about 63 in 100.')
    assert raw["raw"].usage_metadata["input_tokens"] > 60


async def test_langchain_gets_embeddings_of_texts_and_of_tokens(langchain: dict[str, Any], client: openai.AsyncOpenAI) -> None:
    plain = OpenAIEmbeddings(model="simulated-embedding", check_embedding_ctx_length=False, **langchain)
    vectors = await plain.aembed_documents([QUESTION, "Ilse Brandt confirmed as prime minister", "Rain over Tavira"])
    assert [len(vector) for vector in vectors] == [256] * 3
    near = [sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in vectors]
    assert near[0] == pytest.approx(1.0)
    assert near[1] > 0.5 > near[2]
    short = await client.embeddings.create(model="text-embedding-3-small", input=[[11, 12], [11, 13]], dimensions=64)
    assert [len(one.embedding) for one in short.data] == [64, 64]
    whole = await client.embeddings.create(model="x", input=QUESTION, encoding_format="float")
    assert whole.data[0].embedding == pytest.approx(vectors[0], abs=1e-6)
    assert whole.usage.total_tokens > 5


async def test_its_models_are_listed(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["simulated", "simulated-embedding"]


async def test_faults_are_openais_errors(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as limited:
        await ask(client, "simulated/error429=1")
    assert limited.value.code == "rate_limit_exceeded"
    assert limited.value.response.headers["retry-after"] == "1"
    with pytest.raises(openai.InternalServerError):
        await ask(client, "simulated/error500=1")


async def test_a_client_that_tries_again_gets_through_random_faults(wired: Served) -> None:
    async with (
        openai.DefaultAsyncHttpxClient(trust_env=False) as http,
        openai.AsyncOpenAI(base_url=wired.endpoints.openai_url, api_key="any", max_retries=10, http_client=http) as client,
    ):
        assert "0.63" in (await ask(client, f"{EXACT}/error500=0.5")).choices[0].message.content


async def test_a_malformed_or_truncated_answer_says_how_it_ended(client: openai.AsyncOpenAI) -> None:
    asked = {"type": "json_schema", "json_schema": {"name": "f", "schema": Forecast.model_json_schema()}}
    malformed = (await ask(client, "simulated/malformed=1", response_format=asked)).choices[0]
    assert malformed.finish_reason == "stop"
    with pytest.raises(ValueError, match="validation error"):
        Forecast.model_validate_json(malformed.message.content)
    cut = (await ask(client, "simulated/truncated=1", response_format=asked)).choices[0]
    assert cut.finish_reason == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.message.content)
    assert (await ask(client, max_completion_tokens=3)).choices[0].finish_reason == "length"


async def test_a_slow_model_keeps_nobody_else_waiting(client: openai.AsyncOpenAI) -> None:
    slow = asyncio.create_task(ask(client, f"{EXACT}/slow=0.5"))
    started = time.monotonic()
    await ask(client)
    assert not slow.done()
    await slow
    assert time.monotonic() - started >= 0.45


async def test_an_outage_on_command_lasts_until_it_is_over(wired: Served, client: openai.AsyncOpenAI) -> None:
    async with httpx.AsyncClient(base_url=wired.endpoints.openai_url, trust_env=False) as http:
        answer = await http.post("/outage", json={"seconds": 60})
        assert answer.json() == {"seconds": 60}
        for call in (ask(client), client.models.list(), client.embeddings.create(model="x", input="y")):
            with pytest.raises(openai.InternalServerError) as down:
                await call
            assert down.value.status_code == 503
        assert (await http.post("/outage", json={"seconds": 0})).status_code == 200
        await ask(client)
        wrongs: tuple[Any, ...] = ({"seconds": -1}, {"seconds": True}, {"seconds": "x"}, {}, [])
        for wrong in wrongs:
            assert (await http.post("/outage", json=wrong)).status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/chat/completions", {"messages": []}, "model"),
        ("/chat/completions", {"model": "x"}, "messages"),
        ("/chat/completions", {"model": "x", "messages": [{"role": "user", "content": "y"}], "stream": True}, "stream"),
        ("/chat/completions", {"model": "x", "messages": [{"role": "user", "content": "y"}], "tools": [{}]}, "tools"),
        ("/chat/completions", {"model": "x", "messages": [{"role": "user", "content": "y"}], "n": 99}, "n must"),
        ("/chat/completions", {"model": "x", "messages": [{"role": "user", "content": "y"}], "max_tokens": 0}, "max_tokens"),
        ("/chat/completions", {"model": "simulated/x=1", "messages": [{"role": "user", "content": "y"}]}, "option"),
        ("/chat/completions", [], "object"),
        ("/embeddings", {"model": "x"}, "input"),
        ("/embeddings", {"model": "x", "input": [1, "x"]}, "input"),
        ("/embeddings", {"model": "x", "input": [""] * 2049}, "2048"),
        ("/embeddings", {"model": "x", "input": "y", "dimensions": 0}, "dimensions"),
    ],
)
async def test_a_wrong_request_is_refused_in_openais_words(wired: Served, path: str, body: Any, named: str) -> None:
    async with httpx.AsyncClient(base_url=wired.endpoints.openai_url, trust_env=False) as http:
        answer = await http.post(path, json=body)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["type"], error["param"]) == ("invalid_request_error", None)
        assert named in error["message"]
        assert (await http.post(path, content=b"{")).status_code == 400

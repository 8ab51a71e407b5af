"""Each source through its own client, against a server that speaks as it does."""

import asyncio

import pytest

from actors.research.gate import Gate
from actors.research.news_api import NewsApi
from actors.research.rss import Rss
from actors.research.source import Source
from actors.research.sources import sources_from
from actors.research.tavily import Tavily
from actors.research.wire import Wire
from agents.errors import Unavailable
from tests.contract.librarian.conftest import Open
from tests.contract.librarian.newsroom import HOUR, NOW, Newsroom, Story

RATES = "The Federal Reserve may cut interest rates in December, two officials said on Tuesday."
KEY = "tvly-secret-key"


def sources(newsroom: Newsroom) -> dict[str, Source]:
    return {
        "/search": Tavily(KEY, newsroom.url),
        "/v2/everything": NewsApi(KEY, newsroom.url),
        "/feed.xml": Rss(f"{newsroom.url}/feed.xml"),
        "/articles": Wire(newsroom.where),
    }


PATHS = ["/search", "/v2/everything", "/feed.xml", "/articles"]


@pytest.mark.parametrize("path", PATHS)
async def test_it_gives_articles_with_their_times(newsroom: Newsroom, path: str) -> None:
    newsroom.stories = [Story("Rates", RATES, url="https://x.example/a"), Story("No time", RATES, published=None)]
    source = sources(newsroom)[path]
    first, second = await source.fetch("Fed rates", NOW, 20)
    assert (first.title, first.url, first.published) == ("Rates", "https://x.example/a", NOW - HOUR)
    assert first.content.strip() == RATES
    assert second.published is None
    assert len(await source.fetch("Fed rates", NOW, 1)) == 1
    await source.close()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b'{"status": "error", "code": "apiKeyInvalid", "message": "Your key tvly-secret-key is wrong", "detail": "no"}'),
        (429, b'{"status": "error", "code": "rateLimited", "message": "slow down", "detail": {"error": "slow down"}}'),
        (500, b"<html>oops</html>"),
        (200, b"\xff\xfe\x00 garbage"),
        (200, b'"text"'),
        (200, b""),
    ],
)
async def test_what_goes_wrong_is_said_in_one_sentence_without_the_key(
    newsroom: Newsroom, path: str, status: int, body: bytes
) -> None:
    newsroom.statuses[path], newsroom.bodies[path] = status, body
    source = sources(newsroom)[path]
    with pytest.raises(Unavailable) as raised:
        await source.fetch("Fed rates", NOW, 20)
    assert KEY not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert source.name in str(raised.value)
    await source.close()


@pytest.mark.parametrize("path", PATHS)
async def test_a_server_that_is_gone_is_noted(newsroom: Newsroom, path: str) -> None:
    source = sources(newsroom)[path]
    newsroom.close()
    with pytest.raises(Unavailable):
        await source.fetch("Fed rates", NOW, 20)
    await source.close()


async def test_tavily_is_asked_for_news_up_to_the_day(newsroom: Newsroom) -> None:
    await Tavily(KEY, newsroom.url).fetch("Fed rates", NOW, 50)
    (asked,) = newsroom.queries
    assert (asked["topic"], asked["max_results"], asked["start_date"], asked["end_date"]) == (
        "news",
        20,
        "2026-08-24",
        "2026-09-22",
    )


async def test_news_api_is_asked_up_to_the_second_and_without_operators(newsroom: Newsroom) -> None:
    source = NewsApi(KEY, newsroom.url)
    await source.fetch('"Fed" AND (rates OR -cuts)', NOW, 500)
    (asked,) = newsroom.queries
    assert asked["q"] == "Fed rates -cuts"
    assert (asked["from"], asked["to"], asked["pageSize"]) == ("2026-08-24T14:13:20", "2026-09-21T14:13:20", "100")
    await source.close()


async def test_a_source_that_is_too_slow_is_not_waited_for_and_then_rests(newsroom: Newsroom) -> None:
    now = 0.0
    newsroom.silence["/articles"] = 0.5
    gate = Gate(Wire(newsroom.where), lambda: now, patience=0.1)
    for at, said in [
        (0.0, "did not answer within 0.1 s"),
        (4.0, "asked again in 1 s"),
        (5.0, "did not"),
        (14.0, "again in 1 s"),
    ]:
        now = at
        with pytest.raises(Unavailable, match=said):
            await gate.fetch("Fed rates", NOW, 20)
    newsroom.silence.clear()
    now = 15.0
    assert await gate.fetch("Fed rates", NOW, 20) == []
    await gate.close()


async def test_a_source_is_not_asked_more_often_than_it_allows(newsroom: Newsroom) -> None:
    gate = Gate(Rss(f"{newsroom.url}/feed.xml"))
    answers = await asyncio.gather(*(gate.fetch("", NOW, 20) for _ in range(62)), return_exceptions=True)
    assert [str(one) for one in answers if isinstance(one, Exception)] == [f"{gate.name} is asked at most 60 per 1 hour"] * 2
    await gate.close()


async def test_all_sources_serve_one_search_and_one_that_fails_ends_nothing(newsroom: Newsroom, librarian: Open) -> None:
    newsroom.stories = [Story("Rates", RATES, url="https://x.example/a")]
    newsroom.statuses["/search"] = 500
    service = await librarian("paper", sources=list(sources(newsroom).values()))
    findings = await service.search(["Fed interest rates", "Federal Reserve December"], as_of=NOW)
    assert [one.url for one in findings.evidence] == ["https://x.example/a"]
    (note,) = set(findings.notes)
    assert note.startswith("Tavily could not be asked (Error 500")
    assert newsroom.asked == {"/search": 2, "/v2/everything": 2, "/articles": 2, "/feed.xml": 1}


async def test_keys_and_mode_say_which_sources_there_are(newsroom: Newsroom) -> None:
    keys = {
        "TAVILY_API_KEY": "a",
        "NEWSAPI_API_KEY": "b",
        "POLYFLEET_RSS_FEEDS": "https://user:secret@a.example/rss?token=1, https://b.example,",
    }
    assert [source.name for source in sources_from(keys, newsroom.where, simulated=True)] == ["the news wire"]
    found = sources_from(keys, newsroom.where, simulated=False)
    assert [source.name for source in found] == [
        "Tavily",
        "NewsAPI",
        "the feed a.example/rss",
        "the feed b.example",
    ]
    assert sources_from({}, newsroom.where, simulated=False) == []
    for source in found:
        await source.close()

"""The news wire as its users read it: JSON, RSS through feedparser, pages through trafilatura."""

import html
from collections.abc import Iterator
from typing import Any

import feedparser
import httpx
import pytest
import trafilatura

from actors.sandbox.prompt import Document
from actors.sandbox.records import MarketRecord
from actors.sandbox.venue import VenueConfig
from tests.contract.sandbox.served import Served


@pytest.fixture(scope="module")
def wired() -> Iterator[Served]:
    venue = Served(VenueConfig(seed=11, speed=60.0))
    yield venue
    venue.stop()


@pytest.fixture
def news(wired: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=wired.endpoints.news_url, trust_env=False) as client:
        yield client


@pytest.fixture
def market(wired: Served) -> MarketRecord:
    """A market that has been open for a while."""
    return wired.run(lambda exchange: min(exchange.markets(), key=lambda market: market.start))


def articles(news: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    response = news.get("/articles", params=params)
    assert response.status_code == 200
    assert response.headers["x-simulated"] == "polyfleet-sandbox"
    found: list[dict[str, Any]] = response.json()["articles"]
    return found


def test_articles_about_a_question_come_newest_first_and_none_from_the_future(
    wired: Served, news: httpx.Client, market: MarketRecord
) -> None:
    found = articles(news, q=market.question, limit=100)
    assert any(market.question in article["title"] for article in found)
    assert all(set(one) == {"id", "title", "url", "source", "publishedAt", "content"} for one in found)
    dates = [one["publishedAt"] for one in found]
    assert dates == sorted(dates, reverse=True)
    assert dates[0] <= wired.server.venue.now
    assert articles(news, **{"q": market.question, "from": dates[2], "to": dates[1], "limit": 100}) == [
        one for one in found if dates[2] <= one["publishedAt"] <= dates[1]
    ]
    assert articles(news, q=market.question, limit=2) == found[:2]
    assert articles(news, **{"from": 10**15}) == []


def test_an_articles_address_is_its_page_which_cleans_well(news: httpx.Client, market: MarketRecord) -> None:
    figures = []
    for one in articles(news, q=market.question, limit=100):
        page = news.get(one["url"])
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.text == one["content"]
        text = trafilatura.extract(page.text)
        assert text
        assert "This is simulated news" in text
        assert "metrics" not in text
        assert "Subscribe" not in text
        assert Document(1, "", text).figures() == Document(1, "", html.unescape(page.text)).figures()
        figures += Document(1, "", text).figures()
    assert any(figure.question == market.question for figure in figures)
    assert news.get("/articles/1-1").status_code == 404


def test_the_feed_says_the_same(news: httpx.Client, market: MarketRecord) -> None:
    response = news.get("/rss", params={"q": market.question, "limit": 100})
    assert response.headers["content-type"].startswith("application/rss+xml")
    feed = feedparser.parse(response.content, sanitize_html=False)
    assert (feed.version, feed.bozo) == ("rss20", False)
    found = {article["id"]: article for article in articles(news, q=market.question, limit=100)}
    assert {entry.id for entry in feed.entries} <= set(found)
    assert feed.entries
    for entry in feed.entries:
        article = found[entry.id]
        assert (entry.title, entry.link) == (article["title"], article["url"])
        assert f"{entry.published_parsed.tm_year}" in f"{article['content']}"
        assert "simulated" in entry.summary
    assert news.get("/rss").status_code == 200


@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"from": "now"}, {"to": "2026-01-01"}])
def test_a_wrong_parameter_is_refused_by_name(news: httpx.Client, params: dict[str, str]) -> None:
    response = news.get("/articles", params=params)
    assert response.status_code == 400
    assert next(iter(params)) in response.json()["error"]

"""NewsAPI, through its own client."""

import asyncio
import re
from typing import Any

import requests
from newsapi import NewsApiClient
from newsapi.newsapi_exception import NewsAPIException
from requests.adapters import HTTPAdapter

from actors.research.source import LOOKBACK, Article, listed, milliseconds, moment, worded
from agents.errors import Unavailable

_HOST = "https://newsapi.org"
#: Characters of a query that NewsAPI takes at most.
_LONGEST = 500
#: The words that it reads as operators, and the end of a text that it has cut.
_OPERATORS = frozenset({"AND", "OR", "NOT"})
_CUT = re.compile(r"\s*\[\+\d+ chars\]\s*$")


class NewsApi:
    """Searches NewsAPI's articles. It gives their first 200 characters, and on the free plan none of the last 24 hours.

    `url` is asked in its place.
    """

    name = "NewsAPI"
    searches = True
    #: What the free plan allows.
    rate = "50 per 12 hours"

    def __init__(self, key: str, url: str | None = None) -> None:
        self._session = requests.Session()
        if url:
            self._session.trust_env = False
            self._session.mount(_HOST, _Elsewhere(url))
        self._client = NewsApiClient(key, self._session)

    async def fetch(self, query: str, as_of: int, limit: int) -> list[Article]:
        """Return the most relevant articles published within four weeks up to `as_of`."""
        words = " ".join(word for word in re.findall(r"[\w'.-]+", query) if word not in _OPERATORS)
        answer = await asyncio.to_thread(self._search, words[:_LONGEST], as_of, limit)
        return [_article(one) for one in listed(answer, "articles", self.name)[:limit]]

    async def close(self) -> None:
        """Give back its connections."""
        await asyncio.to_thread(self._session.close)

    def _search(self, words: str, as_of: int, limit: int) -> Any:
        until = moment(as_of).replace(microsecond=0, tzinfo=None)
        try:
            return self._client.get_everything(
                q=words, from_param=until - LOOKBACK, to=until, language="en", sort_by="relevancy", page_size=min(limit, 100)
            )
        except NewsAPIException as error:
            refusal = error.get_exception()
            code = refusal.get("code") if isinstance(refusal, dict) else None
            raise Unavailable(f"{self.name} refused the search ({code or 'no reason given'})") from None
        except (requests.RequestException, ValueError) as error:
            # Its text may hold the address with all that was asked.
            raise Unavailable(f"{self.name} cannot be reached ({type(error).__name__})") from None


class _Elsewhere(HTTPAdapter):
    """Sends to another host what the client, which knows only one, sends to NewsAPI."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request."""
        request.url = f"{self._url}{(request.url or '').removeprefix(_HOST)}"
        return super().send(request, *args, **kwargs)


def _article(one: Any) -> Article:
    publisher = one.get("source")
    content = _CUT.sub("", worded(one, "content"))
    description = worded(one, "description")
    return Article(
        worded(publisher, "name") if isinstance(publisher, dict) else "",
        worded(one, "url"),
        worded(one, "title"),
        content if content.startswith(description) else f"{description}\n{content}",
        milliseconds(one.get("publishedAt")),
    )

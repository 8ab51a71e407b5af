"""The simulated venue's news wire."""

import json
from collections.abc import Awaitable, Callable

from actors.research.download import download, downloader
from actors.research.source import LOOKBACK, Article, listed, worded
from agents.errors import Unavailable
from agents.ports import Endpoints


class Wire:
    """Asks the news wire of the venue that `where` finds: a sandbox that was restarted may have moved."""

    name = "the news wire"
    searches = True
    rate = "100/second"

    def __init__(self, where: Callable[[], Awaitable[Endpoints]]) -> None:
        self._where = where
        self._client = downloader()

    async def fetch(self, query: str, as_of: int, limit: int) -> list[Article]:
        """Return articles published within four weeks up to `as_of`, newest first."""
        url = (await self._where()).news_url
        if not url:
            raise Unavailable("the venue has no news wire")
        since = as_of - int(LOOKBACK.total_seconds() * 1000)
        params: dict[str, str | int] = {"q": query, "from": max(since, 0), "to": as_of, "limit": limit}
        body = await download(self._client, f"{url}/articles", self.name, params)
        try:
            answer = json.loads(body)
        except ValueError:
            raise Unavailable(f"{self.name} answered something that is no JSON") from None
        return [
            Article(
                worded(one, "source"),
                worded(one, "url"),
                worded(one, "title"),
                worded(one, "content"),
                one["publishedAt"] if type(one.get("publishedAt")) is int else None,
            )
            for one in listed(answer, "articles", self.name)[:limit]
        ]

    async def close(self) -> None:
        """Give back its connections."""
        await self._client.aclose()

"""Feeds in RSS and Atom."""

import asyncio
from calendar import timegm
from typing import Any
from urllib.parse import urlsplit

import feedparser

from actors.research.download import download, downloader
from actors.research.source import Article, worded
from agents.errors import Unavailable


class Rss:
    """One feed. It returns what it has, whatever is asked."""

    searches = False
    rate = "60/hour"

    def __init__(self, url: str) -> None:
        # The rest of the address may hold a password or a token.
        parts = urlsplit(url)
        self.name = f"the feed {parts.hostname}{parts.path}"
        self._url = url
        self._client = downloader()

    async def fetch(self, query: str, as_of: int, limit: int) -> list[Article]:
        """Return the newest entries."""
        body = await download(self._client, self._url, self.name)
        parsed = await asyncio.to_thread(feedparser.parse, body, sanitize_html=False, resolve_relative_uris=False)
        if not dict.get(parsed, "version") and not parsed.entries:
            raise Unavailable(f"{self.name} is neither RSS nor Atom; see whether its address is right")
        publisher = worded(parsed.feed, "title")
        return [_article(entry, publisher) for entry in parsed.entries[:limit]]

    async def close(self) -> None:
        """Give back its connections."""
        await self._client.aclose()


def _article(entry: Any, publisher: str) -> Article:
    # An entry that was updated says now what it may not have said when it was published.
    # `dict.get`, as the library's own takes the one for the other.
    at = dict.get(entry, "updated_parsed") or dict.get(entry, "published_parsed")
    bodies = [worded(part, "value") for part in entry.get("content") or ()]
    content = max([worded(entry, "summary"), *bodies], key=len)
    return Article(publisher, worded(entry, "link"), worded(entry, "title"), content, timegm(at) * 1000 if at else None)

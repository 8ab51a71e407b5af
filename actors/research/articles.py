"""The first collection: articles are cleaned, cut into chunks and stored, each once, and found again."""

import asyncio
import functools
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar
from urllib.parse import urlsplit

from langchain_core.documents import Document

from actors.research.cleaning import cleaned
from actors.research.source import Article
from actors.research.store import ARTICLES, Store
from agents.rag.chunking import chunks
from agents.rag.selection import Passage, admissible
from agents.rag.text import canonical_url, plain

T = TypeVar("T")

#: Characters of a title, and of a publisher's name.
_TITLE = 300
_PUBLISHER = 80


class Articles:
    """`threads` run what waits for the disk; articles are cleaned one after the other, so that they leave the loop time."""

    def __init__(self, store: Store, threads: Executor) -> None:
        self._store = store
        self._threads = threads
        self._cleaning = asyncio.Lock()

    async def keep(self, articles: Sequence[Article], as_of: int) -> None:
        """Store those that were published by `as_of` and are not known yet. Raises Unavailable.

        One that changes without saying so stays as it was first read: what came later must not look old.
        """
        wanted: dict[str, tuple[Article, str]] = {}
        for article in articles:
            url = canonical_url(article.url)
            if url is not None and admissible(article.published, as_of):
                wanted.setdefault(_key(url, article.published), (article, url))
        known = await self._run(lambda: self._store.known(ARTICLES, [f"{key}-0" for key in wanted]))
        entries: list[Document] = []
        async with self._cleaning:
            for key, (article, url) in wanted.items():
                if f"{key}-0" not in known:
                    entries += await self._run(functools.partial(_entries, key, article, url, as_of))
        await self._run(lambda: self._store.add(ARTICLES, entries))

    async def find(self, query: str, *, as_of: int, limit: int) -> list[Passage]:
        """Return at most `limit` passages published by `as_of`, the most like the query first. Raises Unavailable."""
        found = await self._run(lambda: self._store.find(ARTICLES, query, as_of=as_of, limit=limit))
        return [_passage(entry, likeness) for entry, likeness in found]

    async def _run(self, action: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, action)


def _key(url: str, published: int | None) -> str:
    return hashlib.sha256(f"{published} {url}".encode()).hexdigest()[:32]


def _entries(key: str, article: Article, url: str, as_of: int) -> list[Document]:
    title = " ".join(cleaned(article.title[:_TITLE]).split())
    metadata = {
        "source": plain(article.publisher, _PUBLISHER) or urlsplit(url).hostname or "",
        "url": url,
        "title": title,
        "published": article.published,
        "retrieved": as_of,
    }
    return [
        # The title says what a chunk is about, so it is embedded with each.
        Document(id=f"{key}-{position}", page_content=f"{title}\n{text}", metadata=metadata | {"position": position})
        for position, text in enumerate(chunks(cleaned(article.content)))
    ]


def _passage(entry: Document, likeness: float) -> Passage:
    about = entry.metadata
    return Passage(
        source=about["source"],
        url=about["url"],
        title=about["title"],
        text=entry.page_content.removeprefix(f"{about['title']}\n"),
        position=about["position"],
        published=about["published"],
        retrieved=about["retrieved"],
        relevance=likeness,
    )

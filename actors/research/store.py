"""What the librarian remembers, in Chroma. It is a cache: what is damaged is moved aside and begun anew.

Its methods wait for the disk or the network and may be called from any thread.
"""

import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import chromadb
import httpx
from chromadb.api.shared_system_client import SharedSystemClient
from chromadb.config import Settings
from chromadb.errors import InternalError, NotFoundError, VersionMismatchError
from langchain_chroma import Chroma
from langchain_core.documents import Document

from actors.research.embeddings import Embedder
from agents.errors import Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

#: What Chroma raises when its files or its server are no good; its bindings' panics have no class that can be imported.
_FAILURES = (InternalError, NotFoundError, VersionMismatchError, sqlite3.Error, OSError, httpx.HTTPError)
_PANIC = "PanicException"

#: Entries that a collection keeps; when there are more, the oldest quarter goes.
MOST = 10_000


@dataclass(frozen=True)
class Collection:
    """One of the two collections. `time` is the metadata field, in venue milliseconds, that says from when an entry counts."""

    name: str
    time: str


ARTICLES = Collection("articles", "published")
MARKETS = Collection("markets", "resolved")


@dataclass(frozen=True)
class _Opened:
    """The collections as one life of the store opened them; a store that was begun anew has a higher `life`."""

    collections: Mapping[Collection, Chroma]
    client: Any
    life: int


class Store:
    """The collections for one embedder, in a directory or, with a URL, on a Chroma server.

    Their names carry the embedder's: its vectors cannot be compared with another's. Methods raise Unavailable.
    """

    def __init__(self, directory: Path, url: str, embedder: Embedder, most: int = MOST) -> None:
        self._directory = directory
        self._url = url
        self._embedder = embedder
        self._most = most
        self._lock = threading.Lock()
        self._life = 0
        self._opened: _Opened | None = None

    def open(self) -> None:
        """Open the store, which makes it where there is none."""
        self._do(lambda opened: None)

    def close(self) -> None:
        """Close it; what was added is on disk already."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.client.close()

    def known(self, collection: Collection, ids: Sequence[str]) -> frozenset[str]:
        """Return those of some ids that there are."""
        if not ids:
            return frozenset()
        return self._do(lambda opened: frozenset(opened.collections[collection].get(ids=list(ids), include=[])["ids"]))

    def add(self, collection: Collection, entries: Sequence[Document]) -> None:
        """Embed and store entries; one whose id is there already is replaced."""
        if not entries:
            return
        ids = [str(entry.id) for entry in entries]
        self._do(lambda opened: opened.collections[collection].add_documents(list(entries), ids=ids))
        self._do(lambda opened: self._prune(opened, collection))

    def find(self, collection: Collection, text: str, *, as_of: int, limit: int) -> list[tuple[Document, float]]:
        """Return the entries most like a text whose time is not after `as_of`, each with its likeness from 0 to 1."""
        vector = self._embedder.model.embed_query(text)
        where: dict[str, Any] = {collection.time: {"$lte": as_of}}

        def find(opened: _Opened) -> list[tuple[Document, float]]:
            search = opened.collections[collection].similarity_search_by_vector_with_relevance_scores
            # The filter looks at every entry, 6 ms for a thousand; the nearest are seldom too new when one asks about now.
            found = search(vector, limit)
            too_new = any(entry.metadata[collection.time] > as_of for entry, _ in found)
            return search(vector, limit, where) if too_new else found

        # Chroma's "relevance" is the cosine's distance from 1.
        return [(entry, min(max(1 - distance, 0.0), 1.0)) for entry, distance in self._do(find)]

    def cursor(self) -> tuple[int, int]:
        """Return up to which seq of the log resolved markets are known, and which life of the store says so."""
        return self._do(lambda opened: (int((self._bare(opened, MARKETS).metadata or {}).get("cursor", 0)), opened.life))

    def advance(self, cursor: int, life: int) -> None:
        """Note up to which seq resolved markets are known, unless the store was begun anew meanwhile."""

        def advance(opened: _Opened) -> None:
            if opened.life == life:
                self._bare(opened, MARKETS).modify(metadata={"cursor": cursor})

        self._do(advance)

    def _prune(self, opened: _Opened, collection: Collection) -> None:
        bare = self._bare(opened, collection)
        if bare.count() > self._most:
            times = sorted(metadata[collection.time] for metadata in bare.get(include=["metadatas"])["metadatas"])
            bare.delete(where={collection.time: {"$lte": times[len(times) // 4]}})

    def _name(self, collection: Collection) -> str:
        return f"{collection.name}-{self._embedder.name}"

    def _bare(self, opened: _Opened, collection: Collection) -> Any:
        """Return a collection without LangChain, which has no way to its size and its own metadata."""
        return opened.client.get_collection(self._name(collection), embedding_function=None)

    def _do(self, action: Callable[[_Opened], T]) -> T:
        """Do something with the store: opened if it is not, opened again if that fails, and then begun anew."""
        opened = None
        for repair in (self._open, self._reopen, self._begin_anew):
            try:
                opened = repair(opened)
                return action(opened)
            except BaseException as error:
                if not isinstance(error, _FAILURES) and type(error).__name__ != _PANIC and not _unreachable(error):
                    raise
                failure = error
        # A URL may hold a password.
        where = urlsplit(self._url).hostname or self._directory
        raise Unavailable(f"{where} cannot be used as a store ({failure})") from failure

    def _open(self, failed: _Opened | None) -> _Opened:
        with self._lock:
            if self._opened is None:
                self._opened = self._connect()
            return self._opened

    def _reopen(self, failed: _Opened | None) -> _Opened:
        with self._lock:
            if self._opened is None or self._opened is failed:
                # Others may be using the old client, so it is dropped, not closed; Chroma would give the same one again.
                self._opened = None
                SharedSystemClient.clear_system_cache()
                self._opened = self._connect()
            return self._opened

    def _begin_anew(self, failed: _Opened | None) -> _Opened:
        with self._lock:
            if self._opened is not None and self._opened is not failed:
                return self._opened
            self._opened = None
            SharedSystemClient.clear_system_cache()
            if not self._url:
                aside = self._directory.with_name(f"{self._directory.name}.broken")
                _remove(aside)
                if self._directory.exists():
                    self._directory.rename(aside)
                self._life += 1
                log.error("the store %s is damaged or in use; it was moved to %s and is begun anew", self._directory, aside)
            self._opened = self._connect()
            return self._opened

    def _connect(self) -> _Opened:
        settings = Settings(anonymized_telemetry=False)
        client: Any
        if self._url:
            parts = urlsplit(self._url)
            secure = parts.scheme == "https"
            port = parts.port or (443 if secure else 8000)
            client = chromadb.HttpClient(parts.hostname or "", port, ssl=secure, settings=settings)
        else:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            client = chromadb.PersistentClient(self._directory, settings)
        collections = {
            collection: Chroma(
                self._name(collection),
                self._embedder.model,
                client=client,
                collection_configuration={"hnsw": {"space": "cosine"}},
            )
            for collection in (ARTICLES, MARKETS)
        }
        return _Opened(collections, client, self._life)


def _unreachable(error: BaseException) -> bool:
    """Whether Chroma's client says in its way that there is no server."""
    return isinstance(error, ValueError) and "Could not connect" in str(error)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

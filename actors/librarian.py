"""The librarian: reads the news and remembers them, and resolved markets, for all agents of a fleet."""

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from actors import remote
from actors.naming import SANDBOX
from actors.research.lookups import Lookups
from actors.system import SystemConfig
from agents.errors import PolyfleetError, Unavailable
from agents.forecasting.records import PastMarket
from agents.ports import Endpoints, Findings, Ledger, MarketFeed
from agents.rag.selection import selected
from agents.rag.text import plain

if TYPE_CHECKING:
    from actors.research.articles import Articles
    from actors.research.embeddings import Embedder
    from actors.research.gate import Gate
    from actors.research.past_markets import PastMarkets
    from actors.research.source import Source
    from actors.research.store import Store

log = logging.getLogger(__name__)

#: Venue milliseconds and wall seconds for which one lookup serves all who ask the same.
_WINDOW = 30 * 60_000
_SPACING = 10.0

#: What a search says where there is nobody to ask.
_NO_SOURCE = "there is no source of news; set TAVILY_API_KEY, NEWS_API_KEY or POLYFLEET_RSS_FEEDS, and start the fleet again"

#: Articles asked for with one query; queries of one search, and characters of one, that are looked at.
_ARTICLES = 20
_QUERIES = 8
_LONGEST = 300

#: Likeness to a query below which a passage, or a market, has nothing to do with it. WordLlama gives unrelated texts up to
#: 0.15 and related ones 0.3 to 0.8; OpenAI's models are near enough.
_LEAST = 0.2

#: Seconds between attempts to load what is needed.
_RETRY = 5.0

#: What waits for disk and network, besides the loop.
_THREADS = 4


class LibrarianService:
    """Implements `agents.ports.Librarian`.

    What is heavy loads in the background once somebody needs it; until then questions raise Unavailable. `settings` are
    the providers' keys and settings unless given, `sources` what they and the mode ask for. One lookup of a query serves all
    until the venue's clock is `window` milliseconds further and `spacing` wall seconds have passed; feeds, which do not
    depend on the query, are read once a window. `clock` tells seconds of a monotonic clock.

    `Findings.tokens` is all that embedding has cost since the last search answered, so that nothing is counted twice.
    """

    def __init__(
        self,
        config: SystemConfig,
        *,
        ledger: Ledger | None = None,
        feed: MarketFeed | None = None,
        where: Callable[[], Awaitable[Endpoints]] | None = None,
        settings: Mapping[str, str] | None = None,
        sources: "Sequence[Source] | None" = None,
        clock: Callable[[], float] = time.monotonic,
        window: int = _WINDOW,
        spacing: float = _SPACING,
    ) -> None:
        self._config = config
        self._ledger = ledger or remote.ledger()
        self._feed = feed or remote.market_feed()
        # Not `venue_location.locate`: only the sandbox has a wire.
        self._where = where or remote.Remote(SANDBOX).endpoints
        self._settings = settings
        self._given = sources
        self._clock = clock
        self._lookups: Lookups[str] = Lookups(window, spacing, clock, bool)
        self._threads = ThreadPoolExecutor(_THREADS, "librarian")
        self._gates: list[Gate] = []
        self._embedder: Embedder | None = None
        self._store: Store | None = None
        self._articles: Articles | None = None
        self._past: PastMarkets | None = None
        self._reason = "it loads its store and its embeddings"
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Do nothing: a fleet that asks for no forecasts needs no library."""

    async def load(self) -> None:
        """Begin to load, unless that was begun."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._live())

    async def stop(self) -> None:
        """End at once; what was stored stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._lookups.close()
        for gate in self._gates:
            await gate.close()
        store, self._store = self._store, None
        if store is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, store.close)
        self._threads.shutdown(wait=False)

    async def search(self, queries: Sequence[str], *, as_of: int, limit: int = 30) -> Findings:
        """Return passages for some queries, of documents published at or before `as_of` (venue milliseconds), no two alike.

        Raises Unavailable while it loads, and if neither embeddings nor store can be had; a source that fails is only noted.
        """
        await self.load()
        articles = self._articles
        if articles is None or self._embedder is None:
            raise Unavailable(f"the librarian is starting: {self._reason}")
        asked = list(dict.fromkeys(filter(None, (" ".join(plain(query, _LONGEST).split()) for query in queries))))[:_QUERIES]
        looks = [
            self._lookups.get((gate.name, query), as_of, functools.partial(self._look, gate, query, as_of))
            for gate in self._gates
            for query in (asked if gate.searches else [""])
        ]
        notes = dict.fromkeys(filter(None, await asyncio.gather(*looks))) if self._gates else (_NO_SOURCE,)
        # Several chunks may be of one document, and several documents alike.
        found = await asyncio.gather(*(articles.find(query, as_of=as_of, limit=2 * limit) for query in asked))
        evidence = selected([one for passages in found for one in passages], as_of=as_of, least=_LEAST, limit=limit)
        return Findings(evidence, self._embedder.meter.take(), tuple(notes))

    async def similar(self, question: str, *, as_of: int, limit: int = 5) -> list[PastMarket]:
        """Return markets like this one that had resolved by `as_of`, the most alike first. Raises Unavailable."""
        await self.load()
        if self._past is None:
            raise Unavailable(f"the librarian is starting: {self._reason}")
        return await self._past.similar(question, as_of=as_of, least=_LEAST, limit=limit)

    async def _look(self, gate: "Gate", query: str, as_of: int) -> str:
        """Fetch a source's articles and store them; return what went wrong in one sentence, empty if nothing did."""
        assert self._articles is not None
        try:
            articles = await gate.fetch(query, as_of, _ARTICLES)
            await self._articles.keep(articles, as_of)
        except PolyfleetError as error:
            return str(error)
        except Exception as error:
            log.exception("articles of %s could not be stored", gate.name)
            return f"articles of {gate.name} could not be stored ({type(error).__name__})"
        return ""

    async def _live(self) -> None:
        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(self._threads, self._load)
                break
            except PolyfleetError as error:
                self._reason = str(error)
                log.warning("the librarian cannot start: %s; trying again", error)
            except Exception as error:
                self._reason = f"{type(error).__name__}; its log has more"
                log.exception("the librarian could not load; trying again")
            await asyncio.sleep(_RETRY)
        assert self._past is not None
        await self._past.learn()

    def _load(self) -> None:
        """Import and load what is heavy: about a second of CPU, on a thread."""
        from actors.research.articles import Articles
        from actors.research.embeddings import embedder_from
        from actors.research.gate import Gate
        from actors.research.past_markets import PastMarkets
        from actors.research.sources import sources_from
        from actors.research.store import Store

        settings = self._config.providers() if self._settings is None else self._settings
        simulated = self._config.mode == "sandbox"
        embedder = embedder_from(settings, free=simulated)
        url = "" if simulated else settings.get("POLYFLEET_CHROMA_URL", "")
        store = self._store = Store(Path(self._config.data_dir) / "library", url, embedder)
        store.open()
        sources = sources_from(settings, self._where, simulated=simulated) if self._given is None else self._given
        self._gates = [Gate(source, self._clock) for source in sources]
        self._past = PastMarkets(store, self._ledger, self._feed, self._threads)
        self._embedder, self._articles = embedder, Articles(store, self._threads)
        log.info("the librarian reads %s", ", ".join(gate.name for gate in self._gates) or "nothing: no source has a key")

"""What the librarian remembers: over restarts and kills, after damage; resolved markets; embeddings by a server."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from langchain_core.documents import Document

from actors.ledger import LedgerService
from actors.research.embeddings import Embedder, embedder_from
from actors.research.store import ARTICLES, Store
from agents import facts
from agents.errors import Unavailable
from agents.events import Event, Type
from agents.forecasting.records import PastMarket
from agents.model import Book, FeeSchedule, Market, MarketView
from agents.money import ONE
from tests.contract.librarian.conftest import KnownMarkets, Open
from tests.contract.librarian.newsroom import HOUR, NOW, Newsroom, Story

RATES = "The Federal Reserve may cut interest rates in December, two officials said on Tuesday."
QUERY = "Will the Federal Reserve cut interest rates?"


def market(n: int, question: str, payouts: tuple[int, int] = (ONE, 0)) -> Market:
    return Market(
        *(str(n), f"0x{n}", question, f"m-{n}", (f"t{n}", f"u{n}"), ("Yes", "No"), 10_000, ONE, FeeSchedule()),
        tags=("Economy", "Fed"),
        payouts=payouts,
    )


async def resolve(ledger: LedgerService, feed: KnownMarkets, *resolved: Market, at: int = NOW) -> None:
    """Put markets' resolutions, and a redemption of each, into the log; the feed knows their prices."""
    life = await ledger.open_source("feed")
    events = []
    for one in resolved:
        prices = ((at - 30 * HOUR, 400_000), (at - 2 * HOUR, 900_000))
        feed.views[one.condition_id] = MarketView(one, (Book("a"), Book("b")), prices)
        data = facts.resolution_data(one, venue_time=at)
        redeemed = facts.redemption_data(one, wallet="w", redeemed=[], tx_hash="0x", venue_time=at + HOUR)
        events += [data, redeemed]
    await ledger.append(
        [Event(f"feed/{life}/{n}", Type.RESOLUTION, "feed", None, life, 1, data) for n, data in enumerate(events)]
    )


async def learned(service: object, count: int) -> list[PastMarket]:
    async with asyncio.timeout(20):
        while len(found := await service.similar(QUERY, as_of=NOW + 99 * HOUR)) < count:  # type: ignore[attr-defined]
            await asyncio.sleep(0.02)
    return found  # type: ignore[no-any-return]


async def test_documents_outlive_a_restart(newsroom: Newsroom, librarian: Open) -> None:
    newsroom.stories = [Story("Rates", RATES)]
    await (await librarian()).search([QUERY], as_of=NOW)
    newsroom.stories = []
    findings = await (await librarian()).search([QUERY], as_of=NOW)
    assert [one.summary for one in findings.evidence] == [RATES]


def _garbage(library: Path, pattern: str) -> None:
    files = [file for file in library.rglob(pattern) if file.is_file()]
    assert files
    for file in files:
        file.write_bytes(b"garbage" * 200)


def _file(library: Path, pattern: str) -> None:
    library.rename(library.with_name("elsewhere"))
    library.write_text("no directory")


@pytest.mark.parametrize(("damage", "pattern"), [(_garbage, "chroma.sqlite3"), (_garbage, "*.bin"), (_file, "")])
def test_a_damaged_store_is_moved_aside_and_begun_anew(
    tmp_path: Path, embedder: Embedder, damage: object, pattern: str
) -> None:
    library = tmp_path / "library"
    store = Store(library, "", embedder)
    entries = [Document(id=f"{n}-0", page_content=f"{RATES} {n}", metadata={"published": n + 1}) for n in range(1200)]
    for start in range(0, 1200, 400):
        store.add(ARTICLES, entries[start : start + 400])
    life = store.cursor()[1]
    store.advance(77, life)
    assert store.cursor()[0] == 77
    store.close()
    damage(library, pattern)  # type: ignore[operator]
    again = Store(library, "", embedder)
    assert again.find(ARTICLES, QUERY, as_of=9999, limit=5) == []
    again.add(ARTICLES, entries[:3])
    again.advance(99, life)
    assert again.cursor() == (0, life + 1), "the log is read again for a store that was begun anew"
    assert len(again.find(ARTICLES, QUERY, as_of=2, limit=5)) == 2
    assert (tmp_path / "library.broken").exists()
    again.close()


def test_what_cannot_be_used_at_all_is_unavailable(tmp_path: Path, embedder: Embedder) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be used as a store"):
        Store(tmp_path / "file" / "library", "", embedder).open()
    with pytest.raises(Unavailable, match="cannot be used as a store"):
        Store(tmp_path / "library", "http://127.0.0.1:1", embedder).open()


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path, embedder: Embedder) -> None:
    store = Store(tmp_path / "library", "", embedder, most=8)
    store.add(ARTICLES, [Document(id=f"{n}-0", page_content=RATES, metadata={"published": n + 1}) for n in range(12)])
    kept = store.find(ARTICLES, QUERY, as_of=99, limit=20)
    assert sorted(entry.metadata["published"] for entry, _ in kept) == list(range(5, 13))
    store.close()


_WRITER = """
import sys
from pathlib import Path
from langchain_core.documents import Document
from actors.research.embeddings import embedder_from
from actors.research.store import ARTICLES, Store
store = Store(Path(sys.argv[1]), "", embedder_from({}, free=True))
for n in range(100_000):
    store.add(ARTICLES, [Document(id=f"{n}-{k}", page_content=f"text {n} {k}", metadata={"published": 1}) for k in range(40)])
    print(n, flush=True)
"""


def test_a_kill_in_the_middle_loses_nothing_that_was_stored(tmp_path: Path, embedder: Embedder) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path / "library")], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        stored = [int(writer.stdout.readline()) for _ in range(10)]
        os.kill(writer.pid, signal.SIGKILL)
    store = Store(tmp_path / "library", "", embedder)
    assert len(store.known(ARTICLES, [f"{n}-0" for n in stored])) == 10
    assert len(store.find(ARTICLES, "text", as_of=1, limit=100)) == 100
    assert not (tmp_path / "library.broken").exists()
    store.close()


async def test_resolved_markets_are_learned_and_recalled_as_of_a_time(
    newsroom: Newsroom, ledger: LedgerService, feed: KnownMarkets, librarian: Open
) -> None:
    service = await librarian()
    early = market(1, "Will the Federal Reserve cut interest rates in June?")
    late = market(2, "Will the Federal Reserve cut interest rates in July?", (0, ONE))
    void = market(3, "Will the Federal Reserve cut interest rates in May?", (ONE // 2, ONE // 2))
    other = market(4, "Will Manchester United win the cup?")
    await resolve(ledger, feed, early, void, other, at=NOW)
    await resolve(ledger, feed, late, at=NOW + 5 * HOUR)
    assert {one.question for one in await learned(service, 2)} == {early.question, late.question}
    (found,) = await service.similar(QUERY, as_of=NOW + HOUR)
    assert found.likeness > 0.5
    prices = ((24.0, 0.4), (12.0, 0.4), (6.0, 0.4), (3.0, 0.4), (1.0, 0.9))
    assert replace(found, likeness=1) == PastMarket(early.question, "Economy", "Yes", NOW, prices, 1)
    assert await service.similar(QUERY, as_of=NOW - 1) == []


async def test_learning_goes_on_after_a_restart_and_waits_for_the_feed(
    newsroom: Newsroom, ledger: LedgerService, feed: KnownMarkets, librarian: Open, tmp_path: Path
) -> None:
    first = await librarian()
    await resolve(ledger, feed, market(1, "Will the Federal Reserve cut interest rates in June?"))
    await learned(first, 1)
    await first.stop()
    feed.views.clear()
    feed.down = True
    second = await librarian()
    await resolve(ledger, KnownMarkets(), market(2, "Will the Federal Reserve cut interest rates in July?"))
    assert [one.category for one in await learned(second, 1)] == ["Economy"], "what is known already is not asked for again"
    feed.down = False
    assert sorted(one.category for one in await learned(second, 2)) == ["", "Economy"]


async def test_a_servers_embeddings_are_kept_apart_and_their_tokens_counted_once(newsroom: Newsroom, librarian: Open) -> None:
    newsroom.stories = [Story("Rates", RATES)]
    await (await librarian()).search([QUERY], as_of=NOW)
    settings = {"OPENAI_API_KEY": "sk-secret", "OPENAI_BASE_URL": f"{newsroom.url}/v1"}
    await (await librarian("sandbox", settings=settings)).search([QUERY], as_of=NOW)
    assert newsroom.asked["/v1/embeddings"] == 0, "the sandbox costs nothing"
    service = await librarian("paper", settings=settings, spacing=0, window=0, sources=[])
    findings = await service.search([QUERY], as_of=NOW)
    assert (findings.evidence, findings.tokens) == ((), 14), "its query, and the question asked when it was opened"
    assert "set TAVILY_API_KEY" in findings.notes[0]
    tokens = [(await service.search([query], as_of=NOW)).tokens for query in (QUERY, QUERY, "another")]
    assert tokens == [0, 0, 7], "a query is embedded once"
    newsroom.statuses["/v1/embeddings"] = 401
    with pytest.raises(Unavailable, match="refused with status 401") as raised:
        await service.search(["a third"], as_of=NOW)
    assert "sk-secret" not in str(raised.value)


async def test_another_model_of_embeddings_can_be_named(newsroom: Newsroom) -> None:
    settings = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{newsroom.url}/v1", "OPENAI_EMBEDDING_MODEL": "nomic/embed:v2"}
    embedder = embedder_from(settings, free=False)
    assert embedder.name.startswith("nomic-embed-v2-127-0-0-1-")
    assert len(embedder.model.embed_documents(["one", "two"])) == 2
    assert newsroom.queries[0]["model"] == "nomic/embed:v2"
    assert (embedder.meter.take(), embedder.meter.take()) == (14, 0)
    assert embedder_from(settings | {"OPENAI_EMBEDDING_MODEL": "wordllama"}, free=False).name == "wordllama"

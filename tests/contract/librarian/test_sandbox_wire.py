"""The librarian on the real wire of a simulated venue, and what its module costs to import."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from actors.sandbox.venue import VenueConfig
from agents.ports import Endpoints
from tests.contract.librarian.conftest import Open
from tests.contract.sandbox.served import Served


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served(VenueConfig(seed=5, speed=60.0))
    yield served
    served.stop()


async def test_a_markets_own_articles_come_first(served: Served, librarian: Open) -> None:
    async def where() -> Endpoints:
        return served.endpoints

    service = await librarian(where=where)
    now = served.server.venue.now
    questions = [market.question for market in served.run(lambda exchange: list(exchange.markets())) if not market.closed]
    for question in questions[:4]:
        findings = await service.search([question], as_of=now)
        assert findings.notes == ()
        assert question in findings.evidence[0].title
        assert "put the chance of" in " ".join(one.summary for one in findings.evidence)
        assert all(one.published <= now and "window.metrics" not in one.summary for one in findings.evidence)


def test_what_is_heavy_is_imported_only_when_it_loads() -> None:
    heavy = {"chromadb", "langchain_core", "openai", "wordllama", "trafilatura", "polymarket"}
    program = f"import sys, actors.librarian; print(sorted({heavy!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.ledger import LedgerService
from actors.system import SystemConfig
from agents.errors import Unavailable
from agents.events import Event, Type


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let every write of this process beyond a size fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def batch(number: int) -> list[Event]:
    counts = range(number * 20, number * 20 + 20)
    return [Event(f"agent:a/1/{n}", Type.INFO, "agent:a", "a", 1, 0, {"n": n, "text": "x" * 1000}) for n in counts]


async def test_a_full_disk_refuses_whole_batches_and_later_ones_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    ledger = LedgerService(SystemConfig(str(tmp_path)))
    await ledger.start()
    acknowledged, refused = [], []
    with files_no_larger_than(1_000_000):
        for number in range(100):
            try:
                async with asyncio.timeout(5):
                    acknowledged += await ledger.append(batch(number))
            except Unavailable as error:
                refused.append((number, str(error)))
        assert await ledger.head() == len(acknowledged)
    assert acknowledged == list(range(1, len(acknowledged) + 1))
    assert len(refused) > 5
    assert len(acknowledged) > 200
    assert {message.split("cannot be used now: ")[1] for _, message in refused} <= {
        "database or disk is full",
        "disk I/O error",
    }
    for number, _ in refused:
        acknowledged += await ledger.append(batch(number))
    assert await ledger.open_source("agent:b") == 1
    await ledger.stop()

    again = LedgerService(SystemConfig(str(tmp_path)))
    await again.start()
    events = [event for after in (0, 1000, 2000) for event in (await again.poll(after)).events]
    assert [event.seq for event in events] == list(range(1, 2002))
    assert [event.seq for event in events if event.source == "agent:a"] == acknowledged
    (told,) = [event for event in events if event.source == "ledger"]
    assert (told.type, told.data["code"]) == (Type.ERROR, "store")
    assert len({event["id"] for event in (await again.history("events", limit=1000)).items}) == 1000
    await again.stop()

"""What the ledger does while its database is away, with the real thing: a server that is stopped, a disk that is full."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.event_source import EventSource
from actors.ledger import LedgerService
from actors.system import SystemConfig
from agents.errors import Unavailable
from agents.events import Event, Type
from tests.postgres import postgres


async def told(ledger: LedgerService) -> list[Event]:
    """Return the errors in the log, once the ledger has said what there is to say."""
    await ledger._telling
    return (await ledger.poll(0, types=["error"])).events


async def test_a_server_that_goes_and_comes_back_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres() as server:
        monkeypatch.setenv("DATABASE_URL", server.new_database())
        ledger = LedgerService(SystemConfig(str(tmp_path)))
        await ledger.start()
        source = EventSource("agent:a", await ledger.open_source("agent:a"), ledger)
        before = source.event(Type.DECISION, {"n": 1}, "a")
        assert await source.store([before]) == [1]
        server.stop()
        with pytest.raises(Unavailable, match=r"the log at postgresql://polyfleet:\*\*\*@127.0.0.1:\d+/\w+ cannot be used now"):
            await ledger.append([source.event(Type.INFO, {"lost": True}, "a")])
        waiting = [asyncio.create_task(source.store([source.event(Type.DECISION, {"n": n}, "a")])) for n in (2, 3)]
        await asyncio.sleep(0.5)
        assert not any(task.done() for task in waiting)
        assert [event.id for event in (await ledger.poll(0)).events] == [before.id]
        server.start()
        async with asyncio.timeout(10):
            await asyncio.gather(*waiting)
        (error,) = await told(ledger)
        assert error.data["code"] == "store"
        assert "secret" not in error.data["message"]
        events = (await ledger.poll(0)).events
        assert [event.seq for event in events] == [1, 2, 3, 4]
        assert sorted(event.data["n"] for event in events if event.type is Type.DECISION) == [1, 2, 3]
        assert (await ledger.history("events")).items[0]["seq"] == 4
        await ledger.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here ({mounted.stderr.strip()}); test_full_disk limits the files instead")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_stops_writers_until_there_is_room(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 1_500_000)
    ledger = LedgerService(SystemConfig(str(small_disk)))
    await ledger.start()
    source = EventSource("agent:a", await ledger.open_source("agent:a"), ledger)

    async def store_one() -> int:
        (seq,) = await source.store([source.event(Type.DECISION, {"text": "x" * 1000}, "a")], patience=0)
        return seq

    async def store_all() -> None:
        while await store_one() < 3000:
            pass

    with pytest.raises(Unavailable, match=r"cannot be used now: (database or disk is full|disk I/O error)"):
        await store_all()
    stored = await ledger.head()
    assert stored > 50
    waiting = asyncio.create_task(source.store([source.event(Type.DECISION, {"text": "x" * 1000}, "a")]))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    assert len((await ledger.history("decisions", limit=1000)).items) == stored
    ballast.unlink()
    async with asyncio.timeout(10):
        (seq,) = await waiting
    assert seq == stored + 1
    (error,) = await told(ledger)
    assert error.seq == seq + 1
    await ledger.stop()
    again = LedgerService(SystemConfig(str(small_disk)))
    await again.start()
    assert await again.head() == seq + 1
    await again.stop()

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from actors.ledger import LedgerService
from agents.errors import Unavailable
from agents.events import Type
from agents.ports import Batch, Ledger
from supervisor.api import hub as hub_module
from supervisor.api.hub import HISTORY, RING, Delivery, Hub
from tests.unit.supervisor.api.stand import AgentStand


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.heard: list[Delivery] = []
        self.news = asyncio.Event()

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        self.heard += deliveries
        self.news.set()

    async def drain(self) -> None:
        self.heard.clear()

    async def until(self, seq: int) -> list[int]:
        """Return what was heard once this event was."""
        async with asyncio.timeout(10):
            while not self.heard or self.heard[-1].event.seq < seq:
                self.news.clear()
                await self.news.wait()
        return [delivery.event.seq for delivery in self.heard]


async def following(ledger: Any) -> tuple[Hub, Ear]:
    hub, ear = Hub(cast(Ledger, ledger)), Ear()
    hub.add(ear)
    hub.start()
    await hub.started()
    return hub, ear


async def test_the_history_is_the_last_notifications_oldest_first(ledger: LedgerService) -> None:
    agent = AgentStand(ledger)
    for n in range(130):
        await agent.log(Type.ORDER, Type.INFO, Type.FORECAST, message=f"n{n}")
    hub, ear = await following(ledger)
    assert [note["message"] for note in hub.recent] == [f"n{n}" for n in range(130 - HISTORY, 130)]
    assert len(hub._ring) == RING
    assert ear.heard == []
    [seq] = await agent.log(Type.INFO, message="new")
    assert await ear.until(seq) == [391]
    assert [note["message"] for note in hub.recent][-2:] == ["n129", "new"]
    assert len(hub.recent) == HISTORY
    await hub.stop()


async def test_a_short_log_gives_a_short_history(ledger: LedgerService) -> None:
    await AgentStand(ledger).log(Type.ORDER, Type.INFO)
    hub, _ = await following(ledger)
    assert len(hub.recent) == 1
    await hub.stop()


class Fickle:
    """The real ledger, which is away for some calls."""

    def __init__(self, ledger: LedgerService) -> None:
        self._ledger = ledger
        self.failures: list[Exception] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def poll(self, after: int, **options: Any) -> Batch:
        if options.get("wait") and self.failures:
            raise self.failures.pop()
        return await self._ledger.poll(after, **options)


async def test_the_hub_goes_on_where_it_was_when_the_ledger_is_back(
    ledger: LedgerService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hub_module, "_RETRY", 0.0)
    fickle = Fickle(ledger)
    fickle.failures = [Unavailable("ledger is not running now"), RuntimeError("a bug")] * 2
    hub, ear = await following(fickle)
    agent = AgentStand(ledger)
    for n in range(1, 6):
        await agent.log(Type.INFO)
        assert await ear.until(n) == list(range(1, n + 1))
        fickle.failures = [Unavailable("ledger is not running now")]
    assert "the log cannot be followed now: ledger is not running now" in caplog.text
    assert "following the log failed" in caplog.text
    await hub.stop()

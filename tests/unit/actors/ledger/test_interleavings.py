import asyncio
import tempfile
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.ledger import LedgerService
from actors.system import SystemConfig
from agents.errors import StaleIncarnation
from agents.events import Event, Type
from tests.postgres import Postgres

SOURCES = ("agent:a", "agent:b")

#: One thing that is asked of the ledger: to open a source, or to append new events or an earlier batch of them once more.
Ask = tuple[str, str, int, int]

asks = st.one_of(
    st.tuples(st.just("open"), st.sampled_from(SOURCES), st.just(0), st.just(0)),
    st.tuples(st.just("append"), st.sampled_from(SOURCES), st.integers(-1, 0), st.integers(1, 3)),
    st.tuples(st.just("retry"), st.just(""), st.integers(0, 30), st.just(0)),
)


@dataclass
class Model:
    """What the log must be after each thing asked for, one after the other."""

    lives: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOURCES, 1))
    log: dict[str, int] = field(default_factory=dict)
    batches: list[list[Event]] = field(default_factory=list)
    made: int = 0

    def batch(self, source: str, life: int, count: int) -> list[Event]:
        events = []
        for _ in range(count):
            self.made += 1
            events.append(Event(f"{source}/{life}/{self.made}", Type.INFO, source, None, life, 0, {"n": self.made}))
        self.batches.append(events)
        return events

    def append(self, events: list[Event]) -> list[int] | None:
        if any(event.incarnation < self.lives[event.source] for event in events):
            return None
        return [self.log.setdefault(event.id, len(self.log) + 1) for event in events]


async def ask(ledger: LedgerService, model: Model, group: list[Ask]) -> None:
    """Ask for all of a group at once and compare each answer."""
    calls, expected = [], []
    for kind, source, number, count in group:
        if kind == "open":
            model.lives[source] += 1
            expected.append(model.lives[source])
            calls.append(ledger.open_source(source))
        elif kind == "append" or model.batches:
            events = (
                model.batch(source, max(model.lives[source] + number, 1), count)
                if kind == "append"
                else model.batches[number % len(model.batches)]
            )
            expected.append(model.append(events))  # type: ignore[arg-type]
            calls.append(ledger.append(events))  # type: ignore[arg-type]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [None if isinstance(answer, StaleIncarnation) else answer for answer in answers] == expected


async def run(groups: list[list[Ask]], crash: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        opened = [LedgerService(SystemConfig(directory))]
        await opened[0].start()
        model = Model()
        for source in SOURCES:
            await opened[0].open_source(source)
        for group in groups:
            await ask(opened[-1], model, group)
            if crash:
                opened.append(LedgerService(SystemConfig(directory)))
                await opened[-1].start()
        events = (await opened[-1].poll(0)).events
        assert [event.seq for event in events] == list(range(1, len(model.log) + 1))
        assert {event.id: event.seq for event in events} == model.log
        assert (await opened[-1].snapshot()).seq == len(model.log)
        for ledger in opened:
            await ledger.stop()


@settings(max_examples=40, deadline=None)
@given(groups=st.lists(st.lists(asks, min_size=1, max_size=6), max_size=6), crash=st.booleans())
def test_any_interleaving_leaves_each_event_once_without_a_gap(groups: list[list[Ask]], crash: bool) -> None:
    asyncio.run(run(groups, crash))


@settings(max_examples=8, deadline=None)
@given(groups=st.lists(st.lists(asks, min_size=1, max_size=6), min_size=3, max_size=6), crash=st.booleans())
def test_any_interleaving_on_postgresql(postgres_server: Postgres, groups: list[list[Ask]], crash: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", postgres_server.new_database())
        asyncio.run(run(groups, crash))

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from actors.ledger import LedgerService
from actors.ledger.recent import RecentEvents
from actors.system import SystemConfig
from agents.errors import Unavailable
from agents.events import Type
from agents.ports import Batch, Ledger, Page
from supervisor.api import hub as hub_module
from supervisor.api import plain_socket
from supervisor.api.access import Access, digest
from supervisor.api.asgi import HubApp, hub_app
from supervisor.api.outbox import CAPACITY
from tests.unit.supervisor.api.plain_wire import Closed, PlainWire
from tests.unit.supervisor.api.stand import AgentStand, lifespan

TOKEN = Access(token_digest=digest("s3cret"))


@pytest.fixture
async def hub(ledger: LedgerService) -> AsyncIterator[HubApp]:
    app = hub_app(ledger, Access())
    async with lifespan(app):
        await app.hub.started()
        yield app


@pytest.fixture
def agent(ledger: LedgerService) -> AgentStand:
    return AgentStand(ledger)


async def subscribed(wire: PlainWire, **fields: Any) -> PlainWire:
    """Subscribe, and wait until it is done."""
    assert (await wire.hear())["op"] == "hello"
    wire.say("subscribe", **fields)
    return wire


async def test_a_client_is_greeted_with_where_the_log_is(ledger: LedgerService, hub: HubApp, agent: AgentStand) -> None:
    await agent.log(Type.INFO, Type.INFO)
    async with PlainWire(hub) as before:
        await subscribed(before)
        await before.quiet()
    async with PlainWire(hub, "/ws/") as wire:
        assert await wire.hear() == {"op": "hello", "seq": hub.hub.seq, "floor": 1}


async def test_without_a_cursor_only_what_is_new_comes(hub: HubApp, agent: AgentStand) -> None:
    [event] = agent.events(Type.INFO, message="first")
    async with PlainWire(hub) as wire:
        await subscribed(wire)
        await wire.quiet()
        [seq] = await hub.hub.ledger.append([event])
        assert await wire.hear() == {"op": "event", "event": event.numbered(seq).json()}
        await wire.quiet()


async def test_a_client_that_has_not_subscribed_hears_nothing(hub: HubApp, agent: AgentStand) -> None:
    async with PlainWire(hub) as silent, PlainWire(hub) as other:
        assert (await silent.hear())["op"] == "hello"
        await subscribed(other)
        await other.quiet()
        await agent.log(Type.INFO)
        await other.events(1)
        await silent.quiet()
        other.say("unsubscribe")
        await other.quiet()
        silent.say("subscribe")
        await silent.quiet()
        await agent.log(Type.INFO)
        await silent.events(1)
        await other.quiet()


async def test_with_a_cursor_the_past_comes_first(hub: HubApp, agent: AgentStand) -> None:
    for _ in range(3):
        await agent.log(*[Type.INFO] * 400)
    async with PlainWire(hub) as wire:
        await subscribed(wire, after=100)
        assert await wire.events(1100) == list(range(101, 1201))
        await agent.log(Type.INFO)
        assert await wire.events(1) == [1201]


async def test_types_and_agents_narrow_both_past_and_present(hub: HubApp, ledger: LedgerService, agent: AgentStand) -> None:
    others = AgentStand(ledger, "b"), AgentStand(ledger, "c")
    for source in (agent, *others):
        await source.log(Type.DECISION, Type.TRADE, Type.INFO)
    async with PlainWire(hub) as wire:
        await subscribed(wire, types=["trade", "decision"], agents=["b", "c"], after=0)
        assert await wire.events(4) == [4, 5, 7, 8]
        await agent.log(Type.TRADE)
        await others[0].log(Type.INFO, Type.TRADE)
        assert await wire.events(1) == [12]
        wire.say("subscribe", agents=["b"], after=4)
        assert await wire.events(4) == [5, 6, 11, 12]
        await wire.quiet()


async def test_no_types_and_no_agents_mean_all(hub: HubApp, agent: AgentStand) -> None:
    async with PlainWire(hub) as wire:
        await subscribed(wire, types=[], agents=[], after=0)
        await agent.log(Type.INFO)
        assert await wire.events(1) == [1]


class Jittery:
    """The real ledger, whose answers to `poll` take a while that chance decides; now and then it is away."""

    def __init__(self, ledger: Ledger, random: Random) -> None:
        self._ledger = ledger
        self._random = random

    async def poll(self, after: int, *, wait: float = 0.0, **options: Any) -> Batch:
        for _ in range(self._random.choice((0, 0, 1, 5, 40))):
            await asyncio.sleep(0)
        if wait and self._random.random() < 0.1:
            raise Unavailable("ledger is not running now")
        batch = await self._ledger.poll(after, wait=wait, **options)
        for _ in range(self._random.choice((0, 0, 1, 5, 40))):
            await asyncio.sleep(0)
        return batch

    async def head(self) -> int:
        return await self._ledger.head()

    async def history(self, kind: str, agent: str | None = None, *, limit: int = 100, before: int | None = None) -> Page:
        return await self._ledger.history(kind, agent, limit=limit, before=before)


@pytest.mark.parametrize("seed", range(8))
async def test_between_past_and_present_nothing_is_lost_and_nothing_comes_twice(
    ledger: LedgerService, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients with and without filters subscribe at any moment, from any cursor, while events are appended all the time."""
    random = Random(seed)
    monkeypatch.setattr(hub_module, "_RETRY", 0.001)
    monkeypatch.setattr(plain_socket, "_PAGE", random.choice((3, 20, 500)))
    monkeypatch.setattr(ledger, "_recent", RecentEvents(40))
    sources = [AgentStand(ledger, name) for name in ("a", "b", "c")]
    kinds = (Type.INFO, Type.DECISION, Type.TRADE, Type.ORDER)

    async def write() -> None:
        for _ in range(60):
            await random.choice(sources).log(*random.choices(kinds, k=random.choice((1, 2, 30))))

    async def follow(app: HubApp, types: Sequence[str], agents: Sequence[str]) -> tuple[int, list[int]]:
        async with PlainWire(app) as wire:
            hello = await wire.hear()
            after = random.randint(0, hello["seq"])
            wire.say("subscribe", after=after, types=types, agents=agents)
            heard: list[int] = []
            while True:
                message = await wire.hear()
                assert message["op"] == "event", message
                if message["event"]["data"].get("message") == "end":
                    return after, heard
                heard.append(message["event"]["seq"])

    async def arrive(app: HubApp) -> None:
        for _ in range(random.randint(0, 400)):
            await asyncio.sleep(0)
        types = random.choice(([], ["risk", "trade"], ["risk", "info", "order"]))
        agents = random.choice(([], ["a"], ["b", "c"]))
        after, heard = await follow(app, types, agents)
        assert heard == [
            event.seq
            for event in await all_events(ledger)
            if event.seq > after and (not types or event.type in types) and (not agents or event.agent_id in agents)
            if event.data.get("message") != "end"
        ]

    await sources[0].log(*[Type.INFO] * 20)
    app = hub_app(cast(Ledger, Jittery(ledger, random)), Access())
    async with lifespan(app):
        await app.hub.started()
        clients = [asyncio.create_task(arrive(app)) for _ in range(12)]
        await write()
        # Everybody wants one of these.
        for source in sources:
            await source.log(Type.RISK, message="end")
        await asyncio.gather(*clients)


async def all_events(ledger: LedgerService) -> list[Any]:
    events: list[Any] = []
    while True:
        batch = await ledger.poll(events[-1].seq if events else 0)
        if not batch.events:
            return events
        events += batch.events


async def test_a_client_that_falls_behind_reads_on_at_its_own_pace(hub: HubApp, agent: AgentStand) -> None:
    async with PlainWire(hub) as slow, PlainWire(hub) as quick:
        for wire in (slow, quick):
            await subscribed(wire)
            await wire.quiet()
        slow.dawdle(True)
        for _ in range(5):
            await agent.log(*[Type.INFO] * CAPACITY)
        assert await quick.events(5 * CAPACITY) == list(range(1, 5 * CAPACITY + 1))
        slow.dawdle(False)
        assert await slow.events(5 * CAPACITY) == list(range(1, 5 * CAPACITY + 1))
        await agent.log(Type.INFO)
        assert await slow.events(1) == [5 * CAPACITY + 1]


async def test_a_slow_client_is_sent_away_with_where_to_resume_and_delays_nobody(
    hub: HubApp, agent: AgentStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_socket, "_PATIENCE", 0.0)
    async with PlainWire(hub) as slow, PlainWire(hub) as quick:
        for wire in (slow, quick):
            await subscribed(wire)
            await wire.quiet()
        await agent.log(*[Type.INFO] * 5)
        assert await slow.events(5) == await quick.events(5) == [1, 2, 3, 4, 5]
        slow.dawdle(True)
        for _ in range(4):
            await agent.log(*[Type.INFO] * 500)
        assert await quick.events(2000) == list(range(6, 2006))
        slow.dawdle(False)
        messages, closed = await slow.until_closed()
        heard = [message["event"]["seq"] for message in messages]
        assert (closed.code, closed.reason) == (1013, f"slow consumer; resume after {heard[-1]}")
        assert len(heard) < CAPACITY
    monkeypatch.setattr(plain_socket, "_PATIENCE", 10.0)
    async with PlainWire(hub) as again:
        await subscribed(again, after=heard[-1])
        assert heard + await again.events(2005 - heard[-1]) == list(range(6, 2006))


async def test_a_client_that_is_slow_in_a_replay_is_waited_for(hub: HubApp, agent: AgentStand) -> None:
    for _ in range(5):
        await agent.log(*[Type.INFO] * 1000)
    async with PlainWire(hub) as slow, PlainWire(hub) as quick:
        assert (await slow.hear())["op"] == "hello"
        slow.dawdle(True)
        slow.say("subscribe", after=0)
        await subscribed(quick, after=0)
        assert await quick.events(5000) == list(range(1, 5001))
        await agent.log(Type.INFO)
        await quick.events(1)
        slow.dawdle(False)
        assert await slow.events(5001) == list(range(1, 5002))


async def test_a_resume_point_is_that_of_the_last_subscription(
    hub: HubApp, agent: AgentStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_socket, "_PATIENCE", 0.0)
    await agent.log(*[Type.INFO] * 3)
    async with PlainWire(hub) as wire:
        await subscribed(wire, after=0)
        await wire.events(3)
        wire.say("subscribe", types=["trade"], after=1)
        await wire.quiet()
        wire.dawdle(True)
        async with PlainWire(hub) as other:
            await subscribed(other)
            await other.quiet()
            for _ in range(3):
                await agent.log(*[Type.TRADE] * 500)
            await other.events(1500)
        wire.dawdle(False)
        [first] = await wire.events(1)
        with pytest.raises(Closed, match=f"1013 slow consumer; resume after {first}"):
            await wire.events(1)


async def test_what_the_log_no_longer_has_is_told_as_a_gap(ledger: LedgerService, agent: AgentStand, tmp_path: Path) -> None:
    await agent.log(*[Type.INFO] * 10)
    await ledger.stop()
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("delete from events where seq <= 4")
    database.close()
    shortened = LedgerService(SystemConfig(str(tmp_path)))
    await shortened.start()
    app = hub_app(shortened, Access())
    async with lifespan(app), PlainWire(app) as wire:
        assert await wire.hear() == {"op": "hello", "seq": 10, "floor": 5}
        wire.say("subscribe", after=2)
        assert await wire.hear() == {"op": "gap", "from": 3, "to": 4}
        assert await wire.events(6) == [5, 6, 7, 8, 9, 10]
        wire.say("subscribe", after=4)
        assert await wire.events(6) == [5, 6, 7, 8, 9, 10]
        await wire.quiet()
    await shortened.stop()


async def test_what_is_no_request_is_answered_with_an_error(hub: HubApp) -> None:
    async with PlainWire(hub) as wire:
        assert (await wire.hear())["op"] == "hello"

        async def error(text: str) -> str:
            wire.say_text(text)
            message = await wire.hear()
            assert message["op"] == "error"
            return str(message["error"])

        assert await error("{") == "the frame is not valid JSON"
        assert await error("[" * 60_000) == "the frame is not valid JSON"
        assert await error("[1]") == 'the frame is not a JSON object such as {"op":"ping"}'
        assert await error("x" * 65_537) == "the frame has 65537 characters, expected at most 65536"
        assert await error('{"op":"dance"}') == "op is 'dance', expected subscribe, unsubscribe, ping or auth"
        assert (await error('{"op":"subscribe","types":["gossip"]}')).startswith(
            "types: 'gossip' is no type of event; there are "
        )
        assert (await error('{"op":"subscribe","after":"1"}')).startswith("after: ")
        assert (await error('{"op":"subscribe","after":-1}')).startswith("after: ")
        assert (await error('{"op":"subscribe","before":1}')).startswith("before: ")
        assert await error('{"op":"subscribe","after":7}') == (
            "after: 7 is beyond the newest event, 0; is it a cursor of another fleet?"
        )
        wire.say_bytes(b"x")
        assert await wire.hear() == {"op": "error", "error": "a binary frame came; send JSON as text"}
        await wire.quiet()


async def test_a_refused_subscription_leaves_the_one_before(hub: HubApp, agent: AgentStand) -> None:
    async with PlainWire(hub) as wire:
        await subscribed(wire)
        wire.say("subscribe", types=["gossip"])
        assert (await wire.hear())["op"] == "error"
        await agent.log(Type.INFO)
        assert await wire.events(1) == [1]


async def test_a_client_that_only_talks_is_sent_away(hub: HubApp) -> None:
    async with PlainWire(hub) as wire:
        await wire.hear()
        wire.dawdle(True)
        for _ in range(CAPACITY + 100):
            wire.say("ping")
        for _ in range(3 * CAPACITY):
            await asyncio.sleep(0)
        wire.dawdle(False)
        heard, closed = await wire.until_closed()
        assert closed.code == 1013
        assert len(heard) < CAPACITY


async def test_each_event_is_written_as_json_once_for_all_clients(
    hub: HubApp, agent: AgentStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    encode = hub_module.encode

    def counted(message: dict[str, Any]) -> str:
        written.append(message["op"])
        return encode(message)

    monkeypatch.setattr(hub_module, "encode", counted)
    wires = [PlainWire(hub) for _ in range(20)]
    for wire in wires:
        await wire.__aenter__()
        await subscribed(wire)
        await wire.quiet()
    await agent.log(*[Type.INFO] * 3)
    for wire in wires:
        assert await wire.events(3) == [1, 2, 3]
        await wire.__aexit__(None, None, None)
    assert written == ["event"] * 3


async def test_at_the_end_clients_are_asked_to_come_back(ledger: LedgerService, agent: AgentStand) -> None:
    app = hub_app(ledger, Access())
    async with lifespan(app):
        await app.hub.started()
        wire = PlainWire(app)
        await wire.__aenter__()
        await subscribed(wire)
        await wire.quiet()
        await agent.log(Type.INFO)
        assert await wire.events(1) == [1]
    assert await wire.hear() == {"op": "reconnect"}
    with pytest.raises(Closed, match="1012 service restart"):
        await wire.hear()
    await wire.__aexit__(None, None, None)


async def test_with_a_token_a_client_says_it_first(ledger: LedgerService) -> None:
    app = hub_app(ledger, TOKEN)
    async with lifespan(app):
        async with PlainWire(app) as wire:
            wire.say("auth", token="s3cret")
            assert (await wire.hear())["op"] == "hello"
        async with PlainWire(app, authorization="Bearer s3cret") as wire:
            assert (await wire.hear())["op"] == "hello"
            wire.say("auth", token="s3cret")
            await wire.quiet()
        for frame in ('{"op":"auth","token":"wrong"}', '{"op":"subscribe"}', '{"op":"auth"}', '{"op":"auth","token":1}', "{"):
            async with PlainWire(app) as wire:
                wire.say_text(frame)
                message = await wire.hear()
                assert message["op"] == "error"
                with pytest.raises(Closed) as closed:
                    await wire.hear()
                assert (closed.value.code, closed.value.reason) == (1008, message["error"])
        with pytest.raises(Closed, match="401 The token is wrong"):
            await PlainWire(app, authorization="Bearer wrong").__aenter__()


async def test_a_client_that_never_says_the_token_is_sent_away(ledger: LedgerService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.api.plain_socket._AUTH_TIMEOUT", 0.01)
    app = hub_app(ledger, TOKEN)
    async with lifespan(app), PlainWire(app) as wire:
        assert await wire.hear() == {"op": "error", "error": "no auth frame came within 0.01 s"}
        with pytest.raises(Closed, match="1008"):
            await wire.hear()


async def test_a_foreign_page_or_path_gets_no_connection(hub: HubApp) -> None:
    for wire, refusal in (
        (PlainWire(hub, origin="https://evil.example"), "403 The Origin 'https://evil.example'"),
        (PlainWire(hub, host="evil.example"), "403 The Host 'evil.example'"),
        (PlainWire(hub, "/ws/elsewhere"), "404 There is nothing at /ws/elsewhere; the hub is at /ws"),
    ):
        with pytest.raises(Closed, match=refusal):
            await wire.__aenter__()
    async with PlainWire(hub, origin="http://localhost:3000") as wire:
        assert (await wire.hear())["op"] == "hello"

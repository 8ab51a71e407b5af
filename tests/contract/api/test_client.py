"""Both clients against the real applications, each test with the one that blocks (in a thread) and the one that is awaited."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.ledger import LedgerService
from actors.system import SystemConfig
from agents.errors import Conflict, InvalidInput, NotFound, PolyfleetError, Unavailable
from agents.events import Type
from supervisor.client import AsyncFleetClient, FleetClient, Gap
from tests.contract.api.served import Served, served
from tests.unit.supervisor.api.stand import AgentStand

#: Seconds for what is certain to come.
SOON = 20.0


def _next(news: Iterator[Any]) -> Any:
    """Return the next; a thread cannot be told of an end by StopIteration, and there is none."""
    return next(news)


class Either:
    """One of the two clients, awaited in either case."""

    def __init__(self, client: FleetClient | AsyncFleetClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        if isinstance(self._client, AsyncFleetClient):
            return method  # type: ignore[no-any-return]
        return lambda *args, **kwargs: asyncio.to_thread(method, *args, **kwargs)

    async def entries(self, name: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Return all that a list has."""
        listed = getattr(self._client, name)(*args, **kwargs)
        return [entry async for entry in listed] if hasattr(listed, "__aiter__") else await asyncio.to_thread(list, listed)

    async def follow(self, *args: Any) -> AsyncIterator[Any]:
        """Yield what the hub says."""
        if isinstance(self._client, AsyncFleetClient):
            async with aclosing(self._client.follow(*args)) as news:
                async for each in news:
                    yield each
            return
        following = self._client.follow(*args)
        try:
            while True:
                yield await asyncio.to_thread(_next, following)
        finally:
            following.close()


Reach = Callable[..., Either]


@pytest.fixture(params=[FleetClient, AsyncFleetClient])
async def reach(request: pytest.FixtureRequest) -> AsyncIterator[Reach]:
    """Return what makes clients, and close them at the end."""
    async with AsyncExitStack() as clients:

        def make(url: str, token: str | None = None) -> Either:
            client = request.param(url, token)
            if isinstance(client, AsyncFleetClient):
                clients.push_async_callback(client.close)
            else:
                clients.callback(client.close)
            return Either(client)

        yield make


async def first(client: Either, *filters: Any) -> Any:
    """Return the first that comes from the beginning of the log."""
    async with aclosing(client.follow(0, *filters)) as news:  # type: ignore[type-var]
        return await anext(news)


async def test_every_route_is_asked_and_answers(fleet: Served, reach: Reach) -> None:
    client = reach(fleet.url + "/")
    spec = {"id": "a", "strategy": "momentum", "enabled": False, "params": {"window": 5}}
    assert (await client.create(spec))["id"] == "a"
    assert (await client.update("a", {"budget": 5}))["spec"]["budget"] == 5
    copy = await client.clone("a", "b", maxTradeAmount=3)
    assert (copy["id"], copy["spec"]["maxTradeAmount"], copy["spec"]["budget"]) == ("b", 3, 5)
    assert copy["spec"]["params"]["window"] == 5
    assert [agent["id"] for agent in (await client.agents())["agents"]] == ["a", "b"]
    assert (await client.start("a"))["state"] in ("pending", "starting", "running")
    await fleet.stand.supervisor.settled()
    for action, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        assert (await getattr(client, action)("a"))["state"] == state
    await client.start("a")
    await fleet.stand.supervisor.settled()
    assert (await client.restart("a"))["state"] != "running"
    assert (await client.agent("b"))["state"] == "stopped"
    assert await client.delete("b") == {"success": True, "id": "b"}
    assert (await client.fleet())["agents"]["total"] == 1
    assert (await client.markets(closed=True))["total"] == 1
    assert (await client.market("rain-1"))["slug"] == "rain-1"
    assert (await client.portfolio())["total"]["equity"] == "0"
    assert (await client.scores("strategy"))["scores"] == []
    assert (await client.ledger_check())["ok"] is True
    assert (await client.kill_switch("a test"))["halted"] == "a test"
    assert (await client.lift())["halted"] is None
    assert (await client.reload())["created"] == ["new"]
    assert (await client.positions("a"))["total"] == 0
    assert (await client.logs("a"))["logs"] == []
    assert (await client.service_logs("supervisor"))["logs"] == []
    assert (await client.health())["status"] == "ok"
    news = {"type": "error", "title": "t", "message": "it broke"}
    assert (await client.publish(news))["success"] is True
    assert (await client.ready())["ready"] is True
    fleet.stand.supervisor.readiness["agents"] = False
    assert (await client.ready())["ready"] is False


async def test_lists_are_read_to_their_end(fleet: Served, reach: Reach) -> None:
    client = reach(fleet.url)
    await client.create({"id": "default", "strategy": "momentum", "enabled": False})
    seqs = [seq for _ in range(3) for seq in await fleet.agent.log(*[Type.DECISION] * 750, *[Type.TRADE] * 2)]
    await fleet.context.settle(seqs[-1])
    assert [event["seq"] for event in await client.entries("events", seqs[0] - 1)] == seqs
    assert len(await client.entries("events", agent="default", type="decision")) == 2250
    assert len(await client.entries("decisions", "default")) == 2250
    assert len(await client.entries("trades", "default")) == 6
    assert [event["seq"] for event in await client.entries("agent_events", "default", seqs[2])] == [seqs[1], seqs[0], 1]
    assert await client.entries("orders", "default") == await client.entries("forecasts", "default") == []


async def test_what_the_api_refuses_is_raised_with_its_own_sentence(fleet: Served, reach: Reach) -> None:
    client = reach(fleet.url)
    with pytest.raises(NotFound, match=r"^There is no agent 'x'; GET /api/agents lists them$"):
        await client.stop("x")
    with pytest.raises(NotFound, match=r"^There is nothing at /api/agents/\.\./fleet"):
        await client.agent("../fleet")
    with pytest.raises(InvalidInput, match=r"^strategy: there is no 'astrology'"):
        await client.create({"id": "a", "strategy": "astrology"})
    with pytest.raises(InvalidInput, match=r"^limit: Input should be less than or equal to 1000$"):
        await client.markets(limit=5000)
    await client.create({"id": "a", "strategy": "momentum", "enabled": False})
    with pytest.raises(Conflict, match=r"^agent a is stopped, and cannot be asked to pause now$"):
        await client.pause("a")
    fleet.stand.supervisor.gone = True
    with pytest.raises(Unavailable, match=r"^supervisor is not running now$"):
        await client.create({"id": "b", "strategy": "momentum"})


async def test_a_fleet_that_is_not_there_is_unavailable(reach: Reach) -> None:
    client = reach("http://127.0.0.1:1")
    with pytest.raises(Unavailable, match=r"no fleet answers at http://127.0.0.1:1 .*start one with `polyfleet up`"):
        await client.health()
    with pytest.raises(Unavailable, match=r"the hub at ws://127.0.0.1:1/ws cannot be reached"):
        await first(client)


@pytest.mark.parametrize("url", ["localhost:3001", "ftp://x", "http://", "http://x:99999", "http://[::1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"^url: '.*' is no address, expected one such as http://127\.0\.0\.1:3001$"):
        FleetClient(url)


async def test_the_token_opens_rest_and_hub(guarded: Served, reach: Reach) -> None:
    await guarded.agent.log(Type.INFO)
    client = reach(guarded.url, "s3cret")
    assert (await client.agents())["total"] == 0
    assert (await first(client))["seq"] == 1
    for token in (None, "wrong"):
        stranger = reach(guarded.url, token)
        with pytest.raises(PolyfleetError, match=r"needs a token"):
            await stranger.agents()
        with pytest.raises(InvalidInput, match=r"token is (missing or )?wrong"):
            await first(stranger)


@asynccontextmanager
async def cutting(cuts: int) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve `{}`, but close the first connections without an answer; yield the URL, and the heads of all requests."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        if len(heads) > cuts:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


def key(head: bytes) -> str:
    [found] = [line for line in head.decode().splitlines() if line.lower().startswith("idempotency-key:")]
    return found.partition(":")[2].strip()


async def test_a_post_is_repeated_with_its_key_and_a_get_without_one(reach: Reach) -> None:
    async with cutting(2) as (url, heads):
        client = reach(url)
        assert await client.start("a") == {}
        assert len(heads) == 3
        assert len({key(head) for head in heads}) == 1
        await client.start("a")
        assert key(heads[3]) != key(heads[0])
    async with cutting(2) as (url, heads):
        assert await reach(url).fleet() == {}
        assert len(heads) == 3
        assert b"dempotency" not in heads[0]


async def test_what_may_have_been_done_is_not_repeated_without_a_key(reach: Reach) -> None:
    async with cutting(9) as (url, heads):
        for ask in (reach(url).update("a", {"budget": 1}), reach(url).delete("a")):
            with pytest.raises(Unavailable):
                await ask
        assert len(heads) == 2
        with pytest.raises(Unavailable):
            await reach(url).fleet()
        assert len(heads) == 6


async def test_following_from_now_on_begins_with_what_is_new(fleet: Served, reach: Reach) -> None:
    await fleet.agent.log(Type.INFO)
    news = reach(fleet.url).follow()
    coming = asyncio.ensure_future(anext(news))
    async with asyncio.timeout(SOON):
        while len(fleet.hub.hub.listeners) < 2:
            await asyncio.sleep(0.01)
        # Whatever the client has missed before it subscribed comes too: it has been told where the log was.
        await fleet.agent.log(Type.INFO, message="new")
        assert (await coming)["data"]["message"] == "new"
    await news.aclose()  # type: ignore[attr-defined]


async def test_it_follows_through_lost_connections(fleet: Served, reach: Reach) -> None:
    async with asyncio.timeout(60), aclosing(reach(fleet.url).follow(0, ["info"], ["default"])) as news:  # type: ignore[type-var]
        for n in range(3):
            await fleet.agent.log(Type.INFO, Type.ORDER, message=str(n))
            assert (await anext(news))["data"]["message"] == str(n)
            await fleet.stop_hub()
            await fleet.agent.log(Type.INFO, message=f"{n} away")
            await fleet.start_hub()
            assert (await anext(news))["data"]["message"] == f"{n} away"


async def test_what_the_hub_refuses_to_follow_is_wrong_input(fleet: Served, reach: Reach) -> None:
    with pytest.raises(InvalidInput, match=r"types: 'gossip' is no type of event"):
        await first(reach(fleet.url), ["gossip"])
    with pytest.raises(InvalidInput, match=r"after: 7 is beyond the newest event, 0"):
        await anext(reach(fleet.url).follow(7))


async def test_what_the_log_no_longer_has_is_told(tmp_path: Path, reach: Reach) -> None:
    ledger = LedgerService(SystemConfig(str(tmp_path)))
    await ledger.start()
    await AgentStand(ledger).log(*[Type.INFO] * 10)
    await ledger.stop()
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("delete from events where seq <= 4")
    database.close()
    async with served(tmp_path) as fleet, aclosing(reach(fleet.url).follow(2)) as news:  # type: ignore[type-var]
        assert await anext(news) == Gap(3, 4)
        assert [(await anext(news))["seq"] for _ in range(6)] == [5, 6, 7, 8, 9, 10]

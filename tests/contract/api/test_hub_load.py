"""The hub with clients that are slow, gone, many or sent away, over real sockets."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agents.events import Type
from supervisor.api import hub_server
from supervisor.api.places import Places
from supervisor.client import AsyncFleetClient
from tests.contract.api.served import Served, served
from tests.unit.supervisor.api.stand import AgentStand

#: Seconds for what is certain to come.
SOON = 60.0


def hub(fleet: Served, **options: Any) -> connect:
    return connect(fleet.url.replace("http", "ws") + "/ws", proxy=None, max_size=None, **options)


async def hear(client: ClientConnection) -> dict[str, Any]:
    heard: dict[str, Any] = json.loads(await asyncio.wait_for(client.recv(), SOON))
    return heard


async def subscribe(client: ClientConnection, **fields: Any) -> None:
    assert (await hear(client))["op"] == "hello"
    await client.send(json.dumps({"op": "subscribe"} | fields))
    await client.send(json.dumps({"op": "ping"}))
    while (await hear(client))["op"] != "pong":
        pass


async def seqs(client: ClientConnection, count: int) -> list[int]:
    return [(await hear(client))["event"]["seq"] for _ in range(count)]


@asynccontextmanager
async def narrow(fleet: Served) -> AsyncIterator[ClientConnection]:
    """Connect with little room for what is not read, and read one message ahead at most."""
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        host, port = fleet.url.removeprefix("http://").split(":")
        await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
        client = await connect(
            f"ws://{host}:{port}/ws", sock=raw, proxy=None, max_queue=1, compression=None, ping_interval=None
        )
        yield client
        client.transport.abort()


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_a_burst_comes_to_everybody_in_order(fleet: Served, compression: str | None) -> None:
    """Letters of several bytes and long messages, which are sent deflated to those that take it."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(hub(fleet, compression=compression)) for _ in range(4)]
        for client in clients:
            await subscribe(client)
        total = 10_000

        async def write() -> None:
            for _ in range(total // 500):
                await fleet.agent.log(*[Type.INFO] * 500, message="żółw " * 80)

        heard = await asyncio.gather(write(), *(seqs(client, total) for client in clients))
        assert heard[1:] == [list(range(1, total + 1))] * 4
        await fleet.agent.log(Type.INFO, message="ü" * 40_000)
        assert [(await hear(client))["event"]["data"]["message"] for client in clients] == ["ü" * 40_000] * 4


async def test_a_slow_reader_is_told_where_to_resume_before_pings_run_out(tmp_path: Path) -> None:
    """It reads nothing for longer than a ping's answer may take; few events come, so its queue is never full."""
    async with served(tmp_path, ping=1.5) as fleet, narrow(fleet) as slow, hub(fleet) as quick:
        for client in (slow, quick):
            await subscribe(client)
        for n in range(30):
            await fleet.agent.log(*[Type.INFO] * 10, message="x" * 30_000)
            assert await seqs(quick, 10) == list(range(10 * n + 1, 10 * n + 11))
        await until_alone(fleet)
        heard: list[int] = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                heard += await seqs(slow, 1)
        assert (slow.close_code, slow.close_reason) == (1013, f"slow consumer; resume after {heard[-1]}")
        assert heard == list(range(1, heard[-1] + 1))
        async with hub(fleet) as again:
            assert (await hear(again))["op"] == "hello"
            await again.send(json.dumps({"op": "subscribe", "after": heard[-1]}))
            assert heard + await seqs(again, 300 - heard[-1]) == list(range(1, 301))


async def until_alone(fleet: Served) -> None:
    """Wait until the hub delivers to one plain client only; all Socket.IO clients are one listener more."""
    async with asyncio.timeout(SOON):
        while len(fleet.hub.hub.listeners) > 2:
            await asyncio.sleep(0.05)


async def read_on(client: ClientConnection) -> None:
    """Read to the end, which is raised."""
    while True:
        await client.recv()


@pytest.mark.parametrize("busy", [False, True])
async def test_a_client_that_vanished_is_dropped_at_the_deadline(
    tmp_path: Path, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never says that it goes, as when a cable is cut. Its connection ends, too."""
    monkeypatch.setattr(hub_server, "CLOSE_TIMEOUT", 0.5)
    async with served(tmp_path, ping=1.5) as fleet, narrow(fleet) as gone, hub(fleet) as other:
        for client in (gone, other):
            await subscribe(client)
        gone.transport.pause_reading()
        if busy:
            await fleet.agent.log(*[Type.INFO] * 200, message="x" * 30_000)
            await seqs(other, 200)
        await until_alone(fleet)
        await asyncio.sleep(1.0)
        gone.transport.resume_reading()
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(read_on(gone), SOON)
        await fleet.agent.log(Type.INFO)
        assert len(await seqs(other, 1)) == 1


async def test_typed_clients_miss_nothing_while_the_hub_is_replaced_in_mid_stream(fleet: Served) -> None:
    total = 600

    async def write() -> None:
        for n in range(total // 20):
            await fleet.agent.log(*[Type.INFO] * 20)
            await asyncio.sleep(0.02)
            if n in (8, 20):
                await fleet.stop_hub()
                await fleet.agent.log(*[Type.INFO] * 20)
                await fleet.start_hub()

    async def follow(after: int) -> None:
        async with AsyncFleetClient(fleet.url) as client:
            heard: list[int] = []
            async for news in client.follow(after):
                assert isinstance(news, dict)
                heard.append(news["seq"])
                if len(heard) == total + 40:
                    break
            assert heard == list(range(1, total + 41))

    async with asyncio.timeout(120):
        await asyncio.gather(write(), *(follow(0) for _ in range(3)))


async def test_filters_hold_for_what_comes_live(fleet: Served) -> None:
    other = AgentStand(fleet.ledger, "other")
    async with hub(fleet) as trades, hub(fleet) as others, hub(fleet) as both:
        await subscribe(trades, types=["trade", "decision"])
        await subscribe(others, agents=["other"])
        await subscribe(both, types=["trade"], agents=["other"])
        for agent in (fleet.agent, other):
            await agent.log(Type.TRADE, Type.INFO, Type.DECISION)
        assert await seqs(trades, 4) == [1, 3, 4, 6]
        assert await seqs(others, 3) == [4, 5, 6]
        assert await seqs(both, 1) == [4]


async def test_one_client_too_many_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with served(tmp_path, places=Places(total=3)) as fleet, httpx.AsyncClient(trust_env=False) as http:
        polling = f"{fleet.url}/ws/?EIO=4&transport=polling"
        async with hub(fleet) as one, hub(fleet):
            await hear(one)
            assert (await http.get(polling)).status_code == 200
            answer = await http.get(polling)
            full = "The hub has 3 clients and takes no more (POLYFLEET_HUB_MAX_CLIENTS); try again later"
            assert (answer.status_code, answer.json()) == (503, {"error": full})
            with pytest.raises(InvalidStatus) as refused:
                await hub(fleet)
            assert refused.value.response.status_code == 503
            assert json.loads(refused.value.response.body or b"")["error"] == full
        async with asyncio.timeout(SOON):
            while (await http.get(polling)).status_code == 503:
                await asyncio.sleep(0.05)


async def test_one_address_has_places_of_its_own_behind_a_trusted_proxy(tmp_path: Path) -> None:
    places = Places(total=10, each=1, address_header="X-Forwarded-For")
    async with served(tmp_path, places=places) as fleet:
        forwarded = [{"X-Forwarded-For": f"6.6.6.6, 10.0.0.{n}"} for n in (1, 2)]
        async with hub(fleet, additional_headers=forwarded[0]), hub(fleet, additional_headers=forwarded[1]):
            with pytest.raises(InvalidStatus) as refused:
                await hub(fleet, additional_headers=forwarded[0])
        assert b"The hub has 1 clients from your address" in (refused.value.response.body or b"")

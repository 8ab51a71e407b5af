"""Plain WebSocket clients over real sockets: the `websockets` package, and one that does not read."""

import asyncio
import contextlib
import json
import socket
from random import Random
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agents.events import Type
from tests.contract.api.served import Served
from tests.unit.supervisor.api.stand import AgentStand

#: Seconds for what is certain to come.
SOON = 20.0


def hub(fleet: Served, path: str = "/ws", **headers: str) -> connect:
    return connect(fleet.url.replace("http", "ws") + path, additional_headers=headers, proxy=None, max_size=None)


async def hear(client: ClientConnection) -> dict[str, Any]:
    heard: dict[str, Any] = json.loads(await asyncio.wait_for(client.recv(), SOON))
    return heard


async def say(client: ClientConnection, op: str, **fields: Any) -> None:
    await client.send(json.dumps({"op": op} | fields))


async def events(client: ClientConnection, count: int) -> list[int]:
    return [(await hear(client))["event"]["seq"] for _ in range(count)]


@pytest.mark.parametrize("path", ["/ws", "/ws/"])
async def test_a_client_replays_then_follows(fleet: Served, path: str) -> None:
    await fleet.agent.log(Type.DECISION, Type.TRADE)
    async with hub(fleet, path) as client:
        assert (await hear(client))["op"] == "hello"
        await say(client, "subscribe", after=0, types=["trade"])
        heard = await hear(client)
        assert (heard["op"], heard["event"]["seq"], heard["event"]["type"]) == ("event", 2, "trade")
        await fleet.agent.log(Type.DECISION, Type.TRADE)
        assert await events(client, 1) == [4]
        await say(client, "ping")
        assert await hear(client) == {"op": "pong"}


async def test_many_clients_get_every_event_once_and_in_order_while_events_come(fleet: Served) -> None:
    random = Random(3)
    sources = [AgentStand(fleet.ledger, name) for name in ("a", "b")]
    total = 1500

    async def write() -> None:
        written = 0
        while written < total:
            count = min(random.choice((1, 5, 40)), total - written)
            await random.choice(sources).log(*[Type.INFO] * count)
            written += count

    async def follow(delay: float) -> None:
        await asyncio.sleep(delay)
        async with hub(fleet) as client:
            after = random.randint(0, (await hear(client))["seq"])
            await say(client, "subscribe", after=after)
            assert await events(client, total - after) == list(range(after + 1, total + 1))

    await asyncio.gather(write(), *(follow(random.random() * 0.3) for _ in range(15)))


async def test_a_client_that_does_not_read_delays_nobody_and_misses_nothing(fleet: Served) -> None:
    """It fills the buffers of both kernels first; the others get all of it meanwhile. After 10 s it is told where to resume."""
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.setblocking(False)
        loop = asyncio.get_running_loop()
        host, port = fleet.url.removeprefix("http://").split(":")
        await loop.sock_connect(stuck, (host, int(port)))
        connection = await connect(f"ws://{host}:{port}/ws", sock=stuck, proxy=None, max_queue=1, compression=None)
        assert (await hear(connection))["op"] == "hello"
        await say(connection, "subscribe")
        await say(connection, "ping")
        assert await hear(connection) == {"op": "pong"}
        async with hub(fleet) as quick:
            await hear(quick)
            await say(quick, "subscribe", after=0)
            for n in range(40):
                await fleet.agent.log(*[Type.INFO] * 100, message="x" * 4000)
                assert await events(quick, 100) == list(range(100 * n + 1, 100 * n + 101))
        heard: list[int] = []
        with contextlib.suppress(ConnectionClosed):
            while len(heard) < 4000:
                heard += await events(connection, 1)
        assert heard == list(range(1, len(heard) + 1))
        if len(heard) < 4000:
            assert (connection.close_code, connection.close_reason) == (1013, f"slow consumer; resume after {heard[-1]}")
        await connection.close()


async def test_clients_come_back_to_a_new_hub_where_they_were(fleet: Served) -> None:
    async with hub(fleet) as client:
        await hear(client)
        await say(client, "subscribe", after=0)
        await fleet.agent.log(Type.INFO)
        assert await events(client, 1) == [1]
        await fleet.stop_hub()
        assert await hear(client) == {"op": "reconnect"}
        with pytest.raises(ConnectionClosed) as closed:
            await hear(client)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    await fleet.agent.log(Type.INFO)
    await fleet.start_hub()
    async with hub(fleet) as client:
        assert await hear(client) == {"op": "hello", "seq": 2, "floor": 1}
        await say(client, "subscribe", after=1)
        assert await events(client, 1) == [2]


async def test_a_foreign_page_and_a_wrong_token_are_refused_in_the_handshake(guarded: Served) -> None:
    for headers, status, sentence in (
        ({"Origin": "https://evil.example"}, 403, "The Origin 'https://evil.example' may not use this API"),
        ({"Authorization": "Bearer wrong"}, 401, "The token is wrong"),
    ):
        with pytest.raises(InvalidStatus) as refused:
            await hub(guarded, "/ws", **headers)
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body or b"")["error"].startswith(sentence)
    async with hub(guarded, Authorization="Bearer s3cret") as client:
        assert (await hear(client))["op"] == "hello"
    async with hub(guarded) as client:
        await say(client, "auth", token="s3cret")
        assert (await hear(client))["op"] == "hello"

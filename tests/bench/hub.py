"""The hub's clients: 500 plain ones at 20 events a second, and 50 of Socket.IO as fast as it goes. It needs no fleet.

`python -m tests.bench.hub` measures both parts alone.
"""

import asyncio
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from tests.bench.figures import compare, percentile, show

CLIENTS, RATE, SECONDS = 500, 20, 15
SOCKET_IO_CLIENTS, SOCKET_IO_EVENTS = 50, 6000

#: Seconds for what is certain to come.
_SOON = 120.0


@dataclass
class Heard:
    """What came to all clients: milliseconds from the making of an event to its arrival, and how many are still to come."""

    missing: int
    latencies: list[float] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def arrived(self, made: int) -> None:
        """Count one."""
        self.latencies.append((time.perf_counter_ns() - made) / 1e6)
        self.missing -= 1
        if not self.missing:
            self.done.set()


class Client(asyncio.Protocol):
    """A WebSocket client that does no more than count: the bench must not be what is slow."""

    def __init__(self, path: str, take: "Callable[[Client, bytes], None]", heard: Heard) -> None:
        self._path = path
        self._take = take
        self._rest = b""
        self._open = False
        self.heard = heard
        self.seq = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
        )

    def say(self, text: str) -> None:
        """Send a short message; its mask is zero."""
        content = text.encode()
        self._transport.write(struct.pack("!BB4x", 0x81, 0x80 | len(content)) + content)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if not self._open:
            head, end, self._rest = self._rest.partition(b"\r\n\r\n")
            assert end
            assert head.startswith(b"HTTP/1.1 101"), head
            self._open = True
        rest, at = self._rest, 0
        while len(rest) - at >= 4:
            length, body = rest[at + 1], at + 2
            if length == 126:
                length, body = int.from_bytes(rest[at + 2 : at + 4]), at + 4
            if len(rest) < body + length:
                break
            if rest[at] == 0x81:
                self._take(self, rest[body : body + length])
            elif rest[at] == 0x89:
                self._transport.write(struct.pack("!BB4x", 0x8A, 0x80 | length) + rest[body : body + length])
            at = body + length
        self._rest = rest[at:]


def _plain(client: Client, message: bytes) -> None:
    if message.startswith(b'{"op":"event"'):
        seq = int(message[message.index(b'"seq":') + 6 :].split(b",", 1)[0])
        assert seq == client.seq + 1, f"{seq} came after {client.seq}"
        client.seq = seq
        client.heard.arrived(_made(message))
    elif message.startswith(b'{"op":"hello"'):
        client.say('{"op":"subscribe"}')
        client.say('{"op":"ping"}')
        if b"seq" not in message:
            client.ready.set_result(None)
    else:
        client.ready.set_result(None)


def _socket_io(client: Client, message: bytes) -> None:
    if message.startswith(b'42["trade"'):
        client.heard.arrived(_made(message))
    elif message.startswith(b'42["history"'):
        client.ready.set_result(None)
    elif message.startswith(b"0"):
        client.say("40")
    elif message == b"2":
        client.say("3")


def _made(message: bytes) -> int:
    return int(message[message.rindex(b'"at":') + 5 :].rstrip(b"}] "))


@dataclass(frozen=True)
class Run:
    """What one run has shown: the latencies in milliseconds, the server's CPU seconds, and the seconds until all had come."""

    latencies: list[float]
    cpu: float
    seconds: float


async def _run(kind: str, path: str, take: Callable[[Client, bytes], None], clients: int, events: int, **how: int) -> Run:
    heard = Heard(clients * events)
    async with _server(kind) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        loop = asyncio.get_running_loop()
        connected = []
        for _ in range(clients):
            _, client = await loop.create_connection(lambda: Client(path, take, heard), "127.0.0.1", port)
            connected.append(client)
        async with asyncio.timeout(_SOON):
            await asyncio.gather(*(client.ready for client in connected))

            async def write(count: int) -> dict[str, float]:
                async with http.get("/write", params={"events": count} | how) as answer:
                    found: dict[str, float] = await answer.json()
                    return found

            before = await write(0)
            await write(events)
            await heard.done.wait()
            seconds = time.perf_counter() - before["started"]
            after = await write(0)
    return Run(heard.latencies, after["cpu"] - before["cpu"], seconds)


@asynccontextmanager
async def _server(kind: str) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.hub_stand", kind, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.1)
        writer.close()
        yield port
    finally:
        process.terminate()
        await process.wait()


async def hub() -> None:
    """Compare the hub with a bare broadcast; it fails if a client misses an event or gets one out of order."""
    ours, bare = [await _run(kind, "/ws", _plain, CLIENTS, RATE * SECONDS, rate=RATE, batch=1) for kind in ("hub", "bare")]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        one, other = percentile(ours.latencies, share), percentile(bare.latencies, share)
        compare(
            (f"hub: stored, to {CLIENTS} plain clients, {name}", one),
            (f"a bare Starlette broadcast, {name}", other),
            *("ms", one / other, "<= 2"),
        )
    compare(
        (f"hub: CPU, {CLIENTS} clients, {RATE} events/s", 100 * ours.cpu / SECONDS),
        ("a bare Starlette broadcast: CPU", 100 * bare.cpu / SECONDS),
        *("%", ours.cpu / bare.cpu, "<= 1"),
    )


async def hub_socketio() -> None:
    """Show how many events a second are stored and delivered in both forms to all clients of Socket.IO."""
    run = await _run("hub", "/ws/?EIO=4&transport=websocket", _socket_io, SOCKET_IO_CLIENTS, SOCKET_IO_EVENTS, rate=0, batch=20)
    rate = SOCKET_IO_EVENTS / run.seconds
    show(f"hub: stored, to {SOCKET_IO_CLIENTS} Socket.IO clients", rate, "/s", "(goal >= 1500)")
    show("hub: its CPU meanwhile", 100 * run.cpu / run.seconds, "%")


async def _both() -> None:
    await hub()
    await hub_socketio()


if __name__ == "__main__":
    asyncio.run(_both())

"""The way of an event to an outside WebSocket client, against its unavoidable parts."""

import asyncio
import json
import sqlite3
import tempfile
import time
from typing import Any

import ray
from websockets.asyncio.client import connect

from tests.bench.empty import Empty
from tests.bench.figures import compare, percentile

EVENTS = 400


class Emitter:
    """An actor that emits events as an agent does, and times the parts that no delivery can do without."""

    async def start(self) -> None:
        """Begin a life as a source of events."""
        from actors.event_source import EventSource
        from actors.remote import ledger

        self._ledger = ledger()
        incarnation = await self._ledger.open_source("bench")
        self._source = EventSource("bench", incarnation, self._ledger)
        self._database = sqlite3.connect(tempfile.mkdtemp() + "/bench.db", isolation_level=None)
        self._database.execute("pragma journal_mode=wal")
        self._database.execute("pragma synchronous=full")
        self._database.execute("create table t (data text)")

    async def emit(self) -> None:
        """Store one event that carries the moment it was made."""
        from agents.events import Type

        event = self._source.event(Type.INFO, {"kind": "bench", "message": "bench", "at": time.perf_counter_ns()})
        await self._source.store([event])

    async def parts(self, other: Any) -> float:
        """Time two actor calls and one durable commit, in milliseconds."""
        started = time.perf_counter_ns()
        await other.pid.remote()
        await other.pid.remote()
        self._database.execute("insert into t values (?)", ("x" * 300,))
        return (time.perf_counter_ns() - started) / 1e6


async def delivery(url: str) -> None:
    """Time an event and its parts in turns."""
    actor = ray.remote(Emitter).options(num_cpus=0)
    emitter, other = actor.remote(), ray.remote(Empty).options(num_cpus=0).remote()
    await emitter.start.remote()
    ws = url.replace("http", "ws")
    arrivals, parts = [], []
    async with connect(f"{ws}/ws") as hub, connect(f"{ws}/bench/echo") as echo:
        await hub.recv()
        await hub.send(json.dumps({"op": "subscribe", "types": ["info"]}))
        await hub.send(json.dumps({"op": "ping"}))
        while json.loads(await hub.recv())["op"] != "pong":
            pass
        for _ in range(EVENTS):
            emitted = emitter.emit.remote()
            while True:
                async with asyncio.timeout(30):
                    message = json.loads(await hub.recv())
                if message["op"] == "event" and message["event"]["data"].get("kind") == "bench":
                    arrivals.append((time.perf_counter_ns() - message["event"]["data"]["at"]) / 1e6)
                    break
            await emitted
            inner = await emitter.parts.remote(other)
            started = time.perf_counter_ns()
            await echo.send("x" * 300)
            await echo.recv()
            parts.append(inner + (time.perf_counter_ns() - started) / 1e6)
            await asyncio.sleep(0.01)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        ours, base = percentile(arrivals, share), percentile(parts, share)
        compare(
            (f"event to WebSocket client, {name}", ours),
            (f"two calls + commit + echo, {name}", base),
            *("ms", ours / base, "<= 2"),
        )

"""What `make bench` measures in a running fleet: ratios, each of two things measured side by side. It is connected to Ray."""

import asyncio
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from typing import Any

import aiohttp
import httpx
import psutil
import ray
from ray import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect

ROUNDS = 6
SECONDS_A_ROUND = 3.0
CLIENTS = 16
EVENTS = 400


def bench_app() -> Starlette:
    """Return the bare Starlette application that the fleet's own routes are compared with."""

    async def empty(request: Request) -> JSONResponse:
        return JSONResponse({})

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnect:
            return

    return Starlette(routes=[Route("/empty", empty), WebSocketRoute("/echo", echo)])


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


class Empty:
    """An actor with nothing in it."""

    def pid(self) -> int:
        """Return the process id."""
        return os.getpid()


def private_memory(pid: int) -> float:
    """Return a process's unique memory in MB."""
    return psutil.Process(pid).memory_full_info().uss / 1e6


def percentile(samples: list[float], share: float) -> float:
    """Return the value below which a share of the samples lies."""
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * share))]


async def requests_per_second(url: str) -> float:
    """Ask for one URL from several keep-alive connections at once and return the answers per second."""
    count = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CLIENTS)) as session:
        end = time.perf_counter() + SECONDS_A_ROUND

        async def client() -> None:
            nonlocal count
            while time.perf_counter() < end:
                async with session.get(url) as response:
                    await response.read()
                    if response.status != 200:
                        raise RuntimeError(f"{url} answered {response.status}")
                count += 1

        await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return count / SECONDS_A_ROUND


async def throughput(url: str) -> None:
    """Compare the seed's status route with an empty one, in turns."""
    status, empty = [], []
    for _ in range(ROUNDS):
        empty.append(await requests_per_second(f"{url}/bench/empty"))
        status.append(await requests_per_second(f"{url}/api/polymarket-agent/status"))
    ratio = statistics.median(a / b for a, b in zip(status, empty, strict=True))
    print(f"GET /api/polymarket-agent/status        {statistics.median(status):8.0f} /s")
    print(f"GET an empty Starlette route            {statistics.median(empty):8.0f} /s   ratio {ratio:.2f}  (goal >= 0.8)")


async def latency(url: str) -> None:
    """Compare the way of an event to an outside WebSocket client with its unavoidable parts, in turns."""
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
        print(f"event to WebSocket client, {name}          {ours:8.2f} ms   two calls + commit + echo {base:.2f} ms", end="")
        print(f"   ratio {ours / base:.2f}  (goal <= 2)")


def memory(api: httpx.Client) -> None:
    """Compare running agents with empty actors of the same cluster."""
    actors = [ray.remote(Empty).options(num_cpus=0).remote() for _ in range(3)]
    empty = statistics.median(private_memory(pid) for pid in ray.get([actor.pid.remote() for actor in actors]))
    agents = [agent["pid"] for agent in api.get("/api/agents").json()["agents"]]
    running = statistics.median(private_memory(pid) for pid in agents)
    print(f"private memory of a running agent       {running:8.1f} MB   median of {len(agents)}")
    print(f"private memory of an empty actor        {empty:8.1f} MB   ratio {running / empty:.2f}  (goal <= 1.15)")


def upstream(api: httpx.Client) -> None:
    """Compare what the venue is asked for market data with 20 agents and with one; what differs is the markets' own change."""
    venue = api.get("/api/fleet").json()["venue"]["gammaUrl"].rsplit("/", 1)[0]
    seconds = 90
    asked = (
        "/gamma/",
        "/clob/book",
        "/clob/batch-prices-history",
        "/clob/prices-history",
        "/clob/clob-markets",
        "/data/v2/resol",
    )

    def measure() -> tuple[int, int]:
        first = httpx.get(f"{venue}/sandbox/stats").json()["requests"]
        time.sleep(seconds)
        second = httpx.get(f"{venue}/sandbox/stats").json()
        grown = sum(n - first.get(path, 0) for path, n in second["requests"].items() if path.startswith(asked))
        return grown, second["connections"]

    many = measure()
    agents = [agent["id"] for agent in api.get("/api/agents").json()["agents"]]
    for agent in agents[1:]:
        api.post(f"/api/agents/{agent}/stop").raise_for_status()
    one = measure()
    print(f"market data upstream, {len(agents):>2} agents         {many[0]:5} requests in {seconds} s, {many[1]} connections")
    print(f"market data upstream,  1 agent          {one[0]:5} requests in {seconds} s, {one[1]} connections  (goal: equal)")


def main(address: str, url: str) -> None:
    """Measure, and print each ratio with its goal."""
    ray.init(address=address, namespace="bench", log_to_driver=False, logging_level="ERROR")
    deployment = serve.deployment(num_replicas=1, max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0})
    app = deployment(serve.ingress(bench_app)(type("Bench", (), {})))
    serve.run(app.bind(), name="bench", route_prefix="/bench")
    time.sleep(10)
    print(f"20 agents in the sandbox, {os.cpu_count()} cores; medians of {ROUNDS} rounds in turns\n")
    with httpx.Client(base_url=url, timeout=30) as api:
        memory(api)
        asyncio.run(throughput(url))
        asyncio.run(latency(url))
        upstream(api)


if __name__ == "__main__":
    main(*sys.argv[1:])

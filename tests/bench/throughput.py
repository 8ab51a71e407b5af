"""Requests per second: the seed's status route against an empty route of a bare Starlette application in the same Serve."""

import asyncio
import time
from statistics import median

import aiohttp
from ray import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.bench.figures import compare, ratio_of

ROUNDS = 6
SECONDS_A_ROUND = 3.0
CLIENTS = 16


def deploy() -> None:
    """Put the bare application beside the fleet's own."""
    deployment = serve.deployment(num_replicas=1, max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0})
    app = deployment(serve.ingress(bench_app)(type("Bench", (), {})))
    serve.run(app.bind(), name="bench", route_prefix="/bench")


def bench_app() -> Starlette:
    """Return the bare application: an empty route, and an echo over a WebSocket."""

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


async def throughput(url: str) -> None:
    """Ask for both in turns."""
    status, empty = [], []
    for _ in range(ROUNDS):
        empty.append(await _requests_per_second(f"{url}/bench/empty"))
        status.append(await _requests_per_second(f"{url}/api/polymarket-agent/status"))
    compare(
        ("GET /api/polymarket-agent/status", median(status)),
        ("GET an empty Starlette route", median(empty)),
        *("/s", ratio_of(status, empty), ">= 0.8"),
    )


async def _requests_per_second(url: str) -> float:
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

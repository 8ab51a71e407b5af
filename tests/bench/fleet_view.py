"""`GET /api/fleet` with 60 agents against the same with 5, in the same fleet."""

import asyncio
import time
from itertools import cycle, islice
from typing import Any

import aiohttp

from tests.bench.figures import compare, percentile

MANY, FEW = 60, 5
SECONDS = 20.0
#: Questions per second, so that what is measured is an answer and not a queue.
RATE = 100
_FLEET, _EMPTY = "/api/fleet", "/bench/empty"
#: What every agent then has: pUSD that the wallet has for all, and ten wall seconds between rounds, which leave the machine
#: free enough that it is the answer that is timed.
CHANGES = {"budget": 200, "interval": 600.0}


async def fleet_view(url: str) -> None:
    """Ask with few agents, with many, and with few again; all that exist run. An empty route shows the machine's own part."""
    samples: dict[tuple[str, int], list[float]] = {}
    async with aiohttp.ClientSession(url) as api:
        specs = [agent["spec"] | CHANGES for agent in await _agents(api)]
        for id in [spec["id"] for spec in specs][1:]:
            await _ask(api, "DELETE", f"/api/agents/{id}")
        for count in (FEW, MANY, FEW):
            await _let_there_be(api, count, specs)
            await _answer_times(api, count, samples)
    many, few, empty_many, empty_few = (
        percentile(samples[path, count], 0.99) for path in (_FLEET, _EMPTY) for count in (MANY, FEW)
    )
    compare(
        (f"GET /api/fleet, p99, {MANY} agents running", many),
        (f"GET /api/fleet, p99, {FEW} agents running", few),
        *("ms", many / few, "<= 3"),
    )
    compare(
        (f"GET an empty Starlette route, p99, {MANY} agents", empty_many),
        (f"GET an empty Starlette route, p99, {FEW} agents", empty_few),
        *("ms", empty_many / empty_few, "none: it is the machine's part"),
    )


async def _agents(api: aiohttp.ClientSession) -> list[dict[str, Any]]:
    async with api.get("/api/agents") as response:
        found: list[dict[str, Any]] = (await response.json())["agents"]
    return found


async def _let_there_be(api: aiohttp.ClientSession, count: int, specs: list[dict[str, Any]]) -> None:
    """Delete agents, or create copies of the fleet's, until so many exist and run."""
    ids = [agent["id"] for agent in await _agents(api)]
    await asyncio.gather(*(_ask(api, "DELETE", f"/api/agents/{id}") for id in ids[count:]))
    copies = (spec | {"id": f"copy-{n}", "enabled": True} for n, spec in enumerate(cycle(specs)))
    missing = islice((copy for copy in copies if copy["id"] not in ids), max(0, count - len(ids)))
    await asyncio.gather(*(_ask(api, "POST", "/api/agents", copy) for copy in missing))
    async with asyncio.timeout(180):
        while any(agent["state"] != "running" for agent in await _agents(api)):
            await asyncio.sleep(1.0)
    await asyncio.sleep(3.0)


async def _ask(api: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> None:
    async with api.request(method, path, json=body) as response:
        response.raise_for_status()


async def _answer_times(api: aiohttp.ClientSession, count: int, samples: dict[tuple[str, int], list[float]]) -> None:
    """Ask for both routes in turns and note the milliseconds of each answer."""
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        for path in (_FLEET, _EMPTY):
            started = time.perf_counter()
            async with api.get(path) as response:
                await response.read()
                response.raise_for_status()
            taken = time.perf_counter() - started
            samples.setdefault((path, count), []).append(taken * 1000)
            await asyncio.sleep(max(0.0, 1 / RATE - taken))

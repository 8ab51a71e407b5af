"""A fleet's start: 20 agents asked for at once until each has decided, against 20 empty actors until each answers.

The empty ones start as Ray starts actors, not as copies.
"""

import asyncio
import time
from collections.abc import Mapping
from statistics import median

import httpx
import ray

from actors import remote
from tests.bench.empty import Empty
from tests.bench.figures import compare, ratio_of
from tests.bench.first_round import changes, decided

ROUNDS = 3

#: Venue seconds between two decisions of an agent here: what is measured is a start, not the trading of those that run.
_RARELY = 86_400.0


async def starts(url: str) -> None:
    """Start both in turns, each with all agents stopped before; every other time the empty ones come first."""
    agents, empty = [], []
    async with httpx.AsyncClient(base_url=url, timeout=60) as api:
        specs = {agent["id"]: agent["spec"] for agent in (await api.get("/api/agents")).json()["agents"]}
        ids = list(specs)
        await _ask(api, ids, "stop")
        await _change(api, {id: _RARELY for id in ids})
        for turn in range(ROUNDS):
            for first in (True, False):
                if first is bool(turn % 2):
                    agents.append(await _agents_decided(api, ids))
                    await _ask(api, ids, "stop")
                else:
                    empty.append(await _empty_answered(len(ids)))
        await _change(api, {id: spec["interval"] for id, spec in specs.items()})
        await _agents_decided(api, ids)
    compare(
        (f"{len(ids)} stopped agents started, until each has decided", median(agents)),
        (f"{len(ids)} empty actors created, until each has answered", median(empty)),
        *("s", ratio_of(agents, empty), "<= 1.3"),
    )


async def _agents_decided(api: httpx.AsyncClient, ids: list[str]) -> float:
    """Ask for all agents at once and return the seconds until the last has finished its first round."""
    after = await remote.ledger().head()
    started = time.perf_counter()
    asked = asyncio.create_task(_ask(api, ids, "start"))
    rounds = []
    async for change in changes(ids, after):
        if change.agent_id and change.data["state"] == "running":
            rounds.append(asyncio.create_task(decided(change.agent_id, change.data["incarnation"])))
            if len(rounds) == len(ids):
                break
    await asyncio.gather(*rounds)
    seconds = time.perf_counter() - started
    await asked
    return seconds


async def _empty_answered(count: int) -> float:
    """Create empty actors as agents' are, and return the seconds until the last has answered a call."""
    started = time.perf_counter()
    options = {"namespace": "bench", "lifetime": "detached", "max_restarts": 0, "num_cpus": 0, "scheduling_strategy": "SPREAD"}
    actors = [ray.remote(Empty).options(name=f"empty:{n}", **options).remote() for n in range(count)]
    await asyncio.gather(*(actor.pid.remote() for actor in actors))
    seconds = time.perf_counter() - started
    for actor in actors:
        ray.kill(actor)
    return seconds


async def _change(api: httpx.AsyncClient, intervals: Mapping[str, float]) -> None:
    for id, interval in intervals.items():
        (await api.patch(f"/api/agents/{id}", json={"interval": interval})).raise_for_status()


async def _ask(api: httpx.AsyncClient, ids: list[str], action: str) -> None:
    """Ask all agents for the same at once."""
    for answer in await asyncio.gather(*(api.post(f"/api/agents/{id}/{action}") for id in ids)):
        answer.raise_for_status()

"""A killed agent until it decides again, less its backoff, against a bare actor that Ray restarts; and one in quarantine."""

import asyncio
import os
import signal
import time
from statistics import median
from typing import Any

import httpx
import psutil
import ray
from ray.exceptions import RayActorError

from actors import naming, remote
from tests.bench.empty import Empty
from tests.bench.figures import compare, show
from tests.bench.first_round import changes, decided

ROUNDS = 13

#: Seconds between a restart and the next kill, for the machine to come to rest.
_PAUSE = 0.7

_AGENT = "default"
_POLICY: dict[str, Any] = {"initialDelay": 0.3, "factor": 1.0, "maxDelay": 0.3, "maxRestarts": 10_000}


async def restarts(url: str) -> None:
    """Kill both in turns, in the running fleet."""
    agent, bare = [], []
    options = {"num_cpus": 0, "max_restarts": -1, "namespace": "bench", "lifetime": "detached"}
    actor = ray.remote(Empty).options(name="bare", **options).remote()
    await actor.pid.remote()
    async with httpx.AsyncClient(base_url=url, timeout=60) as api:
        await _change(api, _POLICY)
        for _ in range(ROUNDS):
            await asyncio.sleep(_PAUSE)
            bare.append(await _answers_again(actor))
            await asyncio.sleep(_PAUSE)
            agent.append(await _decides_again(api))
        ray.kill(actor)
        compare(
            ("kill -9 of an agent to its next decision, p50", median(agent)),
            ("kill -9 of a bare actor to its next answer, p50", median(bare)),
            *("s", median(agent) / median(bare), "<= 1.5; the backoff is taken off"),
        )
        await _quarantine(api)
        await _change(api, {})


async def _decides_again(api: httpx.AsyncClient) -> float:
    """Kill the agent and return the seconds to the end of its next life's first round, less its backoff."""
    after = await remote.ledger().head()
    _, started = await _kill(api)
    moments: dict[str, int] = {}
    async for change in changes([_AGENT], after):
        moments[change.data["state"]] = change.timestamp
        if change.data["state"] == "running":
            await decided(_AGENT, change.data["incarnation"])
            break
    return time.perf_counter() - started - (moments["pending"] - moments["backing_off"]) / 1000


async def _answers_again(actor: Any) -> float:
    """Kill the bare actor and return the seconds until Ray's next one answers."""
    pid = await actor.pid.remote()
    started = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    while True:
        try:
            if await actor.pid.remote() != pid:
                return time.perf_counter() - started
        except RayActorError:
            await asyncio.sleep(0.01)


async def _quarantine(api: httpx.AsyncClient) -> None:
    """Let the agent fail once too often, show what is left of it in the machine and in Ray, and let it go on."""
    await _change(api, _POLICY | {"maxRestarts": 0})
    after = await remote.ledger().head()
    pid, _ = await _kill(api)
    async for change in changes([_AGENT], after):
        if change.data["state"] == "quarantined":
            break
    await asyncio.sleep(1.0)
    actors = [actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)]
    left = int(psutil.pid_exists(pid)) + actors.count(naming.agent(_AGENT))
    show("processes and actors of a quarantined agent", left, "", "(goal 0)")
    (await api.post(f"/api/agents/{_AGENT}/resume")).raise_for_status()


async def _kill(api: httpx.AsyncClient) -> tuple[int, float]:
    """Kill the agent's process; return its id and the moment."""
    pid = (await api.get(f"/api/agents/{_AGENT}")).json()["pid"]
    moment = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    return pid, moment


async def _change(api: httpx.AsyncClient, policy: dict[str, Any]) -> None:
    (await api.patch(f"/api/agents/{_AGENT}", json={"restart": policy})).raise_for_status()

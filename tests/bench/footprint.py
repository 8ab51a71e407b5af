"""What agents cost that do nothing but run: memory of their processes, and questions to the venue."""

import time
from statistics import median

import httpx
import psutil
import ray

from tests.bench.empty import Empty
from tests.bench.figures import compare

#: Seconds for which the venue's requests are counted.
_COUNTED = 45

#: Paths of the venue that are asked for market data.
_MARKET_DATA = (
    "/gamma/",
    "/clob/book",
    "/clob/batch-prices-history",
    "/clob/prices-history",
    "/clob/clob-markets",
    "/data/v2/resol",
)


def memory(url: str) -> None:
    """Compare running agents with empty actors of the same cluster."""
    actors = [ray.remote(Empty).options(num_cpus=0).remote() for _ in range(3)]
    empty = median(_private_memory(pid) for pid in ray.get([actor.pid.remote() for actor in actors]))
    agents = [agent["pid"] for agent in httpx.get(f"{url}/api/agents").json()["agents"]]
    running = median(_private_memory(pid) for pid in agents)
    compare(
        (f"private memory of a running agent, median of {len(agents)}", running),
        ("private memory of an empty actor", empty),
        *("MB", running / empty, "<= 1.15"),
    )


def upstream(url: str) -> None:
    """Compare what the venue is asked for market data with 20 agents and with one; what differs is the markets' own change."""
    with httpx.Client(base_url=url, timeout=30) as api:
        venue = api.get("/api/fleet").json()["venue"]["gammaUrl"].rsplit("/", 1)[0]
        many = _asked(venue)
        agents = [agent["id"] for agent in api.get("/api/agents").json()["agents"]]
        for agent in agents[1:]:
            api.post(f"/api/agents/{agent}/stop").raise_for_status()
        one = _asked(venue)
    compare(
        (f"market data upstream in {_COUNTED} s, {len(agents)} agents, {many[1]} connections", many[0]),
        (f"market data upstream in {_COUNTED} s, 1 agent, {one[1]} connections", one[0]),
        *("", many[0] / one[0], "equal"),
    )


def _asked(venue: str) -> tuple[int, int]:
    """Return for how much market data the venue is asked, and how many connections it has."""
    first = httpx.get(f"{venue}/sandbox/stats").json()["requests"]
    time.sleep(_COUNTED)
    second = httpx.get(f"{venue}/sandbox/stats").json()
    grown = sum(n - first.get(path, 0) for path, n in second["requests"].items() if path.startswith(_MARKET_DATA))
    return grown, second["connections"]


def _private_memory(pid: int) -> float:
    """Return a process's unique memory in MB."""
    return float(psutil.Process(pid).memory_full_info().uss) / 1e6

"""What `make bench` measures in a running fleet: ratios, each of two things measured side by side. It is connected to Ray."""

import asyncio
import os
import sys
import time
from collections.abc import Callable

import ray

from tests.bench.dashboard import dashboard
from tests.bench.delivery import delivery
from tests.bench.event_log import event_log
from tests.bench.fleet_view import fleet_view
from tests.bench.footprint import memory, upstream
from tests.bench.hub import hub, hub_socketio
from tests.bench.ordering import ordering
from tests.bench.restarts import restarts
from tests.bench.starts import starts
from tests.bench.throughput import deploy, throughput

#: In this order: what changes the fleet comes last.
PARTS: dict[str, Callable[[str], None]] = {
    "memory": memory,
    "throughput": lambda url: asyncio.run(throughput(url)),
    "delivery": lambda url: asyncio.run(delivery(url)),
    "dashboard": dashboard,
    "event_log": lambda url: asyncio.run(event_log()),
    "ordering": lambda url: asyncio.run(ordering(url)),
    "hub": lambda url: asyncio.run(hub()),
    "hub_socketio": lambda url: asyncio.run(hub_socketio()),
    "restarts": lambda url: asyncio.run(restarts(url)),
    "starts": lambda url: asyncio.run(starts(url)),
    "upstream": upstream,
    "fleet_view": lambda url: asyncio.run(fleet_view(url)),
}


def main(address: str, url: str, *parts: str) -> None:
    """Measure these parts, or all, and print each ratio with its goal."""
    ray.init(address=address, namespace="bench", log_to_driver=False, logging_level="ERROR")
    deploy()
    time.sleep(10)
    print(f"20 agents in the sandbox, {os.cpu_count()} cores; medians of rounds in turns\n", flush=True)
    for name in parts or PARTS:
        PARTS[name](url)


if __name__ == "__main__":
    main(*sys.argv[1:])

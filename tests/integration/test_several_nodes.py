"""Agents spread over the nodes of a Ray cluster; those of a lost node start elsewhere. Here all nodes are on one machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from supervisor import ray_cluster
from tests.integration.fleet import Fleet, free_port

AGENTS = [{"id": f"agent-{n}", "strategy": "market_maker", "params": {"lane": n, "lanes": 4}, "budget": 500} for n in range(4)]


class Node:
    """A further Ray node that joins a fleet's cluster, as a session of processes of its own."""

    def __init__(self, fleet: Fleet) -> None:
        options = {
            "address": fleet.run()["ray_address"],
            "node-ip-address": "127.0.0.1",
            "min-worker-port": 0,
            "max-worker-port": 0,
            "dashboard-agent-listen-port": free_port(),
            "metrics-export-port": free_port(),
            "object-store-memory": 80 * 2**20,
        }
        command = [
            str(Path(sys.executable).with_name("ray")),
            "start",
            *(f"--{name}={value}" for name, value in options.items()),
        ]
        environment = os.environ | ray_cluster.environment(fleet.data_dir.resolve())
        started = subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._session = started.pid
        output, _ = started.communicate(timeout=90)
        assert started.returncode == 0, output.decode()

    @property
    def pids(self) -> set[int]:
        """The processes of the node."""
        found = set()
        for pid in psutil.pids():
            try:
                if os.getsid(pid) == self._session:
                    found.add(pid)
            except ProcessLookupError:
                continue
        return found

    def kill(self) -> None:
        """Lose the node at once."""
        for pid in self.pids:
            psutil.Process(pid).kill()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    file = tmp_path / "fleet.yaml"
    file.write_text(yaml.safe_dump({"agents": AGENTS}))
    fleet = Fleet(tmp_path / "data", "--fleet", str(file)).up()
    yield fleet
    fleet.end()


@pytest.mark.timeout(400)
def test_agents_spread_over_nodes_and_those_of_a_lost_node_start_elsewhere(fleet: Fleet) -> None:
    node = Node(fleet)

    def there() -> set[str]:
        pids = node.pids
        return {id for id, agent in fleet.agents().items() if agent["state"] == "running" and agent["pid"] in pids}

    def some_there() -> bool:
        for id in fleet.agents():
            fleet.post(f"/api/agents/{id}/restart")
        fleet.until(lambda: all(agent["state"] == "running" for agent in fleet.agents().values()), 60)
        return bool(there())

    fleet.until(some_there, 120)
    moved = there()
    before = {id: fleet.agents()[id]["incarnation"] for id in moved}
    seq = fleet.get("/ready")["head"]
    node.kill()
    fleet.until(
        lambda: all(a["state"] == "running" and a["incarnation"] > before.get(i, 0) for i, a in fleet.agents().items()), 60
    )
    reasons = {
        event["agentId"]: event["data"]["reason"]
        for event in fleet.events(seq)
        if event["type"] == "agent" and event["data"]["state"] == "backing_off"
    }
    assert reasons.keys() == moved
    fleet.until(lambda: fleet.get("/api/ledger/check")["ok"])
    assert fleet.get("/api/fleet")["halted"] is None

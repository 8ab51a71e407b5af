"""Agents spread over the nodes of a Ray cluster; those of a lost node start elsewhere. Here all nodes are on one machine."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from actors import process_log
from supervisor import ray_cluster
from tests.integration.fleet import Fleet, free_port, polyfleet

AGENTS = [{"id": f"agent-{n}", "strategy": "market_maker", "params": {"lane": n, "lanes": 4}, "budget": 500} for n in range(4)]


def away(folder: Path) -> list[str]:
    """Return what runs a command with an empty folder of its own in the place of one, as on another machine."""
    for privileges in ([], ["--user", "--map-root-user"]):
        begin = ["unshare", *privileges, "--mount", "sh", "-c", f'mount -t tmpfs none "{folder}" && exec "$@"', "sh"]
        if subprocess.run([*begin, "true"], capture_output=True, check=False).returncode == 0:
            return begin
    pytest.skip("no folder can be mounted here; run the tests as root or where users may make namespaces")


class Node:
    """A further Ray node that joins a fleet's cluster, as a session of processes of its own with logs of its own."""

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
            *away(fleet.data_dir / "actor_logs"),
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
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    file = tmp_path / "fleet.yaml"
    file.write_text(yaml.safe_dump({"agents": AGENTS}))
    fleet = Fleet(tmp_path / "data", "--fleet", str(file)).up()
    yield fleet
    fleet.end()


def check_logs(fleet: Fleet, id: str) -> None:
    """Assert that the log of an agent on another machine is read there, and that it is told when it cannot be."""
    agent = fleet.agents()[id]
    answer = fleet.get(f"/api/agents/{id}/logs")
    assert answer["note"] is None
    assert (answer["logs"][-1]["life"], answer["logs"][-1]["pid"]) == (agent["incarnation"], agent["pid"])
    here = process_log.newest(str(fleet.data_dir), f"agent:{id}", 1000)
    assert agent["incarnation"] not in {line["life"] for line in here}
    fleet.post(f"/api/agents/{id}/stop")
    answer = fleet.get(f"/api/agents/{id}/logs")
    assert answer["logs"] == here[-100:]
    assert answer["note"].startswith(f"life {agent['incarnation']} of {id} does not answer")
    result = polyfleet("logs", id, "--url", fleet.url)
    assert (result.returncode, result.stderr) == (0, f"polyfleet: {answer['note']}\n")
    fleet.post(f"/api/agents/{id}/start")
    fleet.until(lambda: fleet.agents()[id]["state"] == "running", 60)


@pytest.mark.timeout(600)
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
    check_logs(fleet, min(there()))
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

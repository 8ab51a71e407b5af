"""How a fleet ends and goes on: Ctrl-C, SIGTERM, SIGKILL of `up` or of everything, `down`, and the next `up`."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from supervisor import ray_cluster
from tests.integration.fleet import LIMITS_OFF, Fleet, free_port, polyfleet

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "polymarket" / "resolved_markets.jsonl.gz"


def settled(fleet: Fleet) -> dict[str, Any]:
    """Return what must survive: who there is, what the wallets hold, and where the log ends."""
    check = fleet.until(lambda: (found := fleet.get("/api/ledger/check"))["ok"] and found, 30)
    return {
        "seq": fleet.get("/api/fleet")["seq"],
        "agents": {name: (agent["incarnation"], agent["totalTrades"]) for name, agent in fleet.agents().items()},
        "address": check["wallets"][0]["address"],
        "events": fleet.events(),
    }


def goes_on_from(fleet: Fleet, before: dict[str, Any]) -> None:
    """Assert that a fleet which was started again is the one that it was."""
    after = settled(fleet)
    assert after["address"] == before["address"]
    assert after["seq"] > before["seq"]
    assert after["agents"].keys() == before["agents"].keys()
    for name, (life, trades) in before["agents"].items():
        assert after["agents"][name][0] == life + 1
        assert after["agents"][name][1] >= trades
    events = fleet.events()
    assert events[: len(before["events"])] == before["events"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["id"] for event in events}) == len(events)
    traded = fleet.get("/api/fleet")["totalTrades"]
    fleet.until(lambda: fleet.get("/api/fleet")["totalTrades"] > traded, 60)


def left(fleet: Fleet) -> list[str]:
    """Return the names of the fleet's processes that are still there, whatever they were called."""
    return [process.name() for process in ray_cluster.processes(fleet.data_dir.resolve())]


def orphans(port: int) -> list[psutil.Process]:
    """Return who listens on a port."""
    found = []
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port and connection.pid:
            found.append(psutil.Process(connection.pid))
    return found


@pytest.mark.timeout(1200)
def test_a_fleet_survives_every_end(data_dir: Path) -> None:
    fleet = Fleet(data_dir, "--markets", str(RECORDED)) if RECORDED.exists() else Fleet(data_dir)
    with contextlib.ExitStack() as stack:
        stack.callback(fleet.end)
        fleet.up()
        fleet.until(lambda: fleet.get("/api/fleet")["totalTrades"] > 5, 60)
        before = settled(fleet)
        began = time.monotonic()
        fleet.signal(signal.SIGTERM)
        assert fleet.wait() == 0
        assert time.monotonic() - began < 45
        assert left(fleet) == []
        assert orphans(fleet.port) == []

        fleet.up()
        assert "resolved_markets" not in fleet.output or "ignored" in fleet.output
        goes_on_from(fleet, before)

        before = settled(fleet)
        for process in [psutil.Process(fleet.pid), *ray_cluster.processes(data_dir.resolve())]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        fleet.wait()
        fleet.up()
        goes_on_from(fleet, before)

        before = settled(fleet)
        fleet.signal(signal.SIGKILL)
        fleet.wait()
        assert fleet.get("/health")["status"] == "ok"
        second = polyfleet("up", "--data-dir", str(data_dir), "--port", str(free_port()))
        assert second.returncode == 1
        assert fleet.url in second.stderr
        assert "polyfleet down" in second.stderr
        down = polyfleet("down", "--data-dir", str(data_dir))
        assert (down.returncode, left(fleet)) == (0, [])
        assert "nothing runs" in polyfleet("down", "--data-dir", str(data_dir)).stdout

        fleet.up()
        goes_on_from(fleet, before)
        assert polyfleet("down", "--data-dir", str(data_dir)).returncode == 0
        assert fleet.wait() == 0
        assert left(fleet) == []


@pytest.mark.timeout(600)
def test_serve_deploy_gives_the_same_system_and_deleting_the_application_stops_the_agents(data_dir: Path) -> None:
    data_dir.mkdir()
    data_dir = data_dir.resolve()
    ray_cluster.prepare(data_dir)
    environment = ray_cluster.environment(data_dir)
    root = Path(__file__).parents[2]
    config: dict[str, Any] = yaml.safe_load((root / "serve_config.yaml").read_text())
    port = config["http_options"]["port"] = free_port()
    config["applications"][0]["args"] |= {"data_dir": str(data_dir), "fleet": str(root / "fleet.yaml")}
    (data_dir / "serve.yaml").write_text(yaml.safe_dump(config))
    with contextlib.ExitStack() as stack:
        stack.callback(ray_cluster.end, data_dir)
        address = ray_cluster.start(data_dir, environment | LIMITS_OFF)
        told = os.environ | environment | {"RAY_ADDRESS": address}
        ray_command = (
            "import ray,sys,json; from ray.dashboard.modules.serve.sdk import ServeSubmissionClient as C; import yaml;"
            "c=ray.init(log_to_driver=False); url='http://'+c.address_info['webui_url'];"
        )
        deploy = f"C(url).deploy_applications(yaml.safe_load(open({str(data_dir / 'serve.yaml')!r})))"
        subprocess.run([sys.executable, "-c", ray_command + deploy], env=told, check=True, timeout=120)
        url = f"http://127.0.0.1:{port}"

        def states() -> dict[str, str]:
            try:
                agents = httpx.get(f"{url}/api/agents").json()["agents"]
            except (httpx.HTTPError, ValueError, KeyError):
                return {}
            return {agent["id"]: agent["state"] for agent in agents}

        def until(done: Any, seconds: float) -> None:
            deadline = time.monotonic() + seconds
            while not done():
                assert time.monotonic() < deadline, states()
                time.sleep(0.5)

        until(lambda: set(states().values()) == {"running"} and len(states()) == 20, 120)
        pids = [agent["pid"] for agent in httpx.get(f"{url}/api/agents").json()["agents"]]
        delete = "from ray import serve; serve.delete('polyfleet')"
        subprocess.run([sys.executable, "-c", ray_command + delete], env=told, check=True, timeout=60)
        until(lambda: not any(psutil.pid_exists(pid) for pid in pids), 60)


def test_wrong_order_of_commands_is_told(tmp_path: Path) -> None:
    result = polyfleet("down", "--data-dir", str(tmp_path / "nowhere"))
    assert result.returncode == 2
    assert "there is no directory" in result.stderr
    assert json.dumps(result.stdout) == '""'

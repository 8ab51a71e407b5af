"""A fleet run by `polyfleet up` in a process of its own, as a user runs it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, cast

import httpx

from agents.errors import PolyfleetError
from supervisor import ray_cluster
from supervisor.client import FleetClient
from tests.postgres import Postgres

LIMITS_OFF = {f"POLYFLEET_RATE_LIMIT_{kind}": "off" for kind in ("READ", "CONTROL", "HEALTH")}


def free_port() -> int:
    """Return a port that nothing listens on."""
    return ray_cluster.free_ports(1)[0]


def polyfleet(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of polyfleet to its end."""
    command = [sys.executable, "-m", "supervisor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | environment, check=False)


class Fleet:
    """A running fleet on a data directory; started again on the same directory it goes on."""

    #: Where fleets keep their logs, if not in SQLite in their data directories.
    postgres: ClassVar[Postgres | None] = None

    def __init__(self, data_dir: Path, *arguments: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = httpx.Client(base_url=self.url, timeout=30)
        self._arguments = arguments
        self._environment = LIMITS_OFF | environment
        if self.postgres is not None:
            self._environment["DATABASE_URL"] = self.postgres.new_database()
        self._up: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of `up`."""
        assert self._up is not None
        return self._up.pid

    @property
    def output(self) -> str:
        """What `up` has printed."""
        return (self.data_dir / "up.log").read_text()

    def begin(self) -> None:
        """Start it."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "supervisor", "up", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        with (self.data_dir / "up.log").open("wb") as log:
            self._up = subprocess.Popen(
                [*command, *self._arguments], stdout=log, stderr=log, env=os.environ | self._environment, start_new_session=True
            )

    def up(self, timeout: float = 420.0) -> "Fleet":
        """Start it and wait until it is ready."""
        self.begin()
        self.until(lambda: "ready after" in self.output or not self.lives, timeout)
        assert self.lives, self.output
        return self

    @property
    def lives(self) -> bool:
        """Whether `up` is there."""
        return self._up is not None and self._up.poll() is None

    def end(self) -> None:
        """Leave nothing of it behind, whatever state it is in."""
        self.api.close()
        if self._up is not None and self.lives:
            self._up.kill()
            self._up.wait()
        ray_cluster.end(self.data_dir.resolve())

    def signal(self, number: signal.Signals) -> None:
        """Send `up` a signal."""
        os.kill(self.pid, number)

    def wait(self, timeout: float = 45.0) -> int:
        """Wait for the end of `up` and return its exit code."""
        assert self._up is not None
        return self._up.wait(timeout)

    def down(self) -> int:
        """End it as Ctrl-C does and return the exit code."""
        self.signal(signal.SIGINT)
        return self.wait()

    def until(self, done: Callable[[], Any], timeout: float = 60.0) -> Any:
        """Return the first true answer of `done`; fail if there is none in time."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if answer := done():
                return answer
            time.sleep(0.1)
        raise AssertionError(f"not within {timeout:g} s\n{self.output[-3000:]}")

    def get(self, path: str, **params: Any) -> Any:
        """GET a path's JSON; anything but a 2xx fails."""
        response = self.api.get(path, params=params)
        assert response.is_success, (path, response.status_code, response.text)
        return response.json()

    def post(self, path: str, body: Any = None) -> Any:
        """POST and return the JSON; anything but a 2xx fails."""
        response = self.api.post(path, json=body)
        assert response.is_success, (path, response.status_code, response.text)
        return response.json()

    def agents(self) -> dict[str, Any]:
        """Return every agent's status by id."""
        return {agent["id"]: agent for agent in self.get("/api/agents")["agents"]}

    def service(self, name: str) -> dict[str, Any]:
        """Return a shared actor's line of `/api/fleet`."""
        found: dict[str, Any] = next(line for line in self.get("/api/fleet")["services"] if line["name"] == name)
        return found

    def events(self, after: int = 0, type: str | None = None) -> list[dict[str, Any]]:
        """Return the log after a cursor."""
        with FleetClient(self.url) as client:
            return cast(list[dict[str, Any]], list(client.events(after, type=type)))

    def pid_of(self, service: str) -> int:
        """Return the process id of a shared actor, as its last event says."""

        def told() -> list[int]:
            with contextlib.suppress(PolyfleetError):
                lines = [event["data"] for event in self.events(type="info")]
                return [int(line["pid"]) for line in lines if line.get("name") == service]
            return []

        pids: list[int] = self.until(told)
        return pids[-1]

    def run(self) -> dict[str, Any]:
        """Return what `up` noted of the run."""
        found: dict[str, Any] = json.loads((self.data_dir / "run.json").read_text())
        return found

    def pid_of_actor(self, name: str) -> int:
        """Return the process id of a named actor, as Ray knows it."""
        script = (
            "import ray,sys;"
            f"ray.init(address={self.run()['ray_address']!r},log_to_driver=False,logging_level='ERROR');"
            f"handle=ray.get_actor({name!r},'polyfleet');"
            "sys.stdout.write(str(ray.get(handle.probe.remote())['pid']))"
        )
        environment = os.environ | ray_cluster.environment(self.data_dir)
        result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
        return int(result.stdout or 0)

"""The fleet under test: a sandbox that `polyfleet up` runs as a child process in a directory of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from agents.errors import Unavailable
from supervisor import ray_cluster
from supervisor.chaos.roster import roster
from supervisor.client import FleetClient
from supervisor.data_directory import DataDirectory
from supervisor.secrets import without_secrets

#: Seconds for `up` to become ready, and to end.
_READY_TIMEOUT = 400.0
_END_TIMEOUT = 60.0

#: Variables of the user's own fleet; the one under test must neither use nor reach it.
_FOREIGN = ("POLYFLEET_", "RAY_", "DATABASE_URL", "TELEGRAM_", "OPENAI_")


class FleetUnderTest:
    """A fleet of so many agents below `directory`; `starts` counts how often `up` was started, `ended` why it ended unasked.

    `api` asks it. Its log is in SQLite, or in the empty PostgreSQL database that `database` names.
    """

    def __init__(self, directory: Path, seed: int, agents: int, database: str | None = None) -> None:
        self.directory = directory.resolve()
        self.data_dir = self.directory / "data"
        self.starts = 0
        self.ended: list[str] = []
        self.port = ray_cluster.free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = FleetClient(self.url)
        self._seed = seed
        self._up: subprocess.Popen[bytes] | None = None
        own = without_secrets(os.environ)
        kept = {name: value for name, value in own.items() if not name.startswith(_FOREIGN)}
        self.environment = kept | {f"POLYFLEET_RATE_LIMIT_{kind}": "off" for kind in ("READ", "CONTROL", "HEALTH")}
        if database is not None:
            self.environment["DATABASE_URL"] = database
        self._fleet_file = self.directory / "fleet.yaml"
        self._fleet_file.write_text(yaml.safe_dump(roster(agents), sort_keys=False))

    @property
    def pid(self) -> int:
        """The process id of `up`."""
        assert self._up is not None
        return self._up.pid

    @property
    def lives(self) -> bool:
        """Whether `up` is there."""
        return self._up is not None and self._up.poll() is None

    @property
    def address(self) -> str | None:
        """Ray's address, once it is known."""
        run = DataDirectory(self.data_dir).last_run()
        return run.ray_address if run else None

    def begin(self) -> None:
        """Start `up`; on a directory that was used before it goes on."""
        self.starts += 1
        command = [sys.executable, "-m", "supervisor", "up", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        command += ["--fleet", str(self._fleet_file), "--seed", str(self._seed)]
        with self._log.open("wb") as log:
            # Not in the user's directory: there may be an .env of another fleet.
            self._up = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, stdout=log, stderr=log, env=self.environment, cwd=self.directory, start_new_session=True
            )

    def until_ready(self) -> None:
        """Wait until `up` says that all is ready. Raises Unavailable with what it printed last, if it does not."""
        deadline = time.monotonic() + _READY_TIMEOUT
        while time.monotonic() < deadline and self.lives:
            if "ready after" in self._log.read_text():
                return
            time.sleep(0.1)
        with contextlib.suppress(FileNotFoundError):
            # The next start writes another one.
            shutil.copy(self.data_dir / "errand_launch.log", self.directory / f"errand-{self.starts}.log")
        raise Unavailable(f"the fleet under test did not start: {self.last_words()}")

    def last_words(self) -> str:
        """Return the last line that `up` printed."""
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")

    def kill_everything(self) -> int:
        """SIGKILL `up` and every process of the fleet; return how many there were."""
        count = 0
        if self._up is not None and self.lives:
            self._up.kill()
            self._up.wait()
            count += 1
        while found := ray_cluster.processes(self.data_dir):
            for process in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
                    count += 1
            time.sleep(0.05)
        return count

    def end(self) -> tuple[int, int]:
        """End it as Ctrl-C does; return the exit code of `up`, and how many processes it left behind (they are ended)."""
        code = -signal.SIGKILL
        if self._up is not None:
            if self.lives:
                self._up.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._up.wait(_END_TIMEOUT)
        return code, self.kill_everything()

    @property
    def _log(self) -> Path:
        return self.directory / f"up-{self.starts}.log"

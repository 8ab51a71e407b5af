"""Which process runs which actor, by Ray's own table: asked in a child process, since a Ray that dies ends its clients."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

#: Seconds between two looks.
_LOOK = 0.2


class Census:
    """Process ids by the names of their actors, kept fresh by a child process.

    The child is told of the cluster by `address` and `environment`; what it complains of goes to `log`.
    """

    def __init__(self, address: str, environment: dict[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", "supervisor.chaos.census", address]
        self._environment = environment
        self._log = log
        self._child: subprocess.Popen[str] | None = None
        self._pids: dict[str, int] = {}

    @property
    def pids(self) -> dict[str, int]:
        """The latest count; empty until there is one. A child that has died is replaced."""
        if self._child is None or self._child.poll() is not None:
            self._start()
        return self._pids

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def _start(self) -> None:
        with self._log.open("a") as errors:
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                self._command, stdout=subprocess.PIPE, stderr=errors, text=True, env=self._environment
            )
        assert self._child.stdout is not None
        threading.Thread(target=self._read, args=(self._child.stdout,), daemon=True).start()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self._pids = json.loads(line)


# What follows runs in the child.


def _main(address: str) -> None:
    from ray._private.state import GlobalState
    from ray._raylet import GcsClientOptions  # type: ignore[attr-defined]

    state = GlobalState()
    state._initialize_global_state(
        GcsClientOptions.create(address, None, allow_cluster_id_nil=True, fetch_cluster_id_if_nil=False)
    )
    while True:
        actors = state.actor_table(None, actor_state_name="ALIVE").values()
        pids = {actor["Name"]: actor["Pid"] for actor in actors if actor["Name"] and actor["Pid"]}
        sys.stdout.write(json.dumps(pids) + "\n")
        sys.stdout.flush()
        time.sleep(_LOOK)


if __name__ == "__main__":
    _main(sys.argv[1])

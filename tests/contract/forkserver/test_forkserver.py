"""Real fork servers and copies of them, started as Ray starts actors' processes; only Ray itself is away."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.forkserver import setup_worker, start_hook

#: What the processes here run: it says in a file of its own what it is, and stays.
SCRIPT = """
    import json, os, random, sys, time
    from pathlib import Path

    loaded = "actors.agent" in sys.modules
    about = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "group": os.getpgrp(),
        "arguments": sys.argv[1:],
        "directory": os.getcwd(),
        "variables": dict(os.environ),
        "path": sys.path,
        "files": os.listdir("/proc/self/fd"),
        "random": random.random(),
        "name": __name__,
        "loaded": loaded,
    }
    print("from", "a copy" if loaded else "an interpreter", flush=True)
    report = Path("reports", str(os.getpid()))
    report.with_suffix(".new").write_text(json.dumps(about))
    report.with_suffix(".new").rename(report)
    time.sleep(600)
"""


class Node:
    """Starts processes as the Ray of a node does, whose own process is `ray` here; `reports` says what they are."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = directory / "output"
        self.script = directory / "script.py"
        self.script.write_text(textwrap.dedent(SCRIPT))
        (directory / "reports").mkdir()
        self.ray = subprocess.Popen(["sleep", "600"])
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, variables: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
        """Start the script in a process with a runtime environment that has these variables."""
        return self._start(setup_worker.PATIENCE, variables, arguments)

    def copy(self, patience: float = setup_worker.PATIENCE) -> subprocess.Popen[bytes]:
        """Start the script in a process that may be a copy."""
        return self._start(patience, {setup_worker.FORKED: "1"}, ())

    def _start(self, patience: float, variables: dict[str, str], arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        program = (
            f"import sys; import {setup_worker.__name__} as script; script.PATIENCE = {patience}; script.main(sys.argv[1:])"
        )
        options = [f"--serialized-runtime-env-context={json.dumps({'env_vars': variables})}", "--language=PYTHON"]
        return self.run([sys.executable, "-c", program, *options, str(self.script), *arguments], self.directory)

    def run(self, command: list[str], servers: Path) -> subprocess.Popen[bytes]:
        """Run a command as Ray does where the fork servers' sockets are in the directory `servers`."""
        with self.output.open("ab") as output:
            started = subprocess.Popen(
                command,
                env=os.environ | {setup_worker.DIRECTORY: str(servers), setup_worker.RAYLET: str(self.ray.pid)},
                cwd=self.directory,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        self._started.append(started)
        return started

    def reports(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many processes to say what they are; the newest comes last."""
        folder = self.directory / "reports"
        until(lambda: len([file for file in folder.iterdir() if not file.suffix]) >= count)
        files = [file for file in folder.iterdir() if not file.suffix]
        return [json.loads(file.read_text()) for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)]

    def end(self) -> None:
        """End all that was started."""
        self.ray.kill()
        self.ray.wait()
        for report in self.reports(0):
            with contextlib.suppress(ProcessLookupError):
                os.kill(report["pid"], signal.SIGKILL)
        for started in self._started:
            started.kill()
            started.wait()


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    node.end()


def test_a_copy_is_the_process_that_was_asked_for(node: Node) -> None:
    started = node.start({setup_worker.FORKED: "1", "COLOUR": "grün"}, "--node-id", "ab cd")
    [copy] = node.reports(1)
    assert started.wait(10) == 0
    assert copy["loaded"]
    assert copy["name"] == "__main__"
    assert copy["arguments"] == ["--node-id", "ab cd"]
    assert copy["directory"] == str(node.directory)
    assert copy["path"][0] == str(node.directory)
    assert copy["variables"]["COLOUR"] == "grün"
    assert copy["variables"][setup_worker.RAYLET] == str(node.ray.pid)
    assert node.output.read_text() == "from a copy\n"
    # Three standard files, and the one that listed them.
    assert len(copy["files"]) == 4


def test_a_copy_is_in_the_process_group_by_which_ray_ends_it(node: Node) -> None:
    first, second = node.copy(), node.copy()
    node.reports(2)
    os.killpg(first.pid, signal.SIGKILL)
    ended, other = sorted(node.reports(2), key=lambda copy: copy["group"] != first.pid)
    until(lambda: gone(ended["pid"]))
    assert other["group"] == second.pid
    assert not gone(other["pid"])
    assert not gone(other["parent"])


def test_processes_that_start_at_once_are_copies_of_one_server_that_has_no_threads(node: Node) -> None:
    for _ in range(12):
        node.copy()
    copies = node.reports(12)
    [server] = {copy["parent"] for copy in copies}
    assert psutil.Process(server).num_threads() == 1
    assert len({copy["random"] for copy in copies}) == 12


def test_a_server_that_is_killed_takes_no_copy_along_and_is_replaced(node: Node) -> None:
    node.copy()
    [first] = node.reports(1)
    os.kill(first["parent"], signal.SIGKILL)
    until(lambda: gone(first["parent"]))
    node.copy()
    second = node.reports(2)[-1]
    assert second["loaded"]
    assert second["parent"] != first["parent"]
    assert not gone(first["pid"])


def test_while_the_server_hangs_there_are_new_interpreters_and_nothing_starts_twice(node: Node) -> None:
    first = node.copy()
    [copy] = node.reports(1)
    # Its end would wake the server, a stopped process whose parent ends.
    first.wait()
    os.kill(copy["parent"], signal.SIGSTOP)
    late = node.copy(patience=0.3)
    interpreter = node.reports(2)[-1]
    assert interpreter["pid"] == late.pid
    assert not interpreter["loaded"]
    assert "the fork server gave no copy (timed out): a new interpreter is started" in node.output.read_text()
    # It now finds the order that nobody waits for any more, and then this one.
    os.kill(copy["parent"], signal.SIGCONT)
    node.copy()
    assert node.reports(3)[-1]["loaded"]
    server = psutil.Process(copy["parent"])
    until(lambda: {child.pid for child in server.children()} <= {report["pid"] for report in node.reports(3)})
    assert len(node.reports(3)) == 3
    assert "Traceback" not in node.output.read_text()


def test_without_a_place_for_a_server_there_is_a_new_interpreter(node: Node) -> None:
    context = json.dumps({"env_vars": {setup_worker.FORKED: "1"}})
    options = [f"--serialized-runtime-env-context={context}", str(node.script)]
    started = node.run([sys.executable, setup_worker.__file__, *options], node.directory / "missing")
    [interpreter] = node.reports(1)
    assert interpreter["pid"] == started.pid
    assert "No such file or directory" in node.output.read_text()


def test_the_server_ends_with_the_ray_of_its_node(node: Node) -> None:
    node.copy()
    [copy] = node.reports(1)
    node.ray.kill()
    node.ray.wait()
    until(lambda: gone(copy["parent"]))
    assert not gone(copy["pid"])


def test_a_process_that_is_not_to_be_a_copy_is_set_up_by_ray(node: Node) -> None:
    started = node.start({"OTHER": "1"}, "--worker")
    [interpreter] = node.reports(1)
    assert interpreter["pid"] == started.pid
    assert interpreter["arguments"] == ["--worker"]
    assert interpreter["variables"]["OTHER"] == "1"
    assert not list(node.directory.glob("fork-*"))


def test_ray_is_told_of_a_script_that_it_takes_for_its_own() -> None:
    class Params:
        setup_worker_path: str | None = None

    params: Any = Params()
    start_hook(params, True)
    # Ray leaves it out for processes that have no runtime environment, and knows it by this name.
    assert Path(params.setup_worker_path) == Path(setup_worker.__file__)
    assert Path(setup_worker.__file__).name == "setup_worker.py"

"""Real fork servers and copies of them, started as Ray starts actors' processes; only Ray itself is away."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.forkserver import setup_worker, start_hook
from tests.processes import gone

#: What the processes here run: it says in a file of its own what it is, and stays.
SCRIPT = """
    import json, os, random, subprocess, sys, time
    from pathlib import Path

    copied = "actors.ledger" in sys.modules
    import ray

    about = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "group": os.getpgrp(),
        "arguments": sys.argv[1:],
        "directory": os.getcwd(),
        "variables": dict(os.environ),
        "path": sys.path,
        "user site": not sys.flags.no_user_site,
        "files": {name: os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")},
        "chance": [random.random(), ray.ObjectRef.from_random().hex()],
        "child": subprocess.run(["sh", "-c", "exit 3"]).returncode,
        "name": __name__,
        "copied": copied,
    }
    print("from", "a copy" if copied else "an interpreter", flush=True)
    report = Path(os.environ["REPORTS"], str(os.getpid()))
    report.with_suffix(".new").write_text(json.dumps(about))
    report.with_suffix(".new").rename(report)
    time.sleep(600)
"""

#: The runtime environment of a process that is to be a copy.
COPIED = {setup_worker.FORKED: "1"}


class Node:
    """Starts processes as the Ray of a node does, whose own process is `ray` here; `reports` says what they are."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = directory / "output"
        self.servers = directory / "servers"
        self.script = directory / "scripts" / "script.py"
        for folder in (self.servers, self.script.parent, directory / "reports"):
            folder.mkdir()
        self.script.write_text(textwrap.dedent(SCRIPT))
        self.ray = subprocess.Popen(["sleep", "600"])
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        *arguments: str,
        variables: Mapping[str, str] = COPIED,
        flags: tuple[str, ...] = (),
        patience: float = setup_worker.PATIENCE,
        environment: Mapping[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> subprocess.Popen[bytes]:
        """Start the script, in the present directory, in a process whose runtime environment has these variables."""
        name = setup_worker.__name__
        program = f"import sys, {name} as script; script.PATIENCE = {patience}; script.main(sys.argv[1:])"
        options = [f"--serialized-runtime-env-context={json.dumps({'env_vars': variables})}", "--language=PYTHON"]
        own = {
            setup_worker.DIRECTORY: str(self.servers),
            setup_worker.RAYLET: str(self.ray.pid),
            "REPORTS": str(self.directory / "reports"),
        }
        with self.output.open("ab") as output:
            started = subprocess.Popen(
                [sys.executable, "-P", "-c", program, *options, *flags, str(self.script), *arguments],
                env=os.environ | own | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
                pass_fds=pass_fds,
            )
        self._started.append(started)
        return started

    def reports(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many processes to say what they are; the newest comes last."""
        folder = self.directory / "reports"
        until(lambda: len([file for file in folder.iterdir() if not file.suffix]) >= count)
        files = [file for file in folder.iterdir() if not file.suffix]
        return [json.loads(file.read_text()) for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)]

    def first(self) -> dict[str, Any]:
        """Start a copy and wait until it runs, and the process that started it and the server has ended."""
        started = self.start()
        [copy] = self.reports(1)
        assert started.wait(30) == 0
        return copy

    def end(self) -> None:
        """End all that was started."""
        self.ray.kill()
        self.ray.wait()
        for report in self.reports(0):
            for pid, number in ((report["pid"], signal.SIGKILL), (report["parent"], signal.SIGCONT)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        for started in self._started:
            started.kill()
            started.wait()


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def open_files(pid: int) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return [os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()]
    return []


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    node = Node(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield node
    node.end()


def test_a_copy_is_the_process_that_was_asked_for_whatever_the_server_was_started_with(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "handed down").open("w") as file:
        node.start(environment={"SHADE": "dark"}, pass_fds=(file.fileno(),))
        [first] = node.reports(1)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    node.output = tmp_path / "other output"
    started = node.start("--node-id", "ab cd", variables=COPIED | {"COLOUR": "grün"})
    copy = node.reports(2)[-1]
    assert started.wait(30) == 0
    assert (copy["copied"], copy["name"], copy["parent"]) == (True, "__main__", first["parent"])
    assert copy["arguments"] == ["--node-id", "ab cd"]
    assert copy["directory"] == str(tmp_path / "elsewhere")
    assert copy["variables"]["COLOUR"] == "grün"
    assert "SHADE" not in copy["variables"]
    assert copy["variables"].keys() - {"COLOUR"} == first["variables"].keys() - {"SHADE"}
    assert node.output.read_text() == "from a copy\n"
    # The fourth is that of the list itself.
    for files in (first["files"], copy["files"]):
        assert files.keys() >= {"0", "1", "2"}
        assert len(files) == 4
    assert copy["files"]["0"] == os.devnull
    assert {copy["files"]["1"], copy["files"]["2"]} == {str(node.output)}
    assert copy["child"] == 3


def test_a_copy_finds_modules_where_a_new_interpreter_does(node: Node) -> None:
    copy = node.first()
    node.servers = node.directory / "missing"
    interpreter_started = node.start()
    interpreter = node.reports(2)[-1]
    assert interpreter["pid"] == interpreter_started.pid
    assert not interpreter["copied"]
    assert copy["path"] == interpreter["path"]
    assert str(node.directory) not in copy["path"]
    assert "the fork server gave no copy ([Errno 2] No such file or directory" in node.output.read_text()


def test_flags_of_the_interpreter_are_those_of_the_copy(node: Node) -> None:
    node.start("--worker", flags=("-s",))
    [copy] = node.reports(1)
    assert (copy["copied"], copy["arguments"], copy["user site"]) == (True, ["--worker"], False)


def test_a_copy_is_in_the_process_group_by_which_ray_ends_it(node: Node) -> None:
    first, second = node.start(), node.start()
    node.reports(2)
    os.killpg(first.pid, signal.SIGKILL)
    ended, other = sorted(node.reports(2), key=lambda copy: copy["group"] != first.pid)
    until(lambda: gone(ended["pid"]))
    assert other["group"] == second.pid
    assert not gone(other["pid"])
    assert not gone(other["parent"])


def test_processes_that_start_at_once_are_copies_of_one_server_that_has_no_threads(node: Node) -> None:
    for _ in range(12):
        node.start()
    copies = node.reports(12)
    [server] = {copy["parent"] for copy in copies}
    assert psutil.Process(server).num_threads() == 1
    assert len({copy["chance"][0] for copy in copies}) == 12
    assert len({copy["chance"][1] for copy in copies}) == 12


def test_a_server_that_is_killed_takes_no_copy_along_and_is_replaced_once(node: Node) -> None:
    first = node.first()
    os.kill(first["parent"], signal.SIGKILL)
    until(lambda: gone(first["parent"]))
    for _ in range(3):
        node.start()
    others = node.reports(4)[1:]
    assert all(copy["copied"] for copy in others)
    [server] = {copy["parent"] for copy in others}
    assert server != first["parent"]
    assert not gone(first["pid"])


def test_a_server_that_hangs_delays_one_process_and_is_replaced_and_nothing_starts_twice(node: Node) -> None:
    first = node.first()
    os.kill(first["parent"], signal.SIGSTOP)
    late = node.start(patience=0.5)
    interpreter = node.reports(2)[-1]
    assert interpreter["pid"] == late.pid
    assert not interpreter["copied"]
    assert "the fork server gave no copy (timed out): a new interpreter is started" in node.output.read_text()
    node.start()
    copy = node.reports(3)[-1]
    assert copy["copied"]
    assert copy["parent"] != first["parent"]
    # It now finds the order for which nobody waits any more.
    os.kill(first["parent"], signal.SIGCONT)
    until(lambda: "a copy of the fork server ends, as nobody waits for it: " in node.output.read_text())
    server = psutil.Process(first["parent"])
    until(lambda: {child.pid for child in server.children()} == {first["pid"]})
    assert len(node.reports(3)) == 3
    assert "Traceback" not in node.output.read_text()


def test_of_many_that_waited_for_a_server_that_hangs_only_the_first_gives_it_up(node: Node) -> None:
    first = node.first()
    os.kill(first["parent"], signal.SIGSTOP)
    for _ in range(4):
        node.start(patience=2.0)
    assert not any(report["copied"] for report in node.reports(5)[1:])
    before = [node.start().wait(60) for _ in range(3)]
    assert before == [0, 0, 0]
    copies = node.reports(8)[5:]
    assert len({copy["parent"] for copy in copies}) == 1


def test_an_order_whose_sender_is_killed_starts_nothing(node: Node) -> None:
    first = node.first()
    os.kill(first["parent"], signal.SIGSTOP)
    sender = node.start()
    until(lambda: any(file.startswith("socket:") for file in open_files(sender.pid)))
    sender.kill()
    sender.wait()
    os.kill(first["parent"], signal.SIGCONT)
    until(lambda: "a copy of the fork server ends, as nobody waits for it: " in node.output.read_text())
    assert len(node.reports(1)) == 1
    assert "Traceback" not in node.output.read_text()


def test_each_node_of_a_machine_has_its_own_server_which_ends_with_it(node: Node) -> None:
    first = node.first()
    former, node.ray = node.ray, subprocess.Popen(["sleep", "600"])
    node.start()
    second = node.reports(2)[-1]
    assert second["parent"] != first["parent"]
    former.kill()
    former.wait()
    until(lambda: gone(first["parent"]))
    assert not gone(first["pid"])
    assert not gone(second["parent"])


def test_a_process_that_is_not_to_be_a_copy_is_set_up_by_ray(node: Node) -> None:
    started = node.start("--worker", variables={"OTHER": "1"})
    [interpreter] = node.reports(1)
    assert interpreter["pid"] == started.pid
    assert interpreter["arguments"] == ["--worker"]
    assert interpreter["variables"]["OTHER"] == "1"
    assert not list(node.servers.iterdir())


def test_ray_is_told_of_a_script_that_it_takes_for_its_own() -> None:
    class Params:
        setup_worker_path: str | None = None

    params: Any = Params()
    start_hook(params, True)
    # Ray leaves it out for processes that have no runtime environment, and knows it by this name.
    assert Path(params.setup_worker_path) == Path(setup_worker.__file__)
    assert Path(setup_worker.__file__).name == "setup_worker.py"

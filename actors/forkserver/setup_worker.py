"""The script that Ray runs in place of its own of this name: it gets an actor's process from the fork server.

It runs for each process that is started, so it imports nothing that is slow.
"""

import contextlib
import fcntl
import importlib.util
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: The variable with the directory of the fork servers' sockets, which is its owner's alone; unset where there are none.
DIRECTORY = "POLYFLEET_FORKSERVERS"

#: The variable in the runtime environment of an actor that starts as a copy.
FORKED = "POLYFLEET_FORKED"

#: The variable with the process id of the node's Ray: a node has one fork server, and two may be on one machine.
RAYLET = "RAY_RAYLET_PID"

#: Seconds for the server, which may have to be started first, to give a copy.
PATIENCE = 20.0

_CONTEXT = "--serialized-runtime-env-context="
_LANGUAGE = "--language="


def main(options: list[str]) -> None:
    """Leave the command that Ray wants run to a copy, or become it."""
    context: dict[str, Any] = next((json.loads(o.removeprefix(_CONTEXT)) for o in options if o.startswith(_CONTEXT)), {})
    command = [o for o in options if not o.startswith((_CONTEXT, _LANGUAGE))]
    variables = context.get("env_vars", {})
    if FORKED not in variables:
        # Somebody else's: how that is set up is for Ray to say.
        _become([_rays_own(), *options])
    os.environ.update(variables)
    try:
        _leave(command)
    except (OSError, KeyError) as error:
        sys.stderr.write(f"the fork server gave no copy ({error}): a new interpreter is started\n")
        _become(command)


def _become(command: list[str]) -> None:
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - what Ray has handed us, or its own script


def _rays_own() -> str:
    ray = importlib.util.find_spec("ray")
    assert ray is not None
    assert ray.origin is not None
    return str(Path(ray.origin).with_name("_private") / "workers" / "setup_worker.py")


def _leave(command: list[str]) -> None:
    """Leave the command to a copy. Raises OSError if no copy takes it, KeyError where there are no fork servers."""
    script = next(n for n, word in enumerate(command) if not word.startswith("-"))
    order = {"command": command[script:], "environment": dict(os.environ), "directory": os.getcwd(), "group": os.getpgrp()}
    server = Path(os.environ[DIRECTORY], f"fork-{os.environ[RAYLET]}.sock")
    with _connect(server, flags=command[:script]) as connection:
        try:
            socket.send_fds(connection, [json.dumps(order).encode()], [1, 2])
            if not connection.recv(1):
                raise ConnectionError("it has ended")
        except TimeoutError:
            _forget(server)
            raise
        # It waits for this: had we given up by now and become an interpreter, it must not run as well.
        connection.sendall(b"1")


def _connect(path: Path, flags: list[str]) -> socket.socket:
    """Connect to the server, or start one, with these flags of the interpreter, if there is none."""
    with _locked(path):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(PATIENCE)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            path.unlink(missing_ok=True)
            _start(path, flags)
            connection.connect(str(path))
    return connection


def _start(path: Path, flags: list[str]) -> None:
    """Start a server on a new socket; whoever connects before it is ready waits."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen(socket.SOMAXCONN)
        listener.set_inheritable(True)
        # -P: what lies in the directory in which Ray was started is no module of ours.
        command = [sys.executable, *flags, "-P", "-m", "actors.forkserver.server", str(listener.fileno())]
        # With this process its group ends, and the server outlives it.
        os.posix_spawn(sys.executable, command, os.environ, setpgroup=0)


def _forget(path: Path) -> None:
    """Let the next process start a server in place of one that hangs, unless another has done so meanwhile."""
    with _locked(path):
        if path.exists() and time.time() - path.stat().st_mtime >= PATIENCE:
            path.unlink()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock on a socket's path: one process at a time connects, starts a server or forgets one."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main(sys.argv[1:])

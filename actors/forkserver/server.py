"""The fork server of a Ray node: a process without threads that has imported what actors import, and copies itself."""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from pathlib import Path

from actors.forkserver.setup_worker import PATIENCE, RAYLET

#: What an agent's process imports, whatever its strategy, and those for which trading waits when they have died.
PRELOADED = ("ray._private.workers.default_worker", "actors.system", "actors.agent", "actors.ledger", "actors.broker")


def main(listener: socket.socket, raylet: int) -> None:
    """Serve until the node's Ray ends. Each copy returns from here too, once it has run."""
    _close_all_but(listener.fileno())
    node = os.pidfd_open(raylet)
    for module in PRELOADED:
        importlib.import_module(module)
    # None of this is ever garbage: to look at it again, in each copy, would only copy its memory.
    gc.collect()
    gc.freeze()
    # So that the system itself forgets the copies that have ended.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while node not in select.select([listener.fileno(), node], [], [])[0]:
        connection, _ = listener.accept()
        with connection:
            try:
                copied = os.fork() == 0
            except OSError as error:
                sys.stderr.write(f"the fork server cannot copy itself: {error}\n")
                continue
            if copied:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                # A copy that kept it would keep the address of a dead server alive.
                listener.close()
                os.close(node)
                _serve(connection)
                return


def _close_all_but(file: int) -> None:
    """Close what Ray has let its first process inherit, but for the three standard files and this one."""
    os.closerange(3, file)
    os.closerange(file + 1, os.sysconf("SC_OPEN_MAX"))


def _serve(connection: socket.socket) -> None:
    """Be the process that is asked for, if it is wanted still."""
    connection.settimeout(PATIENCE)
    try:
        with connection:
            script, *arguments = _commanded(connection)
    except OSError as error:
        sys.stderr.write(f"a copy of the fork server ends, as nobody waits for it: {error}\n")
        return
    sys.argv = [script, *arguments]
    # Behind the entry that Ray has put before it by the time that the script runs.
    sys.path.insert(1, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")


def _commanded(connection: socket.socket) -> list[str]:
    """Take on what is told of the process, and return its command. Raises OSError if whoever asked has given up."""
    text, files, _, _ = socket.recv_fds(connection, 2**20, 2)
    if not text:
        raise ConnectionError("it was asked for nothing")
    order = json.loads(text)
    # Ray ends an actor's whole group with the actor, and knows it by the id of the process that it started.
    os.setpgid(0, order["group"])
    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["environment"])
    for target, file in enumerate(files, start=1):
        os.dup2(file, target)
        os.close(file)
    connection.sendall(b"1")
    if not connection.recv(1):
        raise ConnectionError("whoever asked for it has become an interpreter")
    return list(order["command"])


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), int(os.environ[RAYLET]))

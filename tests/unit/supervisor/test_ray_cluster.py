import os
import subprocess
from pathlib import Path

import pytest

from supervisor import ray_cluster


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ray_cluster, "runtime_dir", lambda data_dir: tmp_path / "runtime")
    return tmp_path


def test_sockets_have_short_paths_and_each_directory_its_own() -> None:
    first, second = (ray_cluster.runtime_dir(Path(name)) for name in ("/a", "/b"))
    assert first != second
    # Ray adds a session of 50 characters and a name, HAProxy a node of 56 and a name.
    assert len(str(first)) + 58 + len("/metrics.sock") < 97
    assert first == ray_cluster.runtime_dir(Path("/a"))


def test_the_cluster_asks_for_its_token() -> None:
    assert ray_cluster.environment(Path("/a"))["RAY_AUTH_MODE"] == "token"


def test_the_token_is_private_and_stays(data_dir: Path) -> None:
    ray_cluster.prepare(data_dir)
    token = (data_dir / "ray_token").read_text()
    assert len(token) == 64
    assert (data_dir / "ray_token").stat().st_mode & 0o777 == 0o600
    ray_cluster.prepare(data_dir)
    assert (data_dir / "ray_token").read_text() == token


def test_haproxys_statistics_are_kept_on_loopback(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = data_dir / "program"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o700)
    monkeypatch.setattr(ray_cluster, "get_haproxy_binary", lambda: str(program))
    ray_cluster.prepare(data_dir)
    config = data_dir / "haproxy.cfg"
    config.write_text("frontend prometheus\n    bind :9101\n  bind *:8404\n    bind 127.0.0.1:3001\n    bind 0.0.0.0:3001\n")
    wrapper = data_dir / "runtime" / "haproxy-loopback"
    result = subprocess.run([wrapper, "-db", "-f", config], capture_output=True, text=True, check=True)
    assert result.stdout == f"-db -f {config}\n"
    assert config.read_text() == (
        "frontend prometheus\n    bind 127.0.0.1:9101\n  bind 127.0.0.1:8404\n    bind 127.0.0.1:3001\n    bind 0.0.0.0:3001\n"
    )


def test_processes_are_found_by_their_mark_and_their_session_and_ended(data_dir: Path) -> None:
    # The second one has no mark, as Ray's workers have none once they have set their title.
    script = "env -u POLYFLEET_CLUSTER sleep 60 & exec sleep 60"
    marked = os.environ | {ray_cluster.MARK: str(data_dir)}
    with subprocess.Popen(["sh", "-c", script], env=marked, start_new_session=True) as process:
        while len(ray_cluster.processes(data_dir)) < 2:
            pass
        assert {found.name() for found in ray_cluster.processes(data_dir)} <= {"sh", "sleep", "env"}
        assert ray_cluster.processes(data_dir / "other") == []
        assert ray_cluster.end(data_dir) == 2
        process.wait()
    assert ray_cluster.processes(data_dir) == []

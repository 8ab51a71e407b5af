"""The log in PostgreSQL: where it is, and its password, is known to the ledger alone and outlasts the environment."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from supervisor import ray_cluster
from tests.integration.fleet import LIMITS_OFF, Fleet
from tests.postgres import Postgres

#: Part of every URL of the tests' PostgreSQL.
PASSWORD = "polyfleet:secret@"

AGENT = {"id": "default", "strategy": "market_maker", "params": {"lane": 0, "lanes": 1}, "budget": 500}


@pytest.fixture
def fleet_file(tmp_path: Path) -> str:
    file = tmp_path / "fleet.yaml"
    file.write_text(yaml.safe_dump({"agents": [AGENT]}))
    return str(file)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A Ray cluster that others started, whose environment names a database of theirs; the address."""
    home = tmp_path / "cluster"
    home.mkdir()
    ray_cluster.prepare(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray_cluster, "without_secrets", dict)
        patch.setenv("DATABASE_URL", "postgresql://theirs:theirs@127.0.0.1:1/theirs")
        address = ray_cluster.start(home, ray_cluster.environment(home) | LIMITS_OFF)
    yield address
    ray_cluster.end(home)


def shown_by_processes(data_dir: Path, secret: str = PASSWORD) -> list[str]:
    """Return where the processes of a cluster show a secret: in their command lines or their environments."""
    found = []
    for process in ray_cluster.processes(data_dir):
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            shown = {name: Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ")}
            found += [f"{process.name()} {name}" for name, content in shown.items() if secret.encode() in content]
    return found


def files_with_password(folder: Path) -> list[str]:
    """Return the files below a folder that hold the password."""
    result = subprocess.run(["grep", "-rlF", PASSWORD, str(folder)], capture_output=True, text=True, check=False)
    return [str(Path(line).relative_to(folder)) for line in result.stdout.splitlines()]


@pytest.mark.timeout(600)
def test_no_process_shows_the_password_and_the_next_start_needs_no_environment(
    data_dir: Path, fleet_file: str, postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fleet, "postgres", None)
    url = postgres_server.new_database()
    fleet = Fleet(data_dir, "--fleet", fleet_file, DATABASE_URL=url)
    with contextlib.ExitStack() as stack:
        stack.callback(fleet.end)
        fleet.up()
        assert "the log is in postgresql://polyfleet:***@127.0.0.1" in fleet.output
        assert not (data_dir / "ledger.db").exists()
        assert PASSWORD.encode() in Path(f"/proc/{fleet.pid}/environ").read_bytes()
        assert len(ray_cluster.processes(data_dir.resolve())) > 10
        assert shown_by_processes(data_dir.resolve()) == []
        assert files_with_password(data_dir) == ["database_url"]
        assert files_with_password(ray_cluster.runtime_dir(data_dir.resolve())) == []
        before = fleet.get("/ready")["head"]
        assert before > 0
        assert fleet.down() == 0

        again = Fleet(data_dir, "--fleet", fleet_file)
        stack.callback(again.end)
        again.up()
        assert "***@127.0.0.1" in again.output
        assert "as before: DATABASE_URL is not set" in again.output
        assert [event["seq"] for event in again.events()][: before + 1] == list(range(1, before + 2))
        assert again.get("/api/ledger/check")["ok"]
        assert again.down() == 0
        assert not (data_dir / "ledger.db").exists()


@pytest.mark.timeout(400)
def test_on_a_cluster_that_others_started_the_ledger_finds_the_database_of_its_fleet(
    cluster: str, data_dir: Path, fleet_file: str, postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fleet, "postgres", None)
    joins = ray_cluster.environment(tmp_path / "cluster")
    joins.pop(ray_cluster.MARK)
    url = postgres_server.new_database()
    fleet = Fleet(data_dir, "--fleet", fleet_file, "--address", cluster, **joins, DATABASE_URL=url)
    with contextlib.ExitStack() as stack:
        stack.callback(fleet.end)
        fleet.up()
        assert not (data_dir / "ledger.db").exists()
        assert (data_dir / "database_url").read_text() == url
        assert fleet.get("/api/fleet")["agents"]["byState"]["running"] == 1
        assert shown_by_processes(tmp_path / "cluster", "theirs:theirs@") != []
        assert shown_by_processes(tmp_path / "cluster") == []
        assert files_with_password(ray_cluster.runtime_dir(tmp_path / "cluster")) == []
        assert fleet.down() == 0

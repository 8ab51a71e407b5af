"""A PostgreSQL of the tests' own: Debian's package, a cluster in a temporary folder, on a free loopback port."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.node_packages import missing

_SETTINGS = "fsync=off\nmax_connections=200\nshared_buffers=32MB\nlog_min_messages=fatal\nlisten_addresses='127.0.0.1'\n"


class Postgres:
    """One cluster, started by `start`; each `new_database` is empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._bin = _programs()
        with socket.create_server(("127.0.0.1", 0)) as found:
            self._port = found.getsockname()[1]

    def create(self) -> None:
        """Make the cluster. PostgreSQL refuses to be run by root, so it is given to the user of Debian's package."""
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "-D", str(self._data), "-U", "polyfleet", "-A", "trust", "-E", "UTF8", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(f"{_SETTINGS}port={self._port}\nunix_socket_directories='{self._folder}'\n")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._folder / "log"), "start")

    def stop(self, how: str = "immediate") -> None:
        """Stop the server; `immediate` is as a crash."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", how, "stop")

    def url(self, database: str) -> str:
        """Return the DATABASE_URL of a database."""
        return f"postgresql://polyfleet:secret@127.0.0.1:{self._port}/{database}"

    def new_database(self) -> str:
        """Make a database and return its DATABASE_URL."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'create database "{name}"'.encode())
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # Not a pipe: the server would inherit it, and the wait for its end would last as long as the server.
        with (self._folder / "run.log").open("ab") as output:
            done = subprocess.run(command, cwd=self._folder, stdout=output, stderr=output, timeout=60)
        assert done.returncode == 0, "\n".join(log.read_text() for log in self._folder.glob("*log"))


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a cluster. Without PostgreSQL the test is skipped, or fails under CI."""
    # Another user's server must get at it, which it could not below a folder of pytest.
    folder = Path(tempfile.mkdtemp(prefix="polyfleet-pg-"))
    server = Postgres(folder)
    try:
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Return where the server's programs are: Debian keeps them off the path."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = shutil.which("initdb") or (str(installed[-1]) if installed else None)
    if found is None:
        missing("PostgreSQL is needed for the log's tests; install it (Debian: postgresql)")
    return Path(found).resolve().parent

"""A data directory as the commands see it: locked by one `up`, with a note of what runs on it."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from actors.private_file import write_private
from agents.errors import Conflict, InvalidInput
from supervisor import ray_cluster


@dataclass(frozen=True, slots=True)
class Run:
    """The latest run on a data directory: the API's URL, Ray's address and dashboard, and whether that Ray is another's."""

    url: str
    ray_address: str
    dashboard: str
    joined: bool = False


class DataDirectory:
    """One fleet's directory; the path is absolute."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def used(self) -> bool:
        """Whether a fleet ran here before."""
        return (self.path / "ledger.db").exists() or self.has_venue or (self.path / "paper").exists()

    @property
    def has_venue(self) -> bool:
        """Whether a simulated venue is kept here."""
        return self.venue.exists()

    @property
    def venue(self) -> Path:
        """The simulated venue's database."""
        return self.path / "venue" / "venue.db"

    @property
    def mode(self) -> str | None:
        """In which mode the fleet here trades, or None if there was none yet: books of two modes never mix."""
        try:
            return (self.path / "mode").read_text().strip()
        except FileNotFoundError:
            return "sandbox" if self.used else None

    def keep_mode(self, mode: str) -> None:
        """Note in which mode the fleet here trades from now on. Raises InvalidInput if it is another than so far."""
        self.check_mode(mode)
        (self.path / "mode").write_text(f"{mode}\n")

    def check_mode(self, mode: str) -> None:
        """Raise InvalidInput if the fleet here trades in another mode."""
        if (known := self.mode) not in (None, mode):
            raise InvalidInput(
                f"--mode: the fleet in {self.path} trades in {known} mode; give the {mode} one another --data-dir"
            )

    @property
    def identity(self) -> Path:
        """The file with the id that this directory's log bears too."""
        return self.path / "fleet_id"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other `up` and `down` out. Raises Conflict if one is there."""
        with (self.path / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"a fleet runs on {self.path} already{self._where()}") from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def holder(self) -> int | None:
        """Return the process id of the `up` or `down` that is there, or None."""
        with contextlib.suppress(Conflict), self.locked():
            return None
        return int((self.path / "lock").read_text() or 0) or None

    def refuse_running(self) -> None:
        """Raise Conflict if processes of a fleet live here although no `up` does."""
        if ray_cluster.processes(self.path):
            raise Conflict(
                f"a fleet runs on {self.path} already{self._where()}, although its `polyfleet up` is gone; "
                f"end it with `polyfleet down --data-dir {self.path}`"
            )

    def remember(self, run: Run) -> None:
        """Note what runs here now."""
        write_private(self.path / "run.json", json.dumps(asdict(run)))

    def forget(self) -> None:
        """Note that nothing runs here any more."""
        (self.path / "run.json").unlink(missing_ok=True)

    def last_run(self) -> Run | None:
        """Return what ran here last, or None."""
        try:
            return Run(**json.loads((self.path / "run.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _where(self) -> str:
        run = self.last_run()
        return f" at {run.url}" if run else ""

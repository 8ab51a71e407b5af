"""`polyfleet down`: ends a fleet, whether its `up` is still there or gone."""

import contextlib
import os
import signal
import time
from pathlib import Path

from rich.console import Console

from agents.errors import InvalidInput
from supervisor import farewell
from supervisor.data_directory import DataDirectory

#: Seconds for an `up` that is still there to end its fleet.
_UP_TIMEOUT = 45.0

out = Console(highlight=False)


def down(data_dir: Path) -> int:
    """End what runs on a data directory; return the exit code.

    Raises:
        InvalidInput: if there is no such directory.
        Conflict: if another command holds it and does not end.
    """
    if not data_dir.is_dir():
        raise InvalidInput(f"--data-dir: there is no directory {data_dir}")
    directory = DataDirectory(data_dir.resolve())
    asked = _end_holder(directory)
    with directory.locked():
        count = farewell.end(directory)
    if not count:
        out.print(f"stopped by its `polyfleet up`, process {asked}" if asked else f"nothing runs on {directory.path}")
    else:
        out.print(f"stopped; {count} processes ended")
    return 0


def _end_holder(directory: DataDirectory) -> int | None:
    """Ask an `up` that is still there to end its fleet, wait until it has, and return its process id."""
    holder = directory.holder()
    if holder is None:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(holder, signal.SIGTERM)
    deadline = time.monotonic() + _UP_TIMEOUT
    while directory.holder() == holder and time.monotonic() < deadline:
        time.sleep(0.1)
    return holder

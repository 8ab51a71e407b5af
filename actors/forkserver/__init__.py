"""Starts actors' processes as copies of one that has imported Ray and the fleet's code already.

A new interpreter spends half a second of processor time on those imports, and a copy of its own of all that they load.
Ray starts each process that has a runtime environment through a script, `setup_worker.py`; `start_hook` puts ours in its
place. Ours asks the node's fork server for a copy, starts the server if there is none, and becomes a new interpreter, as
Ray's would, whenever it is given no copy: so the server may be killed at any moment, and nothing depends on it.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.forkserver.setup_worker import DIRECTORY, FORKED

if TYPE_CHECKING:
    from ray._private.parameter import RayParams

__all__ = ["DIRECTORY", "runtime_env", "start_hook"]


def start_hook(params: "RayParams", head: bool) -> None:
    """Change the options of a Ray node that is about to start: the function that `RAY_START_HOOK` names."""
    params.setup_worker_path = str(Path(__file__).with_name("setup_worker.py"))


def runtime_env() -> dict[str, Any] | None:
    """Return the runtime environment of an actor that starts as a copy, or None where there are no fork servers."""
    return {"env_vars": {FORKED: "1"}} if DIRECTORY in os.environ and sys.platform == "linux" else None

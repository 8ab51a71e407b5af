"""The npm packages that tests use as clients: installed from the lock file when they are missing."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

#: Where package.json and the scripts are.
FOLDER = Path(__file__).parent / "node"


@cache
def node() -> str:
    """Return the path of Node with the packages installed. Without Node a test is skipped, or fails under CI."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        missing("Node and npm are needed for the socket.io client; install them (Debian: nodejs npm)")
    installed, wanted = FOLDER / "node_modules" / ".package-lock.json", FOLDER / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        done = subprocess.run([npm, "ci"], cwd=FOLDER, capture_output=True, text=True, timeout=300)
        if done.returncode:
            missing(f"npm ci failed in {FOLDER}: {done.stderr.strip()[-500:]}")
    return found


def missing(reason: str) -> NoReturn:
    """Skip the test because a service is not there; under CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)

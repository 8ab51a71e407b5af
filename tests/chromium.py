"""The browser that tests drive: Debian's, since a machine without others can install it."""

import shutil

from tests.node_packages import missing


def chromium() -> str:
    """Return the path of Chromium. Without it a test is skipped, or fails under CI."""
    found = shutil.which("chromium")
    if found is None:
        missing("Chromium is needed for the tests of the dashboard; install it (Debian: chromium)")
    return found

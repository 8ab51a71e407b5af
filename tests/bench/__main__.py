"""`make bench`: starts one fleet in the sandbox and prints ratios, each of two things measured side by side in that fleet.

`python -m tests.bench PART ...` measures some parts only; `measure.PARTS` has their names.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from supervisor import ray_cluster
from tests.bench.ordering import DATA_DIR
from tests.integration.fleet import Fleet


def main() -> int:
    """Start the fleet, measure in a process that is connected to its Ray, end the fleet."""
    # So that the fleet ends too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="polyfleet-bench-", ignore_cleanup_errors=True) as directory:
        fleet = Fleet(Path(directory))
        try:
            fleet.up()
            command = [sys.executable, "-m", "tests.bench.measure", fleet.run()["ray_address"], fleet.url, *sys.argv[1:]]
            # Ray prints a line for each process that is killed or is one of many, wanted or not.
            quiet = {"RAY_DEDUP_LOGS_SKIP_REGEX": "worker"}
            environment = os.environ | ray_cluster.environment(fleet.data_dir) | quiet | {DATA_DIR: str(fleet.data_dir)}
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            fleet.end()


if __name__ == "__main__":
    sys.exit(main())

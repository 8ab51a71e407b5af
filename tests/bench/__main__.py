"""`make bench`: starts one fleet in the sandbox and prints ratios, each of two things measured side by side in that fleet."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from supervisor import ray_cluster
from tests.integration.fleet import Fleet


def main() -> int:
    """Start the fleet, measure in a process that is connected to its Ray, end the fleet."""
    data_dir = Path(tempfile.mkdtemp(prefix="polyfleet-bench-"))
    fleet = Fleet(data_dir)
    try:
        fleet.up()
        command = [sys.executable, "-m", "tests.bench.measure", fleet.run()["ray_address"], fleet.url]
        return subprocess.run(command, env=os.environ | ray_cluster.environment(data_dir), check=False).returncode
    finally:
        fleet.end()


if __name__ == "__main__":
    sys.exit(main())

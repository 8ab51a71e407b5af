"""The simulated venue alone, as the live one of a fleet in paper or live mode."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Venue:
    """`polyfleet sandbox` in a process of its own, at the speed of the wall."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.file = folder / "venue.json"
        command = [sys.executable, "-m", "supervisor", "sandbox", "--seed", "5"]
        with (folder / "venue.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=os.environ, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.said: dict[str, Any] = json.loads(line)
        self.file.write_text(line)

    @property
    def url(self) -> str:
        """Its root."""
        return str(self.said["clobUrl"]).removesuffix("/clob")

    def end(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()

"""Recorded objects of the real venue, which lie outside the project."""

import json
from pathlib import Path
from typing import Any

import pytest

RECORDED = Path(__file__).parents[5] / "shared" / "data" / "polymarket"


def read(name: str) -> str:
    """Return a recorded file's text; skips the test where the recordings are missing."""
    path = RECORDED / name
    if not path.is_file():
        pytest.skip(f"the recorded data is not at {RECORDED}")
    return path.read_text()


def recorded(name: str) -> Any:
    """Return a recorded JSON object."""
    return json.loads(read(name))

"""Requests made from the OpenAPI document, good and bad, find nothing that it does not say."""

import asyncio
import sys
from pathlib import Path

import pytest

from agents.events import Type
from tests.contract.api.served import Served

CONFIG = Path(__file__).with_name("schemathesis.toml")


async def found(fleet: Served, folder: Path, *options: str) -> str:
    """Run schemathesis with all its checks, and return what it says if it found something, else nothing."""
    await fleet.stand.supervisor.create({"id": "default", "strategy": "momentum"})
    await fleet.agent.log(Type.DECISION, Type.ORDER, Type.TRADE, Type.FORECAST)
    program = (sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG))
    asked = (
        "run",
        f"{fleet.url}/openapi.json",
        "--checks",
        "all",
        "--seed",
        "1",
        "--generation-database",
        "none",
        "--no-color",
    )
    process = await asyncio.create_subprocess_exec(
        *(*program, *asked, *options), cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    said = output.decode()
    assert "Tested: 57" in said, said
    return said if process.returncode else ""


async def test_without_a_token(fleet: Served, tmp_path: Path) -> None:
    if report := await found(fleet, tmp_path, "--phases", "fuzzing,stateful", "--max-examples", "3"):
        pytest.fail(report)


async def test_with_a_token(guarded: Served, tmp_path: Path) -> None:
    header = ("--header", "Authorization: Bearer s3cret")
    if report := await found(guarded, tmp_path, *header, "--phases", "fuzzing", "--max-examples", "2"):
        pytest.fail(report)

"""The example clients run as they are: each prints a trade, and one more after the hub was replaced."""

import asyncio
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from agents.events import Type
from tests.contract.api.served import Served
from tests.node_packages import FOLDER, node

EXAMPLES = Path(__file__).parents[3] / "examples" / "clients"

#: Seconds for what is certain to come: a client may wait some before it connects again.
SOON = 30.0

TRADE = "default buy 5 Yes @ 0.5 Will it rain?"


@cache
def own_websocket() -> list[str]:
    """Return the option with which this Node has a WebSocket of its own."""
    has = subprocess.run([node(), "--eval", "process.exit(typeof WebSocket === 'function' ? 0 : 1)"], check=False)
    return ["--experimental-websocket"] if has.returncode else []


def command(example: Path) -> list[str]:
    if example.suffix == ".py":
        return [sys.executable, str(example)]
    # As text, so that packages are looked for where the tests have them.
    return [node(), "--no-warnings", *own_websocket(), "--input-type=module", "--eval", example.read_text()]


@pytest.mark.parametrize("example", sorted({*EXAMPLES.glob("*.mjs"), *EXAMPLES.glob("*.py")}), ids=lambda path: path.name)
async def test_an_example_prints_trades_through_a_restart(fleet: Served, example: Path) -> None:
    start = await asyncio.to_thread(command, example)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POLYFLEET_")}
    process = await asyncio.create_subprocess_exec(
        *start, cwd=FOLDER, stdout=asyncio.subprocess.PIPE, env=environment | {"POLYFLEET_URL": fleet.url}
    )
    assert process.stdout is not None
    try:

        async def until(wanted: str) -> None:
            async with asyncio.timeout(SOON):
                while True:
                    line = (await process.stdout.readline()).decode()  # type: ignore[union-attr]
                    assert line, "the process has ended"
                    if line.startswith(wanted):
                        return

        await until("connected")
        await fleet.agent.log(Type.TRADE)
        await until(TRADE)
        await fleet.stop_hub()
        await fleet.start_hub()
        if example.stem == "socket_io":
            await until("connected")
        await fleet.agent.log(Type.TRADE)
        await until(TRADE)
    finally:
        process.kill()
        await process.wait()


def test_there_are_examples_of_every_kind() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == {
        *("README.md", "socket_io.mjs", "socket_io.py", "plain_websocket.mjs", "plain_websocket.py", "typed.py")
    }

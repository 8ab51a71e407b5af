"""`polyfleet score` against the real application."""

import asyncio
import json
import sys
from subprocess import PIPE

from agents.events import Type
from tests.contract.api.served import Served


async def polyfleet(*arguments: str) -> tuple[int | None, str, str]:
    """Run the command in a process of its own; return its exit code, what it printed and what it said of errors."""
    command = (sys.executable, "-m", "supervisor", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    printed, errors = await process.communicate()
    return process.returncode, printed.decode(), errors.decode()


async def forecast(fleet: Served) -> None:
    """Let the agent make two forecasts, of which one comes out."""
    await fleet.stand.supervisor.create({"id": "default", "strategy": "momentum", "enabled": False})
    await fleet.agent.log(Type.FORECAST)
    await fleet.agent.log(Type.FORECAST, conditionId="0xc2", tokenId="201", event="e2")
    await fleet.stand.supervisor.store(Type.RESOLUTION, {"conditionId": "0xc1", "payouts": {"101": "1", "102": "0"}})
    await fleet.context.settle(await fleet.ledger.head())


async def test_it_shows_what_came_out_and_what_has_not(fleet: Served) -> None:
    await forecast(fleet)
    code, shown, _ = await polyfleet("score", "--url", fleet.url)
    head, line, waiting = (" ".join(each.split()) for each in shown.splitlines())
    assert code == 0
    assert head.startswith("agent strategy model n events raw calibrated blended price skill")
    assert line.startswith("default llm openai:gpt-5-mini 1 1 0.0900 0.0625 0.1600 0.2500 +0.0900")
    assert line.endswith("no skill shown")
    assert waiting == "forecasts whose markets have not resolved yet: 1"
    _, shown, _ = await polyfleet("score", "--by", "category", "--url", fleet.url, "--json")
    [row] = json.loads(shown)["scores"]
    assert (row["category"], row["agentId"], row["n"]) == ("weather", None, 1)


async def test_a_group_that_there_is_not_is_refused_with_those_that_there_are(fleet: Served) -> None:
    code, _, error = await polyfleet("score", "--by", "colour", "--url", fleet.url)
    assert (code, error) == (2, "polyfleet: by: Input should be 'agent', 'strategy', 'model' or 'category'\n")

"""An agent whose strategy has a program: what it says is decided on, and its end is the agent's."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.child_process import ChildFailed
from agents.agent import Agent
from agents.events import Type
from tests.unit.actors.test_agent_service import World, service, stopped

STEP = Agent.step

DECISION = {"type": "decision", "market": "Will it?", "action": "buy", "confidence": 0.9, "suggestedAmount": 1.5, "price": 0.15}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    for name in ("SHORTEST", "_RETRY"):
        monkeypatch.setattr(f"actors.agent.{name}", 0.01)
    monkeypatch.setattr("actors.pace.SHORTEST", 0.001)
    return made


def params(path: Path, script: str, **changes: Any) -> dict[str, Any]:
    file = path / "program.py"
    file.write_text("import json, sys, time\n" + script)
    return {"command": [sys.executable, "-I", "-S", "-u", str(file)], "directory": str(path)} | changes


async def test_what_its_program_says_is_ordered(world: World, tmp_path: Path) -> None:
    agent = service(world, strategy="process", params=params(tmp_path, f"print({json.dumps(DECISION)!r}); time.sleep(60)"))
    await agent.begin()
    await world.until(lambda: bool(world.intents))
    await stopped(agent)
    [decision] = [intent.decision for intent in world.intents]
    assert (decision.token_id, decision.size) == ("11", 10_000_000)
    assert not psutil.Process().children()


async def test_the_end_of_its_program_is_its_own(world: World, tmp_path: Path) -> None:
    agent = service(world, strategy="process", params=params(tmp_path, "time.sleep(0.1)"))
    await agent.begin()
    await agent.run()


async def test_it_fails_as_its_program_does(world: World, tmp_path: Path) -> None:
    agent = service(world, strategy="process", params=params(tmp_path, "sys.exit('no market data')"))
    await agent.begin()
    with pytest.raises(ChildFailed, match="code 1; the last that it wrote on stderr: no market data"):
        await agent.run()


async def test_what_a_program_traded_by_itself_is_recorded_as_reported(world: World, tmp_path: Path) -> None:
    trade = {"type": "trade", "market": "Will it?", "action": "buy", "amount": 5}
    script = f"print({json.dumps(DECISION)!r}); print({json.dumps(trade)!r}); time.sleep(60)"
    agent = service(world, strategy="process", params=params(tmp_path, script, reportsTrades=True))
    await agent.begin()
    await world.until(lambda: len(world.events) == 2)
    await stopped(agent)
    assert [event.type for event in world.events] == [Type.DECISION, Type.TRADE]
    assert all(event.data["reported"] and event.data["id"] == event.id for event in world.events)
    assert not world.intents


async def test_a_changed_spec_is_told_to_a_new_program(world: World, tmp_path: Path) -> None:
    hold = "{'type': 'decision', 'market': 'Will it?', 'action': 'hold', 'reasoning': os.environ['MAX_TRADE_AMOUNT']}"
    script = f"import os; print(json.dumps({hold})); time.sleep(60)"
    fields = {"strategy": "process", "params": params(tmp_path, script)}
    agent = service(world, **fields)
    await agent.begin()
    await world.until(lambda: len(world.events) == 1)
    await agent.configure({"id": "a", "interval": 1, "maxTradeAmount": 7} | fields)
    assert len(psutil.Process().children()) == 1
    await stopped(agent)


def test_an_agents_process_holds_none_of_what_the_shared_actors_need() -> None:
    code = (
        "import sys, actors.agent, actors.system\n"
        "from agents.agent import Agent\n"
        "from agents.spec import AgentSpec\n"
        "Agent(AgentSpec(id='a', strategy='llm'))\n"
        "Agent(AgentSpec(id='a', strategy='process', params={'command': ['true']}))\n"
        "heavy = {'langchain', 'langchain_core', 'chromadb', 'openai', 'polymarket', 'sqlalchemy', 'telegram'}\n"
        "print(sorted(heavy & set(sys.modules)), 'actors.child_process' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"

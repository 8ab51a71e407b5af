"""The commands that talk to a fleet, each in a process of its own, against the real application."""

import asyncio
import csv
import io
import json
import os
import stat
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from agents.events import Type
from agents.facts import deposit_data
from agents.limits.state import Rule, Stop, stop_data
from agents.money import ONE
from agents.sell_out import Left, SellOut, sell_out_data
from tests.contract.api.served import Served
from tests.unit.supervisor.api.stand import AgentStand, asking

SPEC = {"id": "a", "strategy": "momentum", "enabled": False, "params": {"window": 5}, "budget": 50}


async def polyfleet(fleet: Served, *arguments: str, said: str = "", **environment: str) -> tuple[int | None, str, str]:
    """Run a command; return its exit code, what it printed and what it said of errors. `said` is its input."""
    command = (sys.executable, "-m", "supervisor", *arguments)
    own = {name: value for name, value in os.environ.items() if name not in ("VISUAL", "EDITOR")}
    settings = own | {"POLYFLEET_URL": fleet.url} | environment
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=settings)
    printed, errors = await process.communicate(said.encode())
    return process.returncode, printed.decode(), errors.decode()


def editor(folder: Path, script: str) -> str:
    """Return an editor that does what a script says, with the file as $1."""
    program = folder / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


async def test_an_agent_is_created_changed_cloned_and_deleted(fleet: Served, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("id: a\nstrategy: momentum\nenabled: false\nparams: {window: 5}\n")
    assert await polyfleet(fleet, "agents", "create", str(file)) == (0, "a was created; it is stopped\n", "")
    changed = ("agents", "edit", "a", "--set", "params.window=7", "--set", "maxTradeAmount=20", "--json")
    code, printed, _ = await polyfleet(fleet, *changed)
    spec = json.loads(printed)["spec"]
    assert (code, spec["params"]["window"], spec["maxTradeAmount"]) == (0, 7, 20)
    assert (await polyfleet(fleet, "agents", "clone", "a", "b", "--set", "budget=9"))[0] == 0
    code, printed, _ = await polyfleet(fleet, "agents", "--json")
    assert [(agent["id"], agent["spec"]["budget"]) for agent in json.loads(printed)["agents"]] == [("a", 1000), ("b", 9)]
    _, printed, _ = await polyfleet(fleet, "agents")
    assert [line.split()[0] for line in printed.splitlines()] == ["agent", "a", "b"]
    code, _, error = await polyfleet(fleet, "agents", "delete", "b", said="n\n")
    assert (code, error) == (1, "Delete b (momentum, stopped)? [y/N]: polyfleet: nothing was done\n")
    assert (await polyfleet(fleet, "agents", "delete", "b", said="y\n"))[:2] == (0, "b was deleted\n")
    assert (await polyfleet(fleet, "agents", "delete", "a", "--yes"))[:2] == (0, "a was deleted\n")


async def test_what_is_wrong_is_said_in_one_sentence(fleet: Served) -> None:
    for arguments, said, code, sentence in (
        (("agents", "create", "-"), "id: a\n  strategy: x", 2, "the input, line 2: not valid YAML"),
        (("agents", "create", "-"), "[]", 2, "the input must be fields of an agent"),
        (("agents", "create", "-"), json.dumps(SPEC | {"strategy": "astrology"}), 2, "strategy: there is no 'astrology'"),
        (("agents", "create", "nowhere.yaml"), "", 2, "file nowhere.yaml cannot be read: No such file or directory"),
        (("agents", "clone", "nobody", "b"), "", 1, "There is no agent 'nobody'"),
        (("agents", "--json", "delete", "a"), "", 2, "give --json after delete"),
        (("kill-switch", "maybe"), "", 2, "Invalid value for 'switch'"),
        (("kill-switch",), "", 2, "Missing argument 'switch'"),
    ):
        found, printed, error = await polyfleet(fleet, *arguments, said=said)
        assert (found, printed) == (code, ""), (arguments, error)
        assert error.startswith(f"polyfleet: {sentence}")
        assert error.count("\n") == 1


async def test_a_spec_is_edited_until_the_fleet_takes_it(fleet: Served, tmp_path: Path) -> None:
    await fleet.stand.supervisor.create(SPEC)
    await fleet.context.settle(await fleet.ledger.head())
    # The first time a wrong value, the second time, in the same text, a right one.
    script = 'if grep -q "budget: 50" "$1"; then sed -i "s/budget: .*/budget: much/" "$1"; else sed -i s/much/60/ "$1"; fi'
    code, printed, error = await polyfleet(fleet, "agents", "edit", "a", "--json", said="y\n", EDITOR=editor(tmp_path, script))
    assert (code, json.loads(printed)["spec"]["budget"]) == (0, 60)
    assert error.startswith("polyfleet: budget: ")
    code, printed, error = await polyfleet(fleet, "agents", "edit", "a", EDITOR="true")
    assert (code, printed, error) == (0, "", "polyfleet: nothing was changed\n")
    code, _, error = await polyfleet(fleet, "agents", "edit", "a", EDITOR="/nowhere/editor")
    assert (code, "cannot be run" in error) == (2, True)
    assert (await polyfleet(fleet, "agents", "edit", "a", EDITOR="false"))[0] == 1


async def test_the_portfolio_shows_books_and_positions(fleet: Served) -> None:
    await fleet.stand.supervisor.create(SPEC | {"id": "default"})
    await fleet.context.settle((await fleet.agent.log(Type.TRADE))[-1])
    code, printed, _ = await polyfleet(fleet, "portfolio", "--positions")
    words = [line.split() for line in printed.splitlines()]
    assert code == 0
    assert words[0] == ["wallet", "agent", "cash", "value", "equity", "realised", "unrealised", "fees", "drawdown", "positions"]
    assert ["main", "default", "47.49", "2.40", "49.89", "-0.01", "-0.10", "0.01", "-", "1"] in words
    assert any(line[:3] == ["default", "5", "Yes"] for line in words)
    _, printed, _ = await polyfleet(fleet, "portfolio", "--json")
    assert json.loads(printed)["total"]["fees"] == "0.01"
    code, printed, _ = await polyfleet(fleet, "portfolio", "--csv")
    held = list(csv.DictReader(io.StringIO(printed)))[-1]
    assert (code, held["agent"], held["size"], held["cost"], held["value"]) == (0, "default", "5", "2.5", "2.4")
    code, printed, _ = await polyfleet(fleet, "portfolio", "--trades")
    [bought] = csv.DictReader(io.StringIO(printed))
    assert (code, bought["kind"], bought["amount"], bought["fee"]) == (0, "buy", "2.5", "0.01")


async def test_risk_shows_what_is_used_up_and_ends_a_stop(fleet: Served) -> None:
    store, agent_id = fleet.stand.supervisor.store, "a"
    await store(Type.INFO, deposit_data(wallet="main", address="0xw", cash=1000 * ONE, reason="found"))
    await fleet.stand.supervisor.create(SPEC)
    await AgentStand(fleet.stand.ledger, agent_id).log(Type.TRADE)
    stop = Stop(Rule.DRAWDOWN, "25", "26", "maxDrawdown: agent:a fell", 1)
    await store(Type.RISK, stop_data("agent:a", stop, 0), agent_id)
    fleet.stand.supervisor.stopped["agent:a"] = [Rule.DRAWDOWN]
    code, printed, _ = await polyfleet(fleet, "risk")
    assert code == 0
    assert ["agent:a", "maxExposure", "2.50", "50.00"] in [line.split() for line in printed.splitlines()]
    assert printed.splitlines()[-1] == stop.message
    code, printed, _ = await polyfleet(fleet, "risk", "--resume", "agent:a")
    assert (code, printed) == (0, "agent:a may buy again; its losses are measured from now on\n")
    code, _, error = await polyfleet(fleet, "risk", "--resume", "agent:a")
    assert (code, error) == (1, "polyfleet: scope: no loss has stopped agent:a\n")
    assert json.loads((await polyfleet(fleet, "risk", "--json"))[1])["scopes"][-1]["stops"] == []


async def test_the_kill_switch_goes_on_and_off(fleet: Served) -> None:
    code, printed, _ = await polyfleet(fleet, "kill-switch", "on", "a test", "--json")
    assert (code, json.loads(printed)["halted"]) == (0, "a test")
    assert await polyfleet(fleet, "kill-switch", "off") == (0, "trading is allowed again\n", "")
    assert fleet.context.state.halted is None


async def test_a_difference_from_the_venue_is_shown_and_booked(fleet: Served) -> None:
    await fleet.stand.supervisor.create(SPEC | {"id": "default"})
    await fleet.context.settle(await fleet.ledger.head())
    broker = fleet.stand.brokers["main"]
    code, _, error = await polyfleet(fleet, "adjust", "main", "--reason", "a test")
    assert (code, error) == (1, "polyfleet: the books of wallet main agree with the venue; there is nothing to adjust\n")
    broker.differences += [
        {"tokenId": "101", "venue": "5", "ledger": "4"},
        {"asset": "cash", "venue": "9.5", "ledger": "10"},
    ]
    broker.blocked = "wallet main places no orders"
    code, printed, _ = await polyfleet(fleet, "doctor")
    assert (code, "wallet main places no orders" in printed) == (1, True)
    code, printed, error = await polyfleet(fleet, "adjust", "main", "--reason", "a test", said="n\n")
    assert (code, error) == (1, "Book this to nobody? [y/N]: polyfleet: nothing was done\n")
    assert [line.split() for line in printed.splitlines()] == [["-0.5", "pUSD"], ["1", "shares", "of", "token", "101"]]
    assert broker.adjusted == []
    code, printed, _ = await polyfleet(fleet, "adjust", "main", "--reason", "a test", "--agent", "default", "--yes")
    assert (code, printed.splitlines()[-1]) == (0, "the books of wallet main agree with the venue")
    assert broker.adjusted == [(-500_000, {"101": 1_000_000}, "a test", "default")]
    assert (await polyfleet(fleet, "adjust", "other", "--reason", "x"))[0] == 1


async def test_the_kill_switch_sells_out_if_it_is_told_to(fleet: Served) -> None:
    code, printed, _ = await polyfleet(fleet, "kill-switch", "flatten", "a drill")
    assert (code, printed.splitlines()[0]) == (0, "all trading is stopped and all orders are cancelled")
    assert printed.splitlines()[1].startswith("what agents hold is being sold")
    state = fleet.context.state
    assert (state.halted, state.flattening > 0) == ("a drill", True)
    left = (Left("a", "101", 5 * ONE, "Will it rain?", "Yes", "nobody bids for them"),)
    event = sell_out_data("main", state.flattening, SellOut({}, left))
    await fleet.context.settle(await fleet.stand.supervisor.store(Type.RISK, event))
    _, printed, _ = await polyfleet(fleet, "status")
    assert "halted     a drill\nwallet main still holds 5 Yes Will it rain? (a): nobody bids for them\n" in printed
    await polyfleet(fleet, "kill-switch", "off")


async def test_what_waits_is_shown_approved_and_rejected(fleet: Served) -> None:
    assert await polyfleet(fleet, "approvals") == (0, "nothing waits to be approved\n", "")
    for key in ("first", "second"):
        await fleet.context.settle(await fleet.stand.supervisor.store(Type.ORDER, asking("a", key), "a"))
    _, printed, _ = await polyfleet(fleet, "approvals")
    assert "first  a, for " in printed
    assert "  buy 20 Yes @ 0.5 = 10 pUSD  Will it rain on day 1?\n  85% sure: clouds gather\n" in printed
    done = await polyfleet(fleet, "approve", "first")
    assert done == (0, "first is approved\n  order order-first is live\n", "")
    code, printed, _ = await polyfleet(fleet, "reject", "second", "--json")
    assert (code, json.loads(printed)["orders"][0]["status"]) == (0, "rejected")
    code, _, errors = await polyfleet(fleet, "approve", "first")
    assert (code, errors) == (1, "polyfleet: Nothing waits under 'first'; GET /api/approvals lists what does\n")


@pytest.mark.parametrize("options", [[], ["--json"]])
async def test_a_closed_pipe_ends_it_quietly(fleet: Served, options: list[str]) -> None:
    await fleet.agent.log(*[Type.INFO] * 3000)
    command = [sys.executable, "-m", "supervisor", "events", "--after", "0", "--url", fleet.url, *options]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    await process.stdout.readline()
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
    async with asyncio.timeout(60):
        assert (await process.stderr.read(), await process.wait()) == (b"", 0)

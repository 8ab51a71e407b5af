"""What supervision promises, on a small fleet whose agents go wrong on command.

What the fleet of twenty shows is in `test_fleet`, what needs no Ray in the unit and contract tests.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest
import yaml
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.integration.fleet import Fleet
from tests.processes import gone

pytestmark = pytest.mark.timeout(600)

QUICK = {"initialDelay": 0.25, "maxDelay": 0.5, "maxRestarts": 1000}
#: Four of the ten agents: more than the three tenths that trip the breaker.
SQUAD = ["squad-0", "squad-1", "squad-2", "squad-3"]

DISTRIBUTION = {
    "METADATA": "Metadata-Version: 2.1\nName: saboteur\nVersion: 1.0\n",
    "entry_points.txt": "[polyfleet.strategies]\nsaboteur = tests.integration.saboteur:Saboteur\n",
}


class Stage(Fleet):
    """A fleet of ten, eight of which are saboteurs, in a folder with their orders and its fleet file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        installed = folder / "site" / "saboteur-1.0.dist-info"
        installed.mkdir(parents=True)
        for name, text in DISTRIBUTION.items():
            (installed / name).write_text(text)
        makers = [
            {"id": f"maker-{n}", "strategy": "market_maker", "params": {"lane": n, "lanes": 2, "size": 20}} for n in range(2)
        ]
        saboteurs: dict[str, dict[str, Any]] = {
            **{id: {"restart": {"progressDeadline": 8}} for id in SQUAD},
            "trader": {},
            "sleeper": {"restart": {"heartbeatDeadline": 4}},
            "moody": {"restart": {"maxRestarts": 3}, "enabled": False},
            # Its backoff is as good as endless: it ends when an operator says so.
            "fragile": {"restart": {"maxRestarts": 2, "initialDelay": 3600, "maxDelay": 3600}},
        }
        named = [
            {"id": id, "strategy": "saboteur", "params": {"orders": str(folder / id)}} | fields
            for id, fields in saboteurs.items()
        ]
        self.fleet_file = folder / "fleet.yaml"
        self.fleet_file.write_text(yaml.safe_dump({"defaults": {"restart": QUICK}, "agents": makers + named}))
        path = os.pathsep.join([str(Path(__file__).parents[2]), str(folder / "site"), os.environ.get("PYTHONPATH", "")])
        super().__init__(folder / "data", "--fleet", str(self.fleet_file), "--seed", "7", PYTHONPATH=path.strip(os.pathsep))

    def tell(self, word: str, *agents: str) -> None:
        """Tell saboteurs what to do from now on; "" is nothing."""
        for agent in agents:
            (self.folder / f"{agent}.new").write_text(word)
            (self.folder / f"{agent}.new").replace(self.folder / agent)

    @property
    def head(self) -> int:
        """The seq of the newest event."""
        seq: int = self.get("/ready")["head"]
        return seq

    def state(self, agent: str) -> str:
        """Return an agent's state."""
        found: str = self.get(f"/api/agents/{agent}")["state"]
        return found

    def changes(self, after: int, *agents: str) -> list[dict[str, Any]]:
        """Return what the log says after a seq of these agents' states (none: of all), with the event's time."""
        events = [event for event in self.events(after) if event["type"] == "agent"]
        return [e["data"] | {"at": e["timestamp"], "id": e["agentId"]} for e in events if e["agentId"] in (agents or SQUAD)]

    def risks(self, after: int) -> list[dict[str, Any]]:
        """Return what the log says after a seq of risks."""
        return [event["data"] for event in self.events(after) if event["type"] == "risk"]

    def kill(self, *agents: str) -> float:
        """Kill agents at one instant, and return it in wall milliseconds."""
        known = self.agents()
        at = time.time() * 1000
        for agent in agents:
            os.kill(known[agent]["pid"], signal.SIGKILL)
        return at

    def replace_supervisor(self) -> None:
        """Kill the supervisor and wait until its next life is at work."""
        os.kill(self.pid_of_actor("supervisor"), signal.SIGKILL)
        # It answers once it has taken charge of all there is.
        self.until(lambda: self.api.post("/api/fleet/reload").is_success, 60)

    def until_all_run(self) -> None:
        """Wait until every agent runs that should."""
        self.until(lambda: all(a["state"] == "running" for a in self.agents().values() if a["id"] not in RESTING), 60)


#: The program of the process that agents are copies of.
SERVER = "actors.forkserver.server"

#: What is not started by itself in this fleet, or stays as the test of it left it.
RESTING = ("moody", "fragile")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"))
    try:
        stage.up()
        stage.until_all_run()
        yield stage
        assert stage.down() == 0, stage.output
    finally:
        stage.end()


def test_an_agent_killed_while_its_order_is_under_way_comes_back_and_no_decision_is_ordered_twice(stage: Stage) -> None:
    seq, life = stage.head, stage.agents()["trader"]["incarnation"]
    broker = stage.pid_of("broker:main")

    def of_trader(kind: str) -> list[dict[str, Any]]:
        return [event for event in stage.events(seq) if event["type"] == kind and event["agentId"] == "trader"]

    stage.tell("ponder", "trader")
    stage.until((stage.folder / "trader.pondering").exists)
    os.kill(broker, signal.SIGSTOP)
    try:
        (decision,) = stage.until(lambda: of_trader("decision"))
        assert decision["data"]["action"] == "buy", decision
        stage.kill("trader")
        stage.tell("buy", "trader")
        stage.until(lambda: stage.changes(seq, "trader"))
    finally:
        os.kill(broker, signal.SIGCONT)
    after = f"agent:trader/{life + 1}/"
    stage.until(lambda: any(e["data"]["decisionId"].startswith(after) for e in of_trader("order")), 60)
    stage.tell("", "trader")
    stage.until(lambda: stage.get("/api/ledger/check")["ok"])
    orders = defaultdict(set)
    for event in of_trader("order"):
        orders[event["data"]["decisionId"]].add(event["data"]["orderId"])
    assert {len(ids) for ids in orders.values()} == {1}
    decided = {event["id"] for event in of_trader("decision")}
    assert decision["id"] in decided
    assert orders.keys() <= decided
    assert stage.state("trader") == "running"


def test_a_constructor_that_raises_is_tried_exactly_as_often_as_the_policy_says(stage: Stage) -> None:
    seq = stage.head
    stage.tell("refuse", "moody")
    stage.post("/api/agents/moody/start")
    stage.until(lambda: stage.state("moody") == "quarantined", 60)
    changes = stage.changes(seq, "moody")
    assert Counter(change["state"] for change in changes) == {"pending": 4, "starting": 4, "backing_off": 3, "quarantined": 1}
    assert [change["restarts"] for change in changes if change["state"] == "backing_off"] == [1, 2, 3]
    last = changes[-1]
    assert last["reason"].startswith("more than 3 restarts in 300 s; the last: startup: ")
    assert last["reason"].endswith("Damaged: the model file is damaged in line 7")
    assert 'raise Damaged("the model file", 7)' in last["lastError"]
    assert (last["pid"], last["incarnation"]) == (None, 4)
    stage.tell("", "moody")
    assert stage.state("moody") == "quarantined"
    stage.post("/api/agents/moody/resume")
    stage.until(lambda: stage.state("moody") == "running")
    assert stage.post("/api/agents/moody/stop")["state"] == "stopped"


def test_one_that_sleeps_in_its_strategy_is_noticed_and_the_event_has_the_line(stage: Stage) -> None:
    seq = stage.head
    stage.tell("sleep", "sleeper")
    (hung,) = stage.until(lambda: [c for c in stage.changes(seq, "sleeper") if c["state"] == "backing_off"])
    assert hung["reason"].startswith("hung: no heartbeat for ")
    assert "time.sleep(3600)  # it hangs here" in hung["lastError"]
    assert "saboteur.py" in hung["lastError"]
    stage.tell("", "sleeper")
    stage.until(lambda: stage.state("sleeper") == "running")


async def test_of_ten_thousand_events_a_consumer_misses_none_and_gets_none_twice_while_the_ledger_is_killed(
    stage: Stage,
) -> None:
    chance = random.Random(3)
    after = first = stage.head
    got: list[dict[str, Any]] = []
    pids: set[int] = set()

    async def kill_the_ledger() -> None:
        while len(got) < 7_000:
            await asyncio.sleep(chance.uniform(0.5, 3.0))
            pid = await asyncio.to_thread(stage.pid_of, "ledger")
            if pid not in pids:
                os.kill(pid, signal.SIGKILL)
                pids.add(pid)

    stage.tell("talk", *SQUAD)
    killing = asyncio.create_task(kill_the_ledger())
    async with asyncio.timeout(100):
        while len(got) < 10_000:
            try:
                async with connect(stage.url.replace("http", "ws") + "/ws/", max_size=None) as socket:
                    await socket.send(json.dumps({"op": "subscribe", "after": after}))
                    while len(got) < 10_000:
                        message = json.loads(await socket.recv())
                        assert message["op"] != "gap"
                        if message["op"] == "event":
                            got.append(message["event"])
                            after = message["event"]["seq"]
            except ConnectionClosed:
                continue
        await killing
    stage.tell("", *SQUAD)
    assert len(pids) >= 2
    assert [event["seq"] for event in got] == list(range(first + 1, first + 1 + len(got)))
    assert max(Counter(event["id"] for event in got).values()) == 1
    numbers = defaultdict(list)
    for event in got:
        if event["type"] == "decision" and event["agentId"] in SQUAD:
            source, _, number = event["id"].rpartition("/")
            numbers[source].append(int(number))
    assert numbers.keys() == {f"agent:{id}/{agent['incarnation']}" for id, agent in stage.agents().items() if id in SQUAD}
    assert all(found == list(range(found[0], found[0] + len(found))) for found in numbers.values())
    stage.until(lambda: stage.api.get("/ready").status_code == 200, 60)


@pytest.fixture(scope="module")
def former(stage: Stage) -> dict[str, Any]:
    """The agents as they were when the supervisor was killed: one is backing off, one was stopped by an operator."""
    stage.post("/api/agents/maker-1/stop")
    stage.kill("fragile")
    stage.until(lambda: stage.state("fragile") == "backing_off")
    seq, agents = stage.head, stage.agents()
    stage.replace_supervisor()
    return {"seq": seq, "agents": agents}


def test_a_new_supervisor_adopts_who_runs_and_leaves_who_was_stopped(stage: Stage, former: dict[str, Any]) -> None:
    time.sleep(1)
    agents = stage.agents()
    assert agents["maker-1"]["state"] == "stopped"
    assert {id: (a["state"], a["incarnation"], a["pid"]) for id, a in agents.items()} == {
        id: (a["state"], a["incarnation"], a["pid"]) for id, a in former["agents"].items()
    }
    assert stage.changes(former["seq"], *agents) == []
    stage.post("/api/agents/maker-1/start")
    stage.until(lambda: stage.state("maker-1") == "running")


def test_a_supervisor_killed_while_an_agent_backs_off_gives_it_no_new_budget(stage: Stage, former: dict[str, Any]) -> None:
    seq = former["seq"]
    assert (stage.state("fragile"), stage.agents()["fragile"]["restarts"]) == ("backing_off", 1)
    for state in ("backing_off", "quarantined"):
        stage.post("/api/agents/fragile/restart")
        stage.until(lambda: stage.state("fragile") == "running")
        stage.kill("fragile")
        stage.until(lambda: stage.state("fragile") not in ("running", "pending"))
        assert stage.state("fragile") == state
    last = stage.changes(seq, "fragile")[-1]
    assert last["reason"].startswith("more than 2 restarts in 300 s; the last: crash: ")
    assert last["restarts"] == 2


def test_agents_that_fail_together_of_one_cause_of_their_own_halt_the_fleet_with_one_alert(stage: Stage) -> None:
    seq = stage.head
    stage.tell("raise", *SQUAD)
    halted = stage.until(lambda: stage.get("/api/fleet")["halted"])
    assert halted.startswith("breaker: 4 of 10 agents failed alike within 60 s: exception: ValueError: round … of …")
    stage.kill("sleeper")
    waiting = (*SQUAD, "sleeper")
    stage.until(lambda: all(stage.state(id) == "pending" for id in waiting))
    calm = stage.head
    stage.replace_supervisor()
    time.sleep(1)
    assert {stage.state(id) for id in waiting} == {"pending"}
    assert stage.changes(calm, *stage.agents()) == []
    assert stage.get("/api/fleet")["halted"] == halted
    orders = [event["data"]["status"] for event in stage.events(calm) if event["type"] == "order"]
    assert not {"intended", "signed", "live", "matched"} & set(orders)
    stage.tell("", *SQUAD)
    assert stage.api.delete("/api/fleet/kill-switch").status_code == 200
    stage.until_all_run()
    risks = stage.risks(seq)
    assert [(risk["kind"], risk["on"], risk["by"]) for risk in risks] == [
        ("kill_switch", True, "breaker"),
        ("kill_switch", False, "operator"),
    ]
    trades = stage.get("/api/fleet")["totalTrades"]
    stage.until(lambda: stage.get("/api/fleet")["totalTrades"] > trades, 60)


def test_agents_that_are_killed_together_are_started_again_under_one_grouped_alert(stage: Stage) -> None:
    seq = stage.head
    at = stage.kill(*SQUAD)
    (deaths,) = stage.until(lambda: stage.risks(seq))
    assert (deaths["kind"], deaths["agents"]) == ("deaths", SQUAD)
    assert deaths["message"].startswith("4 agents failed together and are started again, a few at a time; the first: crash: ")
    stage.until_all_run()
    assert stage.get("/api/fleet")["halted"] is None
    assert stage.risks(seq) == [deaths]
    noticed = [change["at"] - at for change in stage.changes(seq) if change["state"] == "backing_off"]
    assert len(noticed) == 4
    assert median(noticed) < 500


def test_agents_are_copies_of_one_process_whose_death_ends_none_of_them_and_hinders_none(stage: Stage) -> None:
    before = {id: agent for id, agent in stage.agents().items() if agent["state"] == "running"}
    [server] = {psutil.Process(agent["pid"]).ppid() for agent in before.values()}
    assert SERVER in psutil.Process(server).cmdline()
    os.kill(server, signal.SIGKILL)
    stage.until(lambda: gone(server))
    stage.kill("sleeper")
    stage.until(lambda: stage.agents()["sleeper"]["incarnation"] > before["sleeper"]["incarnation"])
    stage.until_all_run()
    after = stage.agents()
    assert {id for id, agent in before.items() if after[id]["pid"] != agent["pid"]} == {"sleeper"}
    successor = psutil.Process(psutil.Process(after["sleeper"]["pid"]).ppid())
    assert successor.pid != server
    assert SERVER in successor.cmdline()


def test_a_broken_fleet_file_on_reload_changes_nothing_and_says_why(stage: Stage) -> None:
    good = stage.fleet_file.read_text()
    seq, before = stage.head, {id: agent["spec"] for id, agent in stage.agents().items()}
    content = yaml.safe_load(good)
    content["agents"][0]["budget"] = 77
    content["agents"].append({"id": "newcomer", "strategy": "momentum"})
    content["agents"].append({"id": "mistake", "strategy": "momentum", "params": {"windw": 3}})
    broken = {
        good.replace("agents:", "agents: [", 1): "not valid YAML",
        yaml.safe_dump(content): "agent 12 (mistake): params.windw: there is no such field",
    }
    try:
        for text, sentence in broken.items():
            stage.fleet_file.write_text(text)
            answer = stage.api.post("/api/fleet/reload")
            assert 400 <= answer.status_code < 500
            assert str(stage.fleet_file) in answer.json()["error"]
            assert sentence in answer.json()["error"]
    finally:
        stage.fleet_file.write_text(good)
    assert {id: agent["spec"] for id, agent in stage.agents().items()} == before
    assert stage.changes(seq, *before, "newcomer", "mistake") == []
    assert stage.post("/api/fleet/reload") == {"success": True, "created": [], "changed": []}


def test_a_locked_log_is_waited_for_and_no_agent_is_blamed(stage: Stage) -> None:
    if Fleet.postgres is not None:
        pytest.skip("the lock is SQLite's; an outage of PostgreSQL is tested with the ledger")
    before = {id: agent["incarnation"] for id, agent in stage.agents().items()}
    stage.tell("talk", *SQUAD)
    stage.until(lambda: stage.agents()["squad-0"]["totalDecisions"])
    seq = stage.head
    locked = sqlite3.connect(stage.data_dir / "ledger.db", isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    time.sleep(14)
    locked.execute("ROLLBACK")
    locked.close()
    stage.until(lambda: stage.head > seq + 100, 60)
    stage.tell("", *SQUAD)
    time.sleep(3)
    assert {id: agent["incarnation"] for id, agent in stage.agents().items()} == before
    assert stage.changes(seq, *before) == []
    assert stage.get("/api/fleet")["halted"] is None

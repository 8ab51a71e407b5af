"""What a user sees of a running fleet: it trades, it can be controlled, and it comes back from every kill."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from playwright.sync_api import expect, sync_playwright
from websockets.asyncio.client import connect

from tests.chromium import chromium
from tests.integration.fleet import Fleet, polyfleet
from tests.node_packages import FOLDER, node

#: The start of the fleet, on a slow machine, counts to the first test.
pytestmark = pytest.mark.timeout(600)

SERVICES = ["broker:main", "ledger", "market_feed", "sandbox"]


def check(fleet: Fleet) -> dict[str, Any]:
    """Return the check of the books, which must be fine."""
    found: dict[str, Any] = fleet.get("/api/ledger/check")
    assert found["ok"], json.dumps(found["wallets"])[:3000]
    return found


def lives(fleet: Fleet) -> dict[str, int]:
    return {name: agent["incarnation"] for name, agent in fleet.agents().items()}


def changes(fleet: Fleet, after: int) -> list[dict[str, Any]]:
    """Return the events of agents' states after a seq."""
    return [event for event in fleet.events(after) if event["type"] == "agent"]


def test_twenty_agents_run_and_one_is_the_default(fleet: Fleet) -> None:
    agents = fleet.agents()
    assert len(agents) == 20
    assert "default" in agents
    assert {agent["state"] for agent in agents.values()} == {"running"}
    pids = [agent["pid"] for agent in agents.values()]
    assert len(set(pids)) == 20
    assert all(psutil.pid_exists(pid) for pid in pids)


def test_it_trades_within_a_minute_of_being_ready(fleet: Fleet) -> None:
    assert fleet.until(lambda: fleet.get("/api/fleet")["totalTrades"] > 0, 60)


def test_orders_are_signed_matched_and_confirmed_and_the_books_equal_the_venues(fleet: Fleet) -> None:
    fleet.until(lambda: "confirmed" in {order["data"]["status"] for order in fleet.events() if order["type"] == "order"}, 60)
    wallet = check(fleet)["wallets"][0]
    assert wallet["venueCash"] == wallet["ledgerCash"]
    assert all(line["venue"] == line["ledger"] for line in wallet["positions"])


def test_markets_resolve_and_positions_are_redeemed(fleet: Fleet) -> None:
    def redeemed() -> list[dict[str, Any]]:
        return [event for event in fleet.events() if event["type"] == "resolution" and "redeemed" in event["data"]]

    fleet.until(redeemed, 240)
    check(fleet)


def test_the_log_has_no_gap_and_no_id_twice(fleet: Fleet) -> None:
    events = fleet.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert max(Counter(event["id"] for event in events).values()) == 1
    trades = Counter((event["data"]["tradeId"], event["data"]["orderId"]) for event in events if event["type"] == "trade")
    assert max(trades.values()) == 1


def test_control_is_read_your_writes_on_every_replica(fleet: Fleet) -> None:
    for action, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped"), ("start", None)):
        answer = fleet.post(f"/api/agents/maker-wide/{action}")
        if state:
            assert answer["state"] == state
        for _ in range(10):
            with httpx.Client(base_url=fleet.url) as fresh:
                shown = fresh.get("/api/agents/maker-wide").json()
            assert shown["state"] == answer["state"] or action == "start"
    fleet.until(lambda: fleet.agents()["maker-wide"]["state"] == "running")


def test_metrics_tell_what_waits_in_every_queue(fleet: Fleet) -> None:
    def queues() -> set[str]:
        lines = fleet.api.get("/metrics").text.splitlines()
        return {line.split(" ")[0] for line in lines if line.startswith("polyfleet_queue_depth{")}

    followers = {("log", name) for name in ("supervisor", "broker:main", "forecaster", "librarian", "rest", "hub", "dashboard")}
    expected = followers | {("commits", "ledger"), ("orders", "broker:main"), ("updates", "broker:main")}
    names = {f'polyfleet_queue_depth{{queue="{queue}",service="{name}"}}' for queue, name in expected}
    # Forecaster and librarian follow the log once they have loaded what they need.
    fleet.until(lambda: queues() == names, 60)


def test_stop_cancels_the_orders_of_an_agent(fleet: Fleet) -> None:
    open_states = {"live", "partially_filled"}

    def resting() -> list[dict[str, Any]]:
        orders = fleet.get("/api/agents/maker-tight/orders", limit=1000)["orders"]
        return [order for order in orders if order["status"] in open_states]

    fleet.until(resting, 60)
    assert fleet.post("/api/agents/maker-tight/stop")["state"] == "stopped"
    fleet.until(lambda: not resting(), 10)
    fleet.post("/api/agents/maker-tight/start")
    fleet.until(lambda: fleet.agents()["maker-tight"]["state"] == "running")


def test_an_agent_is_created_changed_while_it_runs_and_deleted(fleet: Fleet) -> None:
    spec = {"id": "newcomer", "strategy": "momentum", "budget": 500}
    assert fleet.api.post("/api/agents", json=spec).status_code == 201
    assert fleet.api.post("/api/agents", json=spec).status_code == 409
    running = fleet.until(lambda: (agent := fleet.agents()["newcomer"])["state"] == "running" and agent)
    changed = fleet.api.patch("/api/agents/newcomer", json={"maxTradeAmount": 3, "budget": 400}).json()
    assert (changed["spec"]["maxTradeAmount"], changed["spec"]["budget"]) == (3, 400)
    assert changed["incarnation"] == running["incarnation"]
    refused = fleet.api.patch("/api/agents/newcomer", json={"params": {"windw": 3}})
    assert refused.status_code in (400, 422)
    assert "windw" in refused.json()["error"]
    assert fleet.api.delete("/api/agents/newcomer").status_code == 200
    assert "newcomer" not in fleet.agents()
    assert not psutil.pid_exists(running["pid"])
    check(fleet)


def test_a_killed_agent_comes_back_as_its_next_life_and_nobody_else_is_touched(fleet: Fleet) -> None:
    before = lives(fleet)
    os.kill(fleet.agents()["maker-flat"]["pid"], signal.SIGKILL)
    fleet.until(lambda: lives(fleet)["maker-flat"] == before["maker-flat"] + 1)
    fleet.until(lambda: fleet.agents()["maker-flat"]["state"] == "running")
    after = lives(fleet)
    assert {name for name in before if after[name] != before[name]} == {"maker-flat"}
    assert fleet.agents()["maker-flat"]["restarts"] == 1


def test_an_operator_kills_an_agent_from_the_dashboard_and_sees_it_come_back(fleet: Fleet) -> None:
    answer = httpx.get(f"{fleet.url}/", follow_redirects=True, timeout=30)
    assert (answer.status_code, answer.url.path) == (200, "/dashboard/")
    before = lives(fleet)["default"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{fleet.url}/dashboard/")
        row = page.locator('tr[data-key="default"]')
        row.get_by_role("button", name="kill the process of default").click(timeout=60_000)
        expect(row.locator('td[data-label="Life"]')).to_contain_text(f"{before + 1}", timeout=60_000)
        expect(row.locator(".pf-badge")).to_have_text("running", timeout=60_000)
        browser.close()
    assert lives(fleet)["default"] == before + 1


def test_a_frozen_agent_is_noticed_and_replaced(fleet: Fleet) -> None:
    agent, seq = fleet.agents()["momentum-long"], fleet.get("/api/fleet")["seq"]
    frozen = time.time() * 1000
    os.kill(agent["pid"], signal.SIGSTOP)
    fleet.until(lambda: lives(fleet)["momentum-long"] == agent["incarnation"] + 1, 40)
    assert "no heartbeat" in fleet.agents()["momentum-long"]["lastError"]
    fleet.until(lambda: fleet.agents()["momentum-long"]["state"] == "running")
    noticed = next(event for event in changes(fleet, seq) if event["data"]["state"] == "backing_off")["timestamp"]
    # Its last heartbeat was up to two seconds before, and its deadline is ten seconds after that.
    assert 8_000 <= noticed - frozen <= 13_000


def test_twenty_agents_killed_at_one_instant_start_a_few_at_a_time_and_the_api_answers_meanwhile(fleet: Fleet) -> None:
    before, seq = fleet.agents(), fleet.get("/api/fleet")["seq"]
    for agent in before.values():
        os.kill(agent["pid"], signal.SIGKILL)
    waits = []

    def all_back() -> bool:
        began = time.monotonic()
        agents = fleet.agents()
        waits.append(time.monotonic() - began)
        return all(a["state"] == "running" and a["incarnation"] > before[id]["incarnation"] for id, a in agents.items())

    fleet.until(all_back, 90)
    assert len(waits) > 10
    assert max(waits) < 5
    starting: set[str] = set()
    for event in changes(fleet, seq):
        starting = starting | {event["agentId"]} if event["data"]["state"] == "starting" else starting - {event["agentId"]}
        assert len(starting) <= (os.cpu_count() or 2)
    (deaths,) = [event["data"] for event in fleet.events(seq) if event["type"] == "risk"]
    assert deaths["kind"] == "deaths"
    # On a busy machine Ray may tell of one a little later than of the rest.
    assert set(deaths["agents"]) <= set(before)
    assert len(deaths["agents"]) > 15
    assert fleet.get("/api/fleet")["halted"] is None


@pytest.mark.parametrize("name", SERVICES)
def test_a_killed_service_comes_back_and_no_agent_is_restarted(fleet: Fleet, name: str) -> None:
    before, service = lives(fleet), fleet.service(name)
    trades = fleet.get("/api/fleet")["totalTrades"]
    os.kill(fleet.pid_of(name), signal.SIGKILL)
    fleet.until(lambda: fleet.service(name)["restarts"] == service["restarts"] + 1, 60)
    fleet.until(lambda: fleet.api.get("/ready").status_code == 200, 60)
    fleet.until(lambda: fleet.get("/api/fleet")["totalTrades"] > trades, 60)
    fleet.until(lambda: fleet.api.get("/api/ledger/check").json().get("ok"), 30)
    assert lives(fleet) == before


def test_a_killed_supervisor_adopts_every_agent(fleet: Fleet) -> None:
    before = {name: (agent["incarnation"], agent["pid"]) for name, agent in fleet.agents().items()}
    supervisor = fleet.pid_of_actor("supervisor")
    os.kill(supervisor, signal.SIGKILL)
    fleet.until(lambda: fleet.api.get("/ready").status_code == 200 and fleet.pid_of_actor("supervisor") != supervisor, 60)
    fleet.post("/api/agents/default/pause")
    assert fleet.post("/api/agents/default/resume")["state"] == "running"
    assert {name: (agent["incarnation"], agent["pid"]) for name, agent in fleet.agents().items()} == before


def test_a_key_gives_its_first_answer_again_on_every_replica_and_after_a_kill_of_the_supervisor(fleet: Fleet) -> None:
    spec = {"id": "once", "strategy": "momentum", "budget": 1, "enabled": False}
    key = {"Idempotency-Key": "tests-once"}
    first = fleet.api.post("/api/agents", json=spec, headers=key)
    assert first.status_code == 201, first.text
    supervisor = fleet.pid_of_actor("supervisor")
    os.kill(supervisor, signal.SIGKILL)
    fleet.until(lambda: fleet.api.get("/ready").status_code == 200 and fleet.pid_of_actor("supervisor") != supervisor, 60)
    for _ in range(10):
        again = fleet.api.post("/api/agents", json=spec, headers=key)
        assert (again.status_code, again.json()) == (201, first.json())
    assert fleet.api.post("/api/agents", json=spec | {"budget": 2}, headers=key).status_code == 422
    assert fleet.service("supervisor")["state"] == "running"
    assert fleet.service("supervisor")["restarts"] > 0
    assert fleet.api.delete("/api/agents/once").status_code == 200
    told = [event["data"] for event in fleet.events(type="audit")]
    assert [data["method"] for data in told if data["path"] in ("/api/agents", "/api/agents/once")][-2:] == ["POST", "DELETE"]


async def test_a_plain_client_gets_every_event_once_in_order_while_services_die(fleet: Fleet) -> None:
    after = fleet.get("/api/fleet")["seq"]
    os.kill(fleet.pid_of("ledger"), signal.SIGKILL)
    seqs: list[int] = []
    async with asyncio.timeout(60), connect(fleet.url.replace("http", "ws") + "/ws/") as socket:
        await socket.send(json.dumps({"op": "subscribe", "after": after}))
        while len(seqs) < 200:
            message = json.loads(await socket.recv())
            if message["op"] == "event":
                seqs.append(message["event"]["seq"])
    assert seqs == list(range(after + 1, after + 201))


@pytest.mark.parametrize(
    "options", [{"path": "/ws", "transports": ["websocket"]}, {"path": "/ws"}, {"path": "/ws", "transports": ["polling"]}]
)
def test_an_unmodified_socket_io_client_hears_the_fleet(fleet: Fleet, options: dict[str, Any]) -> None:
    command = [node(), "listen.mjs", fleet.url, json.dumps(options)]
    wanted = {"connect", "history", "notification", "trade", "ai-decision"}
    with subprocess.Popen(command, cwd=FOLDER, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        heard: dict[str, Any] = {}
        for line in client.stdout:
            message = json.loads(line)
            heard.setdefault(message["event"], message["data"])
            if wanted <= heard.keys():
                break
        client.kill()
    assert wanted <= heard.keys()
    assert len(heard["history"]) == 20
    assert {"id", "timestamp", "type", "token", "action", "amount", "profit", "txHash"} <= heard["trade"].keys()
    assert {"id", "timestamp", "action", "market", "confidence", "reasoning"} <= heard["ai-decision"].keys()


def test_the_kill_switch_stops_all_trading_and_survives_a_broker(fleet: Fleet) -> None:
    fleet.post("/api/fleet/kill-switch", {"reason": "a test", "flatten": False})
    os.kill(fleet.pid_of("broker:main"), signal.SIGKILL)
    fleet.until(lambda: fleet.api.get("/ready").status_code == 200, 60)
    quiet = fleet.get("/api/fleet")["seq"]
    time.sleep(3)
    assert [event for event in fleet.events(quiet) if event["type"] == "trade"] == []
    assert fleet.get("/api/fleet")["halted"] == "a test"
    assert fleet.api.delete("/api/fleet/kill-switch").status_code == 200
    trades = fleet.get("/api/fleet")["totalTrades"]
    fleet.until(lambda: fleet.get("/api/fleet")["totalTrades"] > trades, 60)


def test_the_command_line_shows_and_controls_the_fleet(fleet: Fleet) -> None:
    def run(*arguments: str) -> str:
        result = polyfleet(*arguments, "--url", fleet.url)
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert "20 running" in run("status")
    assert json.loads(run("agents", "--json"))["total"] == 20
    assert "market_maker" in run("agents")
    assert run("pause", "default").startswith("default is paused")
    assert run("resume", "default").startswith("default is running")
    assert "decision" in run("events", "--type", "decision")
    assert "books" in run("doctor")
    refused = polyfleet("stop", "nobody", "--url", fleet.url)
    assert refused.returncode == 1
    assert "nobody" in refused.stderr


def test_a_second_up_on_the_same_data_directory_names_the_running_one(fleet: Fleet) -> None:
    result = polyfleet("up", "--data-dir", str(fleet.data_dir), "--port", "4999")
    assert result.returncode == 1
    assert fleet.url in result.stderr


def test_everything_listens_on_loopback_but_what_ray_opens_with_its_token(fleet: Fleet) -> None:
    names: dict[int, str] = {}
    for connection in psutil.net_connections("tcp"):
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.pid
            and connection.laddr
            and connection.laddr[0] not in ("127.0.0.1", "::1")
        ):
            names[connection.laddr[1]] = psutil.Process(connection.pid).name()
    assert "haproxy" not in names.values()
    assert fleet.port not in names


def test_two_fleets_on_one_machine_never_answer_for_each_other(fleet: Fleet, data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text("agents: [{id: default, strategy: momentum}]")
    other = Fleet(data_dir, "--fleet", str(file))
    try:
        answers: set[str] = set()

        def ask() -> bool:
            with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
                venue = other.api.get("/api/fleet").json()["venue"]
                if venue:
                    answers.add(venue["gammaUrl"])
            return "ready after" in other.output or not other.lives

        other.begin()
        other.until(ask, 450)
        assert other.lives, other.output
        for _ in range(50):
            ask()
        assert answers == {other.get("/api/fleet")["venue"]["gammaUrl"]}
        assert fleet.get("/api/fleet")["venue"]["gammaUrl"] not in answers
    finally:
        other.end()

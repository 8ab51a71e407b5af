"""`polyfleet sandbox` as its user runs it: one line when ready, nothing lost by a kill, clean ends, clear refusals."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import AssetType, BalanceAllowanceParams, OrderArgs

from actors.sandbox.alone import run
from agents.errors import InvalidInput


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "supervisor", "sandbox", *options]


@contextmanager
def sandbox(*options: str, **environment: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """Run the command; yields the process and what its one line says."""
    process = subprocess.Popen(
        command(*options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        yield process, json.loads(line)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def end(process: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, float, str]:
    """Send a signal; return exit code, seconds until the end, and what else was on stdout."""
    started = time.monotonic()
    process.send_signal(number)
    out, _ = process.communicate(timeout=15)
    return process.returncode, time.monotonic() - started, out


def connect(ready: dict[str, Any]) -> Any:
    client = ClobClient(ready["clobUrl"], 137, key=ready["wallets"][0]["privateKey"])
    client.set_api_creds(client.create_or_derive_api_key())
    return client


def balance(client: Any, kind: str, token_id: str | None = None) -> str:
    return str(client.get_balance_allowance(BalanceAllowanceParams(kind, token_id))["balance"])


def test_a_killed_venue_goes_on_with_the_same_orders_balances_keys_and_clock(tmp_path: Path) -> None:
    folder = str(tmp_path / "venue")
    with sandbox("--data-dir", folder, "--speed", "60", "--seed", "3") as (process, first):
        client = connect(first)
        markets = httpx.get(first["gammaUrl"] + "/markets/keyset", params={"limit": 100}, trust_env=False).json()["markets"]
        market = next(row for row in markets if row.get("bestBid", 0) > 0.1 and row["orderPriceMinTickSize"] == 0.01)
        yes = json.loads(market["clobTokenIds"])[0]
        bought = client.create_and_post_order(OrderArgs(yes, 0.99, 20, "BUY"), order_type="FAK", defer_exec=True)
        assert bought["status"] == "matched"
        resting = client.create_and_post_order(OrderArgs(yes, 0.01, 500, "BUY"), defer_exec=True)["orderID"]
        before = {
            "cash": balance(client, AssetType.COLLATERAL),
            "shares": balance(client, AssetType.CONDITIONAL, yes),
            "order": client.get_order(resting),
            "trades": [row["id"] for row in client.get_trades()],
            "creds": client.creds,
        }
        clock = httpx.get(first["clobUrl"].removesuffix("/clob") + "/sandbox/stats", trust_env=False).json()["venueTime"]
        process.kill()
        process.wait(10)
    assert int(before["shares"]) > 0
    with sandbox("--data-dir", folder, "--speed", "60") as (process, second):
        client = connect(second)
        assert {
            "cash": balance(client, AssetType.COLLATERAL),
            "shares": balance(client, AssetType.CONDITIONAL, yes),
            "order": client.get_order(resting),
            "trades": [row["id"] for row in client.get_trades()],
            "creds": client.creds,
        } == before
        assert [row["id"] for row in client.get_open_orders()] == [resting]
        assert [wallet["privateKey"] for wallet in second["wallets"]] == [w["privateKey"] for w in first["wallets"]]
        assert second["wallets"][1]["balance"] == "100000"
        stats = httpx.get(second["clobUrl"].removesuffix("/clob") + "/sandbox/stats", trust_env=False).json()
        assert clock <= stats["venueTime"] <= clock + 30 * 60_000
        assert client.cancel_all()["canceled"] == [resting]
        code, seconds, rest = end(process, signal.SIGTERM)
        assert (code, rest) == (0, "")
        assert seconds < 10


def test_ctrl_c_ends_it_and_its_temporary_folder_is_gone(tmp_path: Path) -> None:
    with sandbox(TMPDIR=str(tmp_path)) as (process, ready):
        assert [path.name.startswith("polyfleet-sandbox-") for path in tmp_path.iterdir()] == [True]
        assert set(ready) == {
            *("gammaUrl", "clobUrl", "dataUrl", "relayerUrl", "rpcUrl", "marketWsUrl", "userWsUrl", "newsUrl", "openaiUrl"),
            "wallets",
        }
        assert len(ready["wallets"]) >= 2
        assert all(set(wallet) == {"privateKey", "address", "balance", "relayerKey"} for wallet in ready["wallets"])
        stats = httpx.get(ready["clobUrl"].removesuffix("/clob") + "/sandbox/stats", trust_env=False).json()
        assert stats["speed"] == 1
        with socket.create_connection(("127.0.0.1", int(ready["clobUrl"].split(":")[2].split("/")[0]))):
            code, seconds, rest = end(process, signal.SIGINT)
        assert (code, rest) == (0, "")
        assert seconds < 10
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_one_line_and_exit_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        done = subprocess.run(command("--port", str(number)), capture_output=True, text=True, timeout=30)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert f"port {number} on 127.0.0.1 is in use" in line


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The command's options as `run` takes them; what `run` does to signals is undone, its temporary folders are seen."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield {"port": 0, "markets": None, "start": None, "seed": 0, "speed": 1.0, "data_dir": None}
    for number, handler in handlers.items():
        signal.signal(number, handler)
    assert list(temporary.iterdir()) == []


def test_a_broken_markets_file_is_refused_by_name(options: dict[str, Any], tmp_path: Path) -> None:
    broken = tmp_path / "markets.jsonl"
    broken.write_text('{"no": "market"\n')
    with pytest.raises(InvalidInput, match=r"markets\.jsonl"):
        run(**options | {"markets": broken})


def test_a_start_that_is_no_date_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"start.*yesterday"):
        run(**options | {"start": "yesterday"})


def test_a_speed_of_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="--speed is 0"):
        run(**options | {"speed": 0.0})


def test_a_fault_that_there_is_not_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="there is no fault 'restrat'; known are restart"):
        run(**options, faults="restrat=5")


def test_faults_named_on_the_command_line_are_there_from_the_start() -> None:
    with sandbox("--faults", "cancel-only=60,failed") as (_, ready):
        root = ready["clobUrl"].removesuffix("/clob")
        answer = httpx.post(f"{root}/clob/order", content=b"{}", trust_env=False)
        assert answer.status_code == 503
        assert answer.json()["error"].startswith("Trading is currently cancel-only")
        faults = httpx.get(f"{root}/sandbox/faults", trust_env=False).json()
        assert (faults["on"], faults["struck"]) == ({"cancel-only": "60", "failed": "0.1"}, {"cancel-only": 1})


def test_a_data_directory_that_cannot_be_made_is_refused_by_name(options: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InvalidInput, match=str(file / "below")):
        run(**options | {"data_dir": file / "below"})


def test_recorded_markets_are_served_on_their_own_dates(recorded: Path) -> None:
    markets = str(recorded / "resolved_markets.jsonl.gz")
    with sandbox("--markets", markets, "--start", "2025-11-20", "--speed", "5000") as (process, ready):
        with httpx.Client(trust_env=False) as http:
            rows = http.get(ready["gammaUrl"] + "/markets/keyset", params={"limit": 100}).json()["markets"]
            assert len(rows) > 20
            stats = http.get(ready["clobUrl"].removesuffix("/clob") + "/sandbox/stats").json()
            start = 1_763_596_800_000
            assert start <= stats["venueTime"] < start + 60_000 * 5000
            token = json.loads(rows[0]["clobTokenIds"])[0]
            book = http.get(ready["clobUrl"] + "/book", params={"token_id": token}).json()
            assert book["bids"] or book["asks"]
        assert end(process, signal.SIGTERM)[0] == 0


def test_a_signal_during_the_start_ends_it_in_order(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        folder = tmp_path / number.name
        process = subprocess.Popen(
            command("--data-dir", str(folder)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        while not (folder / "venue.db").exists() and process.poll() is None:
            time.sleep(0.01)
        assert end(process, number)[0] == 0

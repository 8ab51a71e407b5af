"""The seed's entry point, run as the seed's orchestrator runs it: from another directory, with its variables and no fleet."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.sandbox.venue import VenueConfig
from agents.process_protocol import SaidDecision, SaidTrade, parse
from tests.contract.sandbox.served import Served
from tests.node_packages import FOLDER, missing

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "agents" / "application" / "trade.py"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    venue = Served(VenueConfig(seed=11, speed=60.0))
    yield venue
    venue.stop()


def described(served: Served) -> str:
    """What `polyfleet sandbox` would print of a venue."""
    at, wallet = served.endpoints, served.wallet()
    return json.dumps(
        {
            "gammaUrl": at.gamma_url,
            "clobUrl": at.clob_url,
            "dataUrl": at.data_url,
            "relayerUrl": at.relayer_url,
            "rpcUrl": at.rpc_url,
            "marketWsUrl": at.market_ws_url,
            "userWsUrl": at.user_ws_url,
            "wallets": [{"privateKey": wallet.key, "address": wallet.address}],
        }
    )


def environment(path: Path, **settings: str) -> dict[str, str]:
    """The seed's variables, and keys that must not be used; the database of the surroundings is not the script's."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(path),
        "PYTHONPATH": str(ROOT),
        "MAX_TRADE_AMOUNT": "100",
        "MIN_CONFIDENCE": "0.7",
        "RISK_TOLERANCE": "MEDIUM",
        "AUTO_TRADE": "false",
        "POLYGON_WALLET_PRIVATE_KEY": "0x" + "1" * 64,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "TMPDIR": str(path),
        "POLYFLEET_STRATEGY": "favourite_longshot",
    } | settings


@contextmanager
def script(path: Path, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT)],
        cwd=path,
        env=environment(path, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def read(process: "subprocess.Popen[str]", enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Return its lines, once they are enough."""
    found: list[dict[str, Any]] = []
    assert process.stdout is not None
    while not enough(found):
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        found.append(json.loads(line))
    return found


def test_the_seeds_orchestrator_gets_decisions_and_trades_from_it(served: Served, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        missing("Node is needed to run the seed's side; install it (Debian: nodejs)")
    settings = environment(tmp_path, AUTO_TRADE="true", POLYFLEET_VENUE=described(served))
    command = [node, str(FOLDER / "orchestrate.mjs"), sys.executable, str(SCRIPT), str(ROOT / "agents"), json.dumps(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as orchestrator:
        found: list[dict[str, Any]] = []
        assert orchestrator.stdout is not None
        for line in orchestrator.stdout:
            found.append(json.loads(line))
            if found[-1]["event"] == "trade":
                orchestrator.send_signal(signal.SIGTERM)
        assert orchestrator.wait(10) == 0
    assert found[-1] == {"event": "stopped", "data": {"code": 0, "signal": None}}
    decisions = [line["data"] for line in found if line["event"] == "decision"]
    bought = next(decision for decision in decisions if decision["document"]["action"] == "buy")
    assert bought["document"]["confidence"] >= 0.7
    assert bought["document"]["market"] == bought["code"]["marketQuestion"]
    assert 1 <= bought["code"]["suggestedAmount"] <= 100
    traded = next(line["data"] for line in found if line["event"] == "trade")
    assert (traded["document"]["action"], traded["code"]["side"]) == ("buy", "BUY")
    assert 0 < traded["document"]["amount"] <= 100
    assert traded["code"]["status"] == "EXECUTED"
    assert not [line for line in found if line["event"] == "lost"]


def test_it_only_decides_unless_it_is_told_to_trade(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "venue.json"
    file.write_text(described(served))
    with script(tmp_path, POLYFLEET_VENUE=str(file), MAX_TRADE_AMOUNT="5") as process:
        lines = read(process, lambda found: len(found) >= 2)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
        assert time.monotonic() - began < 2
        assert process.returncode == 0, err
    lines += map(json.loads, out.splitlines())
    assert {line["type"] for line in lines} == {"decision"}
    assert all(line["suggestedAmount"] <= 5 for line in lines)
    assert not list(tmp_path.glob("polyfleet-*"))


def test_without_a_venue_it_brings_its_own(tmp_path: Path) -> None:
    with script(tmp_path, AUTO_TRADE="true", POLYFLEET_STRATEGY="market_maker") as process:
        lines = read(process, lambda found: any(line["type"] == "decision" for line in found))
        said = parse(json.dumps(lines[0]))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
        assert process.returncode == 0
    assert isinstance(said, SaidDecision | SaidTrade)


def test_it_can_be_told_to_end_while_it_starts(tmp_path: Path) -> None:
    with script(tmp_path) as process:
        while not _takes_sigterm(process.pid):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=2)
        assert process.returncode == 0


def _takes_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_it_ends_when_nobody_reads(served: Served, tmp_path: Path) -> None:
    with script(tmp_path, POLYFLEET_VENUE=described(served)) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        assert process.wait(60) == 1


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"MAX_TRADE_AMOUNT": "a lot"}, "MAX_TRADE_AMOUNT"),
        ({"MIN_CONFIDENCE": "7"}, "minConfidence"),
        ({"RISK_TOLERANCE": "YOLO"}, "RISK_TOLERANCE"),
        ({"POLYFLEET_STRATEGY": "astrology"}, "there is no 'astrology'"),
        ({"POLYFLEET_VENUE": "/no/such/file"}, "POLYFLEET_VENUE"),
        ({"POLYFLEET_VENUE": "{}"}, "POLYFLEET_VENUE"),
    ],
)
def test_a_wrong_variable_is_refused_with_its_name(tmp_path: Path, settings: dict[str, str], why: str) -> None:
    with script(tmp_path, **settings) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert why in err
    assert "Traceback" not in err

"""Fleets in paper and live mode, with a sandbox as the venue: they trade, survive, and no key leaves the broker."""

import contextlib
import json
import os
import signal
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psutil
import pytest

from supervisor import ray_cluster
from tests.integration.fleet import Fleet, polyfleet
from tests.integration.venue import Venue

AGENTS = """
agents:
  - {id: default, strategy: market_maker, params: {size: 25, maxMarkets: 20}, budget: 5000, interval: 2}
  - {id: quick, strategy: momentum, params: {window: 6, entry: 1.2, stake: 20}, minConfidence: 0.5, budget: 2000, interval: 2}
  - {id: steady, strategy: favourite_longshot, budget: 3000, interval: 2}
"""


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    venue = Venue(tmp_path_factory.mktemp("venue") / "venue")
    yield venue
    venue.end()


@pytest.fixture
def agents(tmp_path: Path) -> str:
    file = tmp_path / "fleet.yaml"
    file.write_text(AGENTS)
    return str(file)


def canary_in(text: bytes, key: str) -> bool:
    """Whether a key is in there, as text in either case or as bytes."""
    plain = key.removeprefix("0x").lower()
    return plain.encode() in text.lower() or bytes.fromhex(plain) in text


def leaks(fleet: Fleet, key: str, *, but: tuple[str, ...] = ()) -> list[str]:
    """Return where a key is found: files of the data directory, of Ray's session, and what processes were given."""
    found = []
    directory = fleet.data_dir.resolve()
    for root in (directory, ray_cluster.runtime_dir(directory)):
        for file in root.rglob("*"):
            if file.is_file() and not file.is_symlink() and str(file.relative_to(root)) not in but:
                with contextlib.suppress(OSError):
                    found += [str(file)] if canary_in(file.read_bytes(), key) else []
    children = psutil.Process(fleet.pid).children(recursive=True)
    for process in {*ray_cluster.processes(directory), *children}:
        for name in ("environ", "cmdline"):
            with contextlib.suppress(OSError):
                given = Path(f"/proc/{process.pid}/{name}").read_bytes()
                found += [f"{name} of {process.pid}"] if canary_in(given, key) else []
    return found


_PAGES = (
    *("/api/fleet", "/api/settings", "/api/ledger/check", "/api/checks", "/api/agents", "/api/portfolio", "/metrics"),
    *("/api/agents/default/logs", "/api/agents/default/orders", "/openapi.json", "/dashboard/", "/dashboard/settings"),
)
_RAY_PAGES = (
    *("/logical/actors", "/api/v0/actors?detail=1", "/api/v0/workers?detail=1", "/api/v0/tasks?detail=1"),
    *("/nodes?view=details", "/api/jobs/", "/api/serve/applications/"),
)


def pages(fleet: Fleet, key: str) -> list[str]:
    """Return the pages of the API and of Ray's dashboard that show a key."""
    found = []
    for path in _PAGES:
        answer = fleet.api.get(path, timeout=60)
        assert answer.status_code < 400, (path, answer.text)
        found += [path] if canary_in(answer.content, key) else []
    token = (fleet.data_dir / "ray_token").read_text().strip()
    with httpx.Client(base_url=fleet.run()["dashboard"], headers={"Authorization": f"Bearer {token}"}, timeout=30) as ray:
        asked = 0
        for path in _RAY_PAGES:
            answer = ray.get(path)
            asked += answer.is_success
            found += [path] if canary_in(answer.content, key) else []
        assert asked >= 3, "or nothing was looked at"
    return found


@pytest.mark.timeout(600)
def test_a_paper_fleet_trades_and_survives_its_brokers_death(venue: Venue, data_dir: Path, agents: str) -> None:
    canary = "0x" + "c4a7" * 16
    fleet = Fleet(
        data_dir, "--mode", "paper", "--fleet", agents, POLYFLEET_VENUE=str(venue.file), POLYGON_WALLET_PRIVATE_KEY=canary
    )
    with contextlib.ExitStack() as stack:
        stack.callback(fleet.end)
        fleet.up()
        assert "simulated orders, fills and money" in fleet.output
        found = fleet.get("/api/fleet")
        assert (found["mode"], found["simulated"]) == ("paper", True)
        assert "sandbox" not in {service["name"] for service in found["services"]}
        assert found["venue"]["clobUrl"] == venue.said["clobUrl"]
        fleet.until(lambda: fleet.get("/api/fleet")["totalTrades"] >= 3, 90)
        pid = fleet.pid_of("broker:main")
        os.kill(pid, signal.SIGKILL)
        before = fleet.get("/api/fleet")["totalTrades"]
        fleet.until(lambda: fleet.pid_of("broker:main") != pid, 60)
        fleet.until(lambda: fleet.get("/api/fleet")["totalTrades"] > before, 90)
        fleet.until(lambda: fleet.api.get("/api/ledger/check").json().get("ok"), 60)
        deposits = [event for event in fleet.events(type="info") if event["data"].get("kind") == "deposit"]
        assert len(deposits) == 1, "nothing had to be explained away"
        doctor = polyfleet("doctor", "--url", fleet.url)
        assert doctor.returncode == 0, doctor.stdout + doctor.stderr
        assert not (data_dir / "wallets").exists()
        assert leaks(fleet, canary) == []
        assert httpx.get(f"{venue.url}/sandbox/stats", trust_env=False).status_code == 200
        assert fleet.down() == 0, fleet.output


class Geoblock:
    """The venue's answer to where it takes orders from."""

    def __init__(self) -> None:
        self.blocked = False
        place = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"blocked": place.blocked, "country": "PT", "region": ""}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api/geoblock"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.mark.timeout(600)
def test_a_live_fleets_key_never_leaves_its_broker(venue: Venue, data_dir: Path, agents: str) -> None:
    wallet = venue.said["wallets"][0]
    canary = wallet["privateKey"]
    place = Geoblock()
    settings = {
        "POLYFLEET_VENUE": str(venue.file),
        "POLYFLEET_LIVE": "yes-with-real-money",
        "POLYFLEET_GEOBLOCK_URL": place.url,
        "POLYGON_WALLET_PRIVATE_KEY": canary,
    }
    fleet = Fleet(data_dir, "--mode", "live", "--fleet", agents, **settings)
    with contextlib.ExitStack() as stack:
        stack.callback(place.close)
        stack.callback(fleet.end)
        place.blocked = True
        options = ("--mode", "live", "--fleet", agents, "--data-dir", str(data_dir))
        refused = polyfleet("up", *options, "--port", str(fleet.port), **settings)
        assert refused.returncode == 1, refused.stderr
        assert "the venue takes no orders from here (PT); use --mode paper" in refused.stderr
        assert not (data_dir / "wallets").exists(), "no key is left where nothing starts"
        place.blocked = False
        looked = polyfleet("doctor", *options, **settings)
        assert looked.returncode == 0, looked.stdout + looked.stderr
        fleet.up()
        assert "real money" in fleet.output
        found = fleet.get("/api/fleet")
        assert (found["mode"], found["simulated"]) == ("live", False)
        fleet.until(lambda: fleet.get("/api/fleet")["totalTrades"] >= 1, 90)
        pid = fleet.pid_of("broker:main")
        os.kill(pid, signal.SIGKILL)
        fleet.until(lambda: fleet.pid_of("broker:main") != pid, 60)
        fleet.until(lambda: fleet.api.get("/api/ledger/check").json().get("ok"), 60)
        file = data_dir / "wallets" / "main.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert canary_in(file.read_bytes(), canary), "or nothing was looked for"
        assert leaks(fleet, canary, but=("wallets/main.json",)) == []
        assert pages(fleet, canary) == []
        assert not canary_in(json.dumps(fleet.events()).encode(), canary)
        for command in (("doctor",), ("status",), ("logs", "default")):
            said = polyfleet(*command, "--url", fleet.url)
            assert said.returncode == 0, said.stdout + said.stderr
            assert not canary_in((said.stdout + said.stderr).encode(), canary)
        assert not canary_in((fleet.output + looked.stdout + refused.stderr).encode(), canary)
        assert fleet.down() == 0, fleet.output
        assert leaks_on_disk(data_dir, canary) == ["wallets/main.json"]


def leaks_on_disk(data_dir: Path, key: str) -> list[str]:
    """Return the files of a data directory that hold a key once its fleet has ended."""
    files = [file for file in data_dir.rglob("*") if file.is_file() and not file.is_symlink()]
    return [str(file.relative_to(data_dir)) for file in files if canary_in(file.read_bytes(), key)]

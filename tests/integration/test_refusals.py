"""Wrong input: exit code 2 and one sentence that says what, where and what was expected; nothing is started."""

import gzip
import json
import socket
from pathlib import Path

import pytest

from tests.integration.fleet import free_port, polyfleet


def refused(*arguments: str, **environment: str) -> str:
    result = polyfleet("up", *arguments, **environment)
    assert result.returncode == 2, result.stdout + result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("polyfleet: ")
    return result.stderr.removeprefix("polyfleet: ").strip()


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    return ["--data-dir", str(tmp_path / "data"), "--port", str(free_port())]


def fleet_file(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "fleet.yaml"
    path.write_text(text)
    return ["--fleet", str(path)]


def test_an_unknown_mode(data: list[str]) -> None:
    assert refused("--mode", "dream", *data) == "--mode: there is no mode 'dream'; expected sandbox, paper, live"


def test_live_without_a_key(data: list[str]) -> None:
    assert "POLYGON_WALLET_PRIVATE_KEY" in refused("--mode", "live", *data, POLYGON_WALLET_PRIVATE_KEY="")


def test_live_is_asked_for_twice(data: list[str]) -> None:
    sentence = refused("--mode", "live", *data, POLYGON_WALLET_PRIVATE_KEY="0x" + "1" * 64, POLYFLEET_LIVE="")
    assert "set POLYFLEET_LIVE=yes-with-real-money too if you mean it" in sentence


@pytest.mark.parametrize("option", [("--markets", "x.gz"), ("--start", "2025-11-20"), ("--speed", "3"), ("--seed", "7")])
def test_options_of_the_simulation_where_there_is_none(data: list[str], option: tuple[str, str]) -> None:
    assert refused("--mode", "paper", *option, *data).startswith(f"{option[0]}: for the sandbox only")


def test_half_a_venue(data: list[str]) -> None:
    sentence = refused("--mode", "paper", *data, POLYFLEET_CLOB_URL="http://127.0.0.1:9")
    assert sentence.startswith("POLYFLEET_GAMMA_URL, POLYFLEET_DATA_URL, POLYFLEET_MARKET_WS_URL: not set")


def test_an_unknown_option_and_a_value_of_the_wrong_type(data: list[str]) -> None:
    assert "--sped" in refused("--sped", "3", *data)
    assert "--port" in refused("--port", "many")


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        sentence = refused("--data-dir", str(tmp_path / "data"), "--port", port)
    assert f"--port: {port} on 127.0.0.1 cannot be used" in sentence


def test_an_address_that_others_reach_without_a_token(data: list[str]) -> None:
    assert "POLYFLEET_API_TOKEN" in refused("--host", "0.0.0.0", *data, POLYFLEET_API_TOKEN="")


def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("")
    assert f"--data-dir: {file} cannot be used" in refused("--data-dir", str(file), "--port", str(free_port()))


def test_a_log_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database, but long enough to look like one" * 100)
    assert "ledger.db" in refused("--data-dir", str(tmp_path), "--port", str(free_port()))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("agents: [{id: a, strategy: prophet}]", "prophet"),
        ("agents: [{id: a, strategy: momentum, budget: lots}]", "budget"),
        ("agents: [{id: a, strategy: momentum, params: {windw: 3}}]", "windw"),
        ("agents: [{id: a, strategy: momentum}, {id: a, strategy: momentum}]", "a"),
        ("agents: [{id: a,", "line"),
        ("", "agents"),
    ],
)
def test_a_fleet_file_that_is_wrong(data: list[str], tmp_path: Path, text: str, sentence: str) -> None:
    found = refused(*fleet_file(tmp_path, text), *data)
    assert "fleet.yaml" in found
    assert sentence in found


def test_a_fleet_file_that_is_missing(data: list[str], tmp_path: Path) -> None:
    assert "nowhere.yaml" in refused("--fleet", str(tmp_path / "nowhere.yaml"), *data)


def test_a_markets_file_with_a_corrupt_line(data: list[str], tmp_path: Path) -> None:
    path = tmp_path / "markets.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"condition_id": "0x1"}).encode() + b"\n"))
    found = refused("--markets", str(path), *data)
    assert str(path) in found
    assert "line 1" in found


def test_a_start_that_is_no_date_and_a_speed_that_is_none(data: list[str]) -> None:
    assert "someday" in refused("--start", "someday", *data)
    assert "--speed" in refused("--speed", "0", *data)


def test_a_rate_limit_that_is_none(data: list[str]) -> None:
    assert "POLYFLEET_RATE_LIMIT_READ" in refused(*data, POLYFLEET_RATE_LIMIT_READ="often")


def test_a_seed_setting_that_is_none(data: list[str]) -> None:
    assert refused(*data, MAX_TRADE_AMOUNT="lots").startswith("MAX_TRADE_AMOUNT is 'lots': ")
    assert refused(*data, FRONTEND_URL="*").startswith("FRONTEND_URL")


def test_a_command_that_reaches_no_fleet() -> None:
    result = polyfleet("status", "--url", f"http://127.0.0.1:{free_port()}")
    assert result.returncode == 1
    assert "no fleet answers at" in result.stderr

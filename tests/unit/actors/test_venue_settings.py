"""Where a venue answers, as settings say it."""

import json
from pathlib import Path

import pytest

from actors.venue_settings import as_variables, venue_from
from agents.errors import InvalidInput

SAID = {
    "gammaUrl": "http://127.0.0.1:7/gamma",
    "clobUrl": "http://127.0.0.1:7/clob/",
    "dataUrl": "http://127.0.0.1:7/data",
    "relayerUrl": "http://127.0.0.1:7/relayer",
    "rpcUrl": "http://127.0.0.1:7/rpc",
    "marketWsUrl": "ws://127.0.0.1:7/ws/market",
    "userWsUrl": "ws://127.0.0.1:7/ws/user",
    "wallets": [{"privateKey": "0xcanary", "address": "0x1", "balance": "1"}],
}
FAR = {
    "POLYFLEET_GAMMA_URL": "https://gamma.example.com",
    "POLYFLEET_CLOB_URL": "https://clob.example.com",
    "POLYFLEET_DATA_URL": "https://data.example.com",
    "POLYFLEET_MARKET_WS_URL": "wss://ws.example.com/ws/market",
}


@pytest.mark.parametrize("as_file", [False, True])
def test_what_a_sandbox_prints_is_a_venue(tmp_path: Path, as_file: bool) -> None:
    text = json.dumps(SAID)
    if as_file:
        (tmp_path / "venue.json").write_text(text)
        text = str(tmp_path / "venue.json")
    venue = venue_from({"POLYFLEET_VENUE": text}, "live")
    assert venue is not None
    assert venue.simulated
    assert venue.clob_url == "http://127.0.0.1:7/clob"
    assert "canary" not in repr(venue)
    assert venue_from(as_variables(venue), "live") == venue


def test_without_settings_it_is_the_real_one_and_a_sandbox_has_its_own() -> None:
    assert venue_from({}, "paper") is None
    assert venue_from({"POLYFLEET_VENUE": json.dumps(SAID)}, "sandbox") is None


def test_one_address_goes_before_the_others() -> None:
    venue = venue_from({"POLYFLEET_VENUE": json.dumps(SAID), "POLYFLEET_DATA_URL": "http://localhost:9"}, "paper")
    assert venue is not None
    assert (venue.data_url, venue.gamma_url) == ("http://localhost:9", "http://127.0.0.1:7/gamma")


def test_a_node_may_be_given_alone() -> None:
    venue = venue_from({"POLYFLEET_RPC_URL": "https://node.example.com/key"}, "live")
    assert venue is not None
    assert (venue.rpc_url, venue.clob_url) == ("https://node.example.com/key", "https://clob.polymarket.com")
    assert not venue.simulated


def test_paper_needs_only_what_is_public() -> None:
    assert venue_from(FAR, "paper") is not None
    with pytest.raises(InvalidInput, match="POLYFLEET_RELAYER_URL, POLYFLEET_RPC_URL, POLYFLEET_USER_WS_URL: not set"):
        venue_from(FAR, "live")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"POLYFLEET_CLOB_URL": ""}, "POLYFLEET_CLOB_URL: not set"),
        ({"POLYFLEET_CLOB_URL": "clob.example.com"}, "POLYFLEET_CLOB_URL: 'clob.example.com' is not possible"),
        ({"POLYFLEET_MARKET_WS_URL": "https://ws.example.com"}, "expected a URL such as wss://"),
        ({"POLYFLEET_CLOB_URL": "http://127.0.0.1:7"}, "POLYFLEET_GAMMA_URL: https://gamma.example.com is not on this machine"),
        ({"POLYFLEET_VENUE": "/nowhere"}, "POLYFLEET_VENUE: expected the JSON that `polyfleet sandbox` prints"),
        ({"POLYFLEET_VENUE": "[]"}, "POLYFLEET_VENUE"),
    ],
)
def test_half_a_venue_is_none(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        venue_from(FAR | changes, "paper")
    assert sentence in str(refusal.value)

"""Live mode is asked for twice, and its keys stay where they belong."""

import json
import os
import stat
from pathlib import Path

import pytest
from eth_account import Account

from actors.polymarket.wallets import wallet_of
from agents.errors import InvalidInput
from supervisor.fleet_args import FleetArgs
from supervisor.live import CONSENT, KEY, admit, check_consent, keyring_from, known_wallets, leave_keys, look
from supervisor.provision import provision

ONE, TWO = ("0x" + digit * 64 for digit in "12")


def key_file(path: Path, content: str, mode: int = 0o600) -> str:
    path.write_text(content)
    os.chmod(path, mode)
    return str(path)


@pytest.mark.parametrize("said", ["", "yes", "1", "true"])
def test_it_is_asked_for_twice(said: str) -> None:
    with pytest.raises(InvalidInput, match=r"real money; set POLYFLEET_LIVE=yes-with-real-money too"):
        check_consent({"POLYFLEET_LIVE": said})
    check_consent({"POLYFLEET_LIVE": CONSENT})


def test_the_seeds_variable_is_the_key_of_main(tmp_path: Path) -> None:
    keyring = keyring_from({KEY: ONE.removeprefix("0x")}, ["main"], tmp_path)
    [wallet] = keyring.wallets
    assert (wallet.name, wallet.address) == ("main", Account.from_key(ONE).address)
    assert ONE[2:] not in repr(keyring)
    leave_keys(keyring, tmp_path)
    file = tmp_path / "wallets" / "main.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == {"privateKey": ONE, "address": wallet.address}
    assert known_wallets(tmp_path) == keyring.wallets
    assert ONE[2:] not in (tmp_path / "live_wallets.json").read_text()
    assert keyring_from({}, ["main"], tmp_path).wallets == keyring.wallets, "what an earlier start was given"


def test_a_relayer_key_in_the_wallets_own_file_outlives_the_next_start(tmp_path: Path) -> None:
    keyring = keyring_from({KEY: ONE}, ["main"], tmp_path)
    leave_keys(keyring, tmp_path)
    file = tmp_path / "wallets" / "main.json"
    relayer = {"key": "k", "address": "0x" + "5" * 40}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"relayerKey": relayer}))
    leave_keys(keyring, tmp_path)
    assert json.loads(file.read_text()) == {"privateKey": ONE, "address": keyring.wallets[0].address, "relayerKey": relayer}
    leave_keys(keyring_from({KEY: TWO}, ["main"], tmp_path), tmp_path)
    assert "relayerKey" not in file.read_text(), "it was another wallet's"


@pytest.mark.parametrize("which", ["proxy", "safe", "deposit", "deposit-old"])
def test_one_key_has_several_wallets(tmp_path: Path, which: str) -> None:
    address = wallet_of(ONE, which)
    for said in (which, address, address.lower()):
        assert keyring_from({KEY: ONE, "POLYFLEET_WALLET": said}, ["main"], tmp_path).wallets[0].address == address


def test_key_files_make_more_wallets(tmp_path: Path) -> None:
    first = key_file(tmp_path / "first", ONE)
    second = key_file(tmp_path / "second", json.dumps({"privateKey": TWO, "address": wallet_of(TWO, "safe")}))
    keyring = keyring_from({"POLYFLEET_WALLETS": f"main={first}:proxy, second={second}"}, ["main", "second"], tmp_path)
    assert [(wallet.name, wallet.address, wallet.key_file) for wallet in keyring.wallets] == [
        ("main", wallet_of(ONE, "proxy"), first),
        ("second", wallet_of(TWO, "safe"), second),
    ]
    leave_keys(keyring, tmp_path)
    assert not (tmp_path / "wallets").exists(), "their files stay where they are"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "live needs a key for wallet main; set POLYGON_WALLET_PRIVATE_KEY, or POLYFLEET_WALLETS=main=<file>"),
        ({KEY: "0xsecret"}, "the private key is none; expected 64 hexadecimal digits"),
        ({KEY: ONE, "POLYFLEET_WALLET": "ledger"}, "'ledger' is no wallet; expected eoa, proxy, safe, deposit"),
        ({KEY: ONE, "POLYFLEET_WALLET": "0x" + "5" * 40}, "is none of the key's; those are eoa 0x"),
        ({"POLYFLEET_WALLETS": "main"}, "expected name=file or name=file:which"),
        ({"POLYFLEET_WALLETS": "main=/nowhere/key"}, "the key file /nowhere/key of wallet main cannot be read"),
        ({KEY: ONE, "POLYFLEET_WALLETS": "main=/nowhere/key"}, "wallet main has a key already"),
    ],
)
def test_what_is_wrong_is_said_and_no_key_is(tmp_path: Path, environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        keyring_from(environment, ["main"], tmp_path)
    assert sentence in str(refusal.value)
    assert ONE[2:] not in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = key_file(tmp_path / "key", ONE, 0o644)
    with pytest.raises(InvalidInput, match="is open to others; make it 0600"):
        keyring_from({"POLYFLEET_WALLETS": f"main={file}"}, ["main"], tmp_path)


def test_a_cluster_that_deploys_needs_the_consent_and_the_wallets_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLYFLEET_LIVE", raising=False)
    with pytest.raises(InvalidInput, match="POLYFLEET_LIVE"):
        provision(FleetArgs(data_dir=tmp_path, mode="live"))
    monkeypatch.setenv("POLYFLEET_LIVE", CONSENT)
    with pytest.raises(InvalidInput, match="start the fleet with `polyfleet up --mode live`"):
        provision(FleetArgs(data_dir=tmp_path, mode="live"))
    leave_keys(keyring_from({KEY: ONE}, ["main"], tmp_path), tmp_path)
    config = provision(FleetArgs(data_dir=tmp_path, mode="live"))
    assert [wallet.name for wallet in config.wallets] == ["main"]
    assert ONE[2:] not in repr(config)


def test_the_environment_has_no_key_once_it_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, ONE)
    admit(FleetArgs(data_dir=tmp_path), new=True)
    assert KEY not in os.environ


def test_a_doctor_knows_two_modes(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--mode: 'sandbox' is not possible; expected paper or live"):
        look("sandbox", tmp_path, None)

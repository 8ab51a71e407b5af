"""The file of a wallet's key."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from actors.brokerage.wallet_key import WalletKey, read_key
from actors.polymarket.relayer_keys import BuilderKey, RelayerKey
from actors.polymarket.trading import library_key
from agents.errors import InvalidInput
from agents.ports import Wallet

KEY, ADDRESS = "0x" + "ab" * 32, "0x" + "Cd" * 20


def wallet(path: Path, content: str, mode: int = 0o600) -> Wallet:
    file = path / "key.json"
    file.write_text(content)
    os.chmod(file, mode)
    return Wallet("main", ADDRESS, str(file))


def test_a_private_file_with_the_wallets_key_is_read(tmp_path: Path) -> None:
    both = read_key(wallet(tmp_path, json.dumps({"privateKey": KEY, "address": ADDRESS.lower()})))
    assert both == WalletKey(KEY, ADDRESS.lower())
    assert read_key(wallet(tmp_path, json.dumps({"privateKey": KEY}))) == WalletKey(KEY)
    assert read_key(wallet(tmp_path, KEY.removeprefix("0x") + "\n")) == WalletKey(KEY)


def test_a_key_for_the_relayer_is_read_and_never_shown(tmp_path: Path) -> None:
    content = {"privateKey": KEY, "relayerKey": {"key": "relay-secret", "address": ADDRESS}}
    found = read_key(wallet(tmp_path, json.dumps(content)))
    assert found.gasless == RelayerKey("relay-secret", ADDRESS)
    content = {"privateKey": KEY, "builderKey": {"key": "builder-secret", "secret": "c2VjcmV0", "passphrase": "pass-secret"}}
    other = read_key(wallet(tmp_path, json.dumps(content)))
    assert other.gasless == BuilderKey("builder-secret", "c2VjcmV0", "pass-secret")
    for each in (found, found.gasless, other, other.gasless, library_key(found.gasless), library_key(other.gasless)):
        assert not any(secret in f"{each!r} {each}" for secret in (KEY, "-secret", "c2VjcmV0"))


_RELAYER = "holds a relayerKey that is none; expected {key, address}"
_BUILDER = "holds a builderKey that is none; expected {key, secret, passphrase}, the secret in base64"
_RIGHT = {"relayerKey": {"key": "top", "address": ADDRESS}, "builderKey": {"key": "top", "secret": "dG9w", "passphrase": "top"}}


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"relayerKey": "hush-hush"}, _RELAYER),
        ({"relayerKey": []}, _RELAYER),
        ({"relayerKey": {"key": "hush-hush"}}, _RELAYER),
        ({"relayerKey": {"key": "hush-hush", "address": "0x12"}}, _RELAYER),
        ({"relayerKey": {"key": "hush-hush\nX: y", "address": ADDRESS}}, _RELAYER),
        ({"relayerKey": {"key": 7, "address": ADDRESS}}, _RELAYER),
        ({"builderKey": {"key": "hush-hush", "secret": "c2VjcmV0"}}, _BUILDER),
        ({"builderKey": {"key": "hush-hush", "secret": "hush*hush", "passphrase": "hush-hush"}}, _BUILDER),
        (_RIGHT, "holds both a relayerKey and a builderKey; leave one"),
    ],
)
def test_a_malformed_key_for_the_relayer_is_refused(tmp_path: Path, keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_key(wallet(tmp_path, json.dumps({"privateKey": KEY} | keys)))
    assert str(error.value) == f"the key file {tmp_path}/key.json of wallet main {reason}"
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (json.dumps({"privateKey": KEY, "address": ADDRESS}), 0o640, "is open to others; make it 0600"),
        (json.dumps({"privateKey": KEY, "address": ADDRESS}), 0o604, "is open to others; make it 0600"),
        (json.dumps({"key": KEY}), 0o600, "holds neither a private key nor {privateKey, address} as JSON"),
        (json.dumps([KEY]), 0o600, "holds neither a private key"),
        (KEY + "0", 0o600, "holds neither a private key"),
        (json.dumps({"privateKey": KEY, "address": "0x1"}), 0o600, f"is for 0x1, and wallet main is {ADDRESS}"),
    ],
)
def test_any_other_file_is_refused_and_its_content_is_not_told(tmp_path: Path, content: str, mode: int, reason: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_key(wallet(tmp_path, content, mode))
    assert reason in str(error.value)
    assert KEY not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nowhere\.json of wallet main cannot be read: No such file"):
        read_key(Wallet("main", ADDRESS, str(tmp_path / "nowhere.json")))

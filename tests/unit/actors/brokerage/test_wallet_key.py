"""The file of a wallet's key."""

import json
import os
from pathlib import Path

import pytest

from actors.brokerage.wallet_key import read_key
from agents.errors import InvalidInput
from agents.ports import Wallet

KEY, ADDRESS = "0x" + "ab" * 32, "0x" + "Cd" * 20


def wallet(path: Path, content: str, mode: int = 0o600) -> Wallet:
    file = path / "key.json"
    file.write_text(content)
    os.chmod(file, mode)
    return Wallet("main", ADDRESS, str(file))


def test_a_private_file_with_the_wallets_key_is_read(tmp_path: Path) -> None:
    assert read_key(wallet(tmp_path, json.dumps({"privateKey": KEY, "address": ADDRESS.lower()}))) == KEY
    assert read_key(wallet(tmp_path, json.dumps({"privateKey": KEY}))) == KEY
    assert read_key(wallet(tmp_path, KEY.removeprefix("0x") + "\n")) == KEY


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

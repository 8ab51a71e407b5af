"""A wallet's keys, read from its file when they are needed and kept nowhere else."""

import base64
import binascii
import json
import os
import re
import stat
from dataclasses import dataclass, field
from typing import Any

from actors.polymarket.relayer_keys import BuilderKey, GaslessKey, RelayerKey
from agents.errors import InvalidInput
from agents.ports import Wallet

_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
#: What a header of a request may hold.
_WORD = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class WalletKey:
    """What a wallet's file holds: the private key, the address that it says it is for, or "", and a key for the relayer."""

    private: str = field(repr=False)
    address: str = ""
    gasless: GaslessKey | None = field(default=None, repr=False)


def read_key(wallet: Wallet) -> WalletKey:
    """Return the keys of a wallet: its file is the private key alone, or {privateKey, address} as JSON.

    In JSON there may be a key for the venue's relayer too: relayerKey {key, address} or builderKey {key, secret, passphrase}.

    Raises:
        InvalidInput: if the file is missing, is not its owner's alone, or does not hold the key of this wallet.
    """
    found = read_key_file(wallet.name, wallet.key_file)
    if found.address and found.address.lower() != wallet.address.lower():
        raise InvalidInput(
            f"the key file {wallet.key_file} is for {found.address}, and wallet {wallet.name} is {wallet.address}; "
            "name the right one"
        )
    return found


def read_key_file(name: str, path: str) -> WalletKey:
    """Return the keys that a wallet's file holds.

    Raises:
        InvalidInput: if the file is missing, is not its owner's alone, or holds no key, or a wrong one for the relayer.
    """
    whose = f"the key file {path} of wallet {name}"
    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read().strip()
    except OSError as error:
        raise InvalidInput(f"{whose} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{whose} holds no key") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidInput(f"{whose} is open to others; make it 0600")
    content: dict[str, Any] = {}
    if not _KEY.fullmatch(text):
        try:
            content = json.loads(text)
            text = str(content["privateKey"])
        except (ValueError, KeyError, TypeError):
            text = ""
    if not _KEY.fullmatch(text):
        raise InvalidInput(f"{whose} holds neither a private key nor {{privateKey, address}} as JSON")
    private = text if text.startswith("0x") else f"0x{text}"
    return WalletKey(private, str(content.get("address") or ""), _gasless(whose, content))


def _gasless(whose: str, content: dict[str, Any]) -> GaslessKey | None:
    relayer, builder = content.get("relayerKey"), content.get("builderKey")
    if relayer is not None and builder is not None:
        raise InvalidInput(f"{whose} holds both a relayerKey and a builderKey; leave one")
    if relayer is not None:
        key, address = _words(relayer, "key", "address")
        if not (key and _ADDRESS.fullmatch(address)):
            raise InvalidInput(f"{whose} holds a relayerKey that is none; expected {{key, address}}")
        return RelayerKey(key, address)
    if builder is not None:
        key, secret, passphrase = _words(builder, "key", "secret", "passphrase")
        if not (key and passphrase and _is_base64(secret)):
            raise InvalidInput(
                f"{whose} holds a builderKey that is none; expected {{key, secret, passphrase}}, the secret in base64"
            )
        return BuilderKey(key, secret, passphrase)
    return None


def _words(content: Any, *names: str) -> list[str]:
    """Return the texts by these names; those that are none are empty."""
    found = [content.get(name) if isinstance(content, dict) else None for name in names]
    return [word if isinstance(word, str) and _WORD.fullmatch(word) else "" for word in found]


def _is_base64(secret: str) -> bool:
    try:
        return bool(base64.b64decode(secret + "=" * (-len(secret) % 4), altchars=b"-_", validate=True))
    except binascii.Error:
        return False

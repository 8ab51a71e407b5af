"""A wallet's private key, read from its file when it is needed and kept nowhere else."""

import json
import os
import re
import stat

from agents.errors import InvalidInput
from agents.ports import Wallet

_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")


def read_key(wallet: Wallet) -> str:
    """Return the private key of a wallet: its file is that key alone, or {privateKey, address} as JSON.

    Raises:
        InvalidInput: if the file is missing, is not its owner's alone, or does not hold the key of this wallet.
    """
    key, address = read_key_file(wallet.name, wallet.key_file)
    if address and address.lower() != wallet.address.lower():
        raise InvalidInput(
            f"the key file {wallet.key_file} is for {address}, and wallet {wallet.name} is {wallet.address}; name the right one"
        )
    return key


def read_key_file(name: str, path: str) -> tuple[str, str]:
    """Return the private key that a wallet's file holds, and the address that it says it is for, or "".

    Raises:
        InvalidInput: if the file is missing, is not its owner's alone, or holds no key.
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
    address = ""
    if not _KEY.fullmatch(text):
        try:
            content = json.loads(text)
            text, address = str(content["privateKey"]), str(content.get("address") or "")
        except (ValueError, KeyError, TypeError, AttributeError):
            text = ""
    if not _KEY.fullmatch(text):
        raise InvalidInput(f"{whose} holds neither a private key nor {{privateKey, address}} as JSON")
    return text if text.startswith("0x") else f"0x{text}", address

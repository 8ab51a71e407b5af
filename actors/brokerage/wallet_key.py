"""A wallet's private key, read from its file when it is needed and kept nowhere else."""

import json
import os
import stat

from agents.errors import InvalidInput
from agents.ports import Wallet


def read_key(wallet: Wallet) -> str:
    """Return the private key of a wallet.

    Raises:
        InvalidInput: if the file is missing, is not its owner's alone, or does not hold the key of this wallet.
    """
    path = wallet.key_file
    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as error:
        raise InvalidInput(f"the key file {path} of wallet {wallet.name} cannot be read: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidInput(f"the key file {path} of wallet {wallet.name} is open to others; make it 0600")
    try:
        content = json.loads(text)
        key, address = str(content["privateKey"]), str(content["address"])
    except (ValueError, KeyError, TypeError):
        raise InvalidInput(f"the key file {path} of wallet {wallet.name} is not {{privateKey, address}} as JSON") from None
    if address.lower() != wallet.address.lower():
        raise InvalidInput(f"the key file {path} is for {address}, and wallet {wallet.name} is {wallet.address}")
    return key

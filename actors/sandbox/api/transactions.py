"""Signed transactions of the chain: who sent one, and which call of which contract it makes."""

from dataclasses import dataclass
from typing import Any

import rlp  # type: ignore[import-untyped]
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from actors.sandbox.api.chain import CHAIN_ID


class Invalid(Exception):
    """Raised when bytes are no signed transaction of this chain, or call data is of no function that is known."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed transaction. `hash` is the one that the sender computes; addresses are lower-case."""

    hash: str
    sender: str
    to: str
    nonce: int
    data: bytes
    value: int


def read(raw: bytes) -> Transaction:
    """Read a signed transaction, legacy or typed, and recover its sender. Raises Invalid for anything else."""
    try:
        sender = Account.recover_transaction(raw).lower()
        to, nonce, data, value, chain = _typed(raw) if raw[0] <= 0x7F else _legacy(raw)
    except Exception as error:  # Each layer of the decoders has errors of its own, for bytes of a stranger.
        raise Invalid(f"invalid transaction: {error}") from None
    if chain != CHAIN_ID:
        raise Invalid("invalid sender: the transaction is for another chain")
    return Transaction("0x" + keccak(raw).hex(), sender, "0x" + to.hex(), nonce, data, value)


def _typed(raw: bytes) -> tuple[bytes, int, bytes, int, int]:
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return bytes(fields["to"]), int(fields["nonce"]), bytes(fields["data"]), int(fields["value"]), int(fields["chainId"])


def _legacy(raw: bytes) -> tuple[bytes, int, bytes, int, int]:
    nonce, _, _, to, value, data, v, _, _ = rlp.decode(raw)
    return to, int.from_bytes(nonce, "big"), data, int.from_bytes(value, "big"), (int.from_bytes(v, "big") - 35) // 2


class Function:
    """A contract's function that is known: its selector and the types of its arguments."""

    def __init__(self, name: str, *types: str) -> None:
        self.name = name
        self.types = types
        self.selector = keccak(f"{name}({','.join(types)})".encode())[:4]


def parse(data: bytes, functions: dict[bytes, Function]) -> tuple[Function, tuple[Any, ...]]:
    """Read call data as one of some functions and its arguments. Raises Invalid if it is of none of them."""
    function = functions.get(data[:4])
    if function is None:
        raise Invalid("execution reverted")
    try:
        return function, tuple(decode(function.types, data[4:]))
    except DecodingError:
        raise Invalid("execution reverted") from None


def by_selector(*functions: Function) -> dict[bytes, Function]:
    """Return functions by their selectors."""
    return {function.selector: function for function in functions}

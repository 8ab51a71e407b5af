"""What clients sign: the typed data (EIP-712) of orders and of the sign-in, and who signed it.

Written out by hand rather than with eth-account's general encoder, which takes ten times as long and would stall the
event loop at every order.
"""

from dataclasses import dataclass
from functools import lru_cache

import coincurve
from eth_utils.crypto import keccak

from actors.sandbox.api.chain import CHAIN_ID

_DOMAIN = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_ORDER_TYPE = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_ORDER = keccak(_ORDER_TYPE)
_WRAPPER = keccak(
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    + _ORDER_TYPE
)
_SIGN_IN_DOMAIN = keccak(
    keccak(b"EIP712Domain(string name,string version,uint256 chainId)")
    + keccak(b"ClobAuthDomain")
    + keccak(b"1")
    + CHAIN_ID.to_bytes(32, "big")
)
_SIGN_IN = keccak(b"ClobAuth(address address,string timestamp,uint256 nonce,string message)")
_SIGN_IN_MESSAGE = keccak(b"This message attests that I control the given wallet")

#: What a contract wallet's signature carries behind the owner's: its order's type and the length of that.
_TRAILER = _ORDER_TYPE + len(_ORDER_TYPE).to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class OrderFields:
    """The signed fields of an order; amounts in millionths, side 0 for BUY and 1 for SELL."""

    salt: int
    maker: str
    signer: str
    token_id: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp: int
    metadata: bytes
    builder: bytes


def order_hash(order: OrderFields, exchange: str) -> bytes:
    """Return an order's hash, which is its id. Raises OverflowError for a field that does not fit its type."""
    return _digest(_domain(exchange), _contents(order))


def order_signer(order: OrderFields, exchange: str, signature: bytes) -> str | None:
    """Return the lower-case address of the key that signed an order, or None if the signature is none of it.

    A contract wallet (signature type 3) is signed for by its owner in a wrapper (ERC-7739).
    """
    domain, contents = _domain(exchange), _contents(order)
    if order.signature_type != 3:
        return recover(_digest(domain, contents), signature)
    if signature[65:] != domain + contents + _TRAILER:
        return None
    wrapper = keccak(
        _WRAPPER + contents + keccak(b"DepositWallet") + keccak(b"1") + _word(CHAIN_ID) + _address(order.signer) + bytes(32)
    )
    return recover(_digest(domain, wrapper), signature[:65])


def sign_in_signer(address: str, timestamp: str, nonce: int, signature: bytes) -> str | None:
    """Return the lower-case address of the key that signed a sign-in (L1), or None."""
    contents = keccak(_SIGN_IN + _address(address) + keccak(timestamp.encode()) + _word(nonce) + _SIGN_IN_MESSAGE)
    return recover(_digest(_SIGN_IN_DOMAIN, contents), signature)


def recover(digest: bytes, signature: bytes) -> str | None:
    """Return the lower-case address whose key signed a digest, or None if that is no signature."""
    if len(signature) != 65:
        return None
    recovery = signature[64] - 27 if signature[64] >= 27 else signature[64]
    try:
        key = coincurve.PublicKey.from_signature_and_message(signature[:64] + bytes([recovery]), digest, hasher=None)
    except Exception:  # The library raises bare exceptions for a signature that is none.
        return None
    return "0x" + keccak(key.format(compressed=False)[1:])[12:].hex()


@lru_cache(maxsize=8)
def _domain(exchange: str) -> bytes:
    return keccak(_DOMAIN + keccak(b"Polymarket CTF Exchange") + keccak(b"2") + _word(CHAIN_ID) + _address(exchange))


def _contents(order: OrderFields) -> bytes:
    return keccak(
        _ORDER
        + _word(order.salt)
        + _address(order.maker)
        + _address(order.signer)
        + _word(order.token_id)
        + _word(order.maker_amount)
        + _word(order.taker_amount)
        + _word(order.side)
        + _word(order.signature_type)
        + _word(order.timestamp)
        + order.metadata
        + order.builder
    )


def _digest(domain: bytes, contents: bytes) -> bytes:
    return keccak(b"\x19\x01" + domain + contents)


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _address(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])

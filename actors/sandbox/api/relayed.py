"""What is posted to the relayer: which calls a wallet shall make, and whether its owner signed them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_account.messages import SignableMessage, encode_defunct, encode_typed_data
from eth_utils.crypto import keccak

from actors.sandbox.api.chain import (
    CHAIN_ID,
    DEPOSIT_WALLET_FACTORY,
    OF_TYPE,
    PROXY_FACTORY,
    RELAY_HUB,
    SAFE_MULTISEND,
    wallets,
)
from actors.sandbox.api.contracts import ContractCall
from actors.sandbox.api.eip712 import recover
from actors.sandbox.api.transactions import Function, by_selector, parse
from actors.sandbox.api.written import ADDRESS, NUMBER, matching
from actors.sandbox.records import Refused

#: The address that brings the transactions of proxies to the chain.
RELAY = "0x" + "5e1a" * 10
#: Which of a signer's `wallets` a type of transaction may be for.
WALLETS = {"PROXY": OF_TYPE[1], "SAFE": OF_TYPE[2], "WALLET": OF_TYPE[3]}

_PROXY = by_selector(Function("proxy", "(uint8,address,uint256,bytes)[]"))
_MULTISEND = by_selector(Function("multiSend", "bytes"))
_CALL, _DELEGATE_CALL = 0, 1
#: How the proxy factory names a call.
_PROXY_CALL = 1
#: What the signature of a Safe adds to its last byte where the owner signed as for a message.
_AS_MESSAGE = 4

_TYPES: dict[str, list[tuple[str, str]]] = {
    "SafeTx": [
        ("to", "address"),
        ("value", "uint256"),
        ("data", "bytes"),
        ("operation", "uint8"),
        ("safeTxGas", "uint256"),
        ("baseGas", "uint256"),
        ("gasPrice", "uint256"),
        ("gasToken", "address"),
        ("refundReceiver", "address"),
        ("nonce", "uint256"),
    ],
    "Batch": [("wallet", "address"), ("nonce", "uint256"), ("deadline", "uint256"), ("calls", "Call[]")],
    "Call": [("target", "address"), ("value", "uint256"), ("data", "bytes")],
}


@dataclass(frozen=True, slots=True)
class Relayed:
    """A posted transaction of a wallet. Addresses are lower-case; `signed_by` is None if the signature is none of it."""

    signer: str
    signed_by: str | None
    wallet: str
    nonce: int
    deadline: int | None
    calls: tuple[ContractCall, ...]

    @property
    def authentic(self) -> bool:
        """Whether the signer that it names signed it."""
        return self.signed_by == self.signer


def read(content: Any) -> Relayed:
    """Read a posted transaction and recover who signed it. Raises Refused for one that is malformed or for another's wallet."""
    kind = content.get("type") if isinstance(content, dict) else None
    reader = {"SAFE": _safe, "PROXY": _proxy, "WALLET": _batch}.get(str(kind))
    if reader is None:
        raise Refused("unsupported transaction type: the simulated relayer takes SAFE, PROXY and WALLET")
    try:
        relayed = reader(content)
    except Exception:  # Each layer of the decoders has errors of its own, for what a stranger posts.
        raise Refused("invalid transaction payload") from None
    mine = wallets(relayed.signer)
    if relayed.wallet not in [mine[index] for index in WALLETS[str(kind)]]:
        raise Refused("the wallet is none of the signer's")
    return relayed


def _safe(content: Mapping[str, Any]) -> Relayed:
    params, data = content["signatureParams"], _bytes(content["data"])
    wallet, operation = _address(content["proxyWallet"]), _number(params["operation"])
    target = ContractCall(_address(content["to"]), data, _number(content.get("value", "0")))
    fields = {
        "to": target.to,
        "value": target.value,
        "data": data,
        "operation": operation,
        "safeTxGas": _number(params["safeTxnGas"]),
        "baseGas": _number(params["baseGas"]),
        "gasPrice": _number(params["gasPrice"]),
        "gasToken": _address(params["gasToken"]),
        "refundReceiver": _address(params["refundReceiver"]),
        "nonce": _number(content["nonce"]),
    }
    digest, signature = _digest(_typed({"verifyingContract": wallet}, "SafeTx", fields)), _bytes(content["signature"])
    if signature[64] > 30:
        digest = _digest(encode_defunct(primitive=digest))
        signature = signature[:64] + bytes([signature[64] - _AS_MESSAGE])
    calls = (target,) if operation == _CALL else tuple(_sent(target, operation))
    return _relayed(content, wallet, calls, digest, signature)


def _proxy(content: Mapping[str, Any]) -> Relayed:
    params, data, to = content["signatureParams"], _bytes(content["data"]), _address(content["to"])
    relay, hub = _address(params["relay"]), _address(params["relayHub"])
    if (to, relay, hub) != (PROXY_FACTORY.lower(), RELAY, RELAY_HUB.lower()):
        raise ValueError
    numbers = (_number(each) for each in (params["relayerFee"], params["gasPrice"], params["gasLimit"], content["nonce"]))
    hash = keccak(
        b"rlx:"
        + bytes.fromhex(_address(content["from"])[2:] + to[2:])
        + data
        + b"".join(number.to_bytes(32, "big") for number in numbers)
        + bytes.fromhex(hub[2:] + relay[2:])
    )
    _, (found,) = parse(data, _PROXY)
    if any(kind != _PROXY_CALL for kind, *_ in found):
        raise ValueError
    calls = tuple(ContractCall(target, data, value) for _, target, value, data in found)
    digest = _digest(encode_defunct(primitive=hash))
    return _relayed(content, _address(content["proxyWallet"]), calls, digest, _bytes(content["signature"]))


def _batch(content: Mapping[str, Any]) -> Relayed:
    params = content["depositWalletParams"]
    if _address(content["to"]) != DEPOSIT_WALLET_FACTORY.lower():
        raise ValueError
    wallet, deadline = _address(params["depositWallet"]), _number(params["deadline"])
    calls = tuple(
        ContractCall(_address(call["target"]), _bytes(call["data"]), _number(call["value"])) for call in params["calls"]
    )
    fields = {
        "wallet": wallet,
        "nonce": _number(content["nonce"]),
        "deadline": deadline,
        "calls": [{"target": call.to, "value": call.value, "data": call.data} for call in calls],
    }
    domain = {"name": "DepositWallet", "version": "1", "verifyingContract": wallet}
    digest = _digest(_typed(domain, "Batch", fields))
    return _relayed(content, wallet, calls, digest, _bytes(content["signature"]), deadline)


def _sent(call: ContractCall, operation: int) -> list[ContractCall]:
    """Return the calls that a Safe makes through the contract that sends many."""
    if operation != _DELEGATE_CALL or call.to != SAFE_MULTISEND.lower():
        raise ValueError
    _, (packed,) = parse(call.data, _MULTISEND)
    calls = []
    while packed:
        length = int.from_bytes(packed[53:85], "big")
        data, rest = packed[85 : 85 + length], packed[85 + length :]
        if packed[0] != _CALL or len(data) < length:
            raise ValueError
        calls.append(ContractCall("0x" + packed[1:21].hex(), data, int.from_bytes(packed[21:53], "big")))
        packed = rest
    return calls


def _relayed(
    content: Mapping[str, Any],
    wallet: str,
    calls: tuple[ContractCall, ...],
    digest: bytes,
    signature: bytes,
    deadline: int | None = None,
) -> Relayed:
    if not calls:
        raise ValueError
    nonce = _number(content["nonce"])
    return Relayed(_address(content["from"]), recover(digest, signature), wallet, nonce, deadline, calls)


def _typed(domain: Mapping[str, Any], type: str, fields: Mapping[str, Any]) -> SignableMessage:
    types = ("SafeTx",) if type == "SafeTx" else ("Batch", "Call")
    shapes = {name: [{"name": field, "type": kind} for field, kind in _TYPES[name]] for name in types}
    return encode_typed_data({"chainId": CHAIN_ID, **domain}, shapes, dict(fields))


def _digest(message: SignableMessage) -> bytes:
    return keccak(b"\x19" + message.version + message.header + message.body)


def _address(value: Any) -> str:
    return matching(ADDRESS, value).lower()


def _number(value: Any) -> int:
    return int(matching(NUMBER, value))


def _bytes(value: Any) -> bytes:
    return bytes.fromhex(str(value).removeprefix("0x"))

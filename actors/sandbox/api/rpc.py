"""A stub of the chain's JSON-RPC: balances and payouts to read, and signed transactions that split, merge and redeem."""

import json
from collections.abc import Callable
from typing import Any

from eth_abi.abi import encode

from actors.sandbox.api.chain import CHAIN_ID, DEPOSIT_WALLET_BEACON
from actors.sandbox.api.contracts import ContractCall, Contracts
from actors.sandbox.api.messages import Call, Operation
from actors.sandbox.api.transactions import Function, Invalid, Transaction, by_selector, parse, read
from actors.sandbox.records import Refused
from actors.sandbox.venue import Venue
from agents.money import ONE

_GAS = hex(300_000)
_GAS_PRICE = hex(30_000_000_000)
#: POL that every address has for gas: 10.
_GAS_BALANCE = hex(10 * 10**18)
_NO_LIMIT = 2**256 - 1
_REVERTED = 3
_SERVER = -32000

_READS = by_selector(
    Function("balanceOf", "address"),
    Function("decimals"),
    Function("allowance", "address", "address"),
    Function("balanceOf", "address", "uint256"),
    Function("balanceOfBatch", "address[]", "uint256[]"),
    Function("isApprovedForAll", "address", "address"),
    Function("getOutcomeSlotCount", "bytes32"),
    Function("payoutDenominator", "bytes32"),
    Function("payoutNumerators", "bytes32", "uint256"),
    Function("beacon"),
)


class RpcError(Exception):
    """Raised when the chain refuses a call; `code` is JSON-RPC's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Rpc:
    """The chain as the venue's accounts see it. A transaction is mined the moment it is sent."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._exchange = venue.exchange
        self._contracts = Contracts(venue.exchange)
        self._methods: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hex(CHAIN_ID),
            "net_version": lambda: str(CHAIN_ID),
            "web3_clientVersion": lambda: "polyfleet-sandbox",
            "eth_gasPrice": lambda: _GAS_PRICE,
            "eth_maxPriorityFeePerGas": lambda: _GAS_PRICE,
            "eth_estimateGas": lambda call, block="latest": _GAS,
            "eth_getBalance": lambda address, block="latest": _GAS_BALANCE,
            "eth_getCode": lambda address, block="latest": "0x",
            "eth_blockNumber": self._block_number,
            "eth_getBlockByNumber": self._block,
            "eth_getTransactionCount": lambda address, block="latest": hex(self._nonce(str(address).lower())),
            "eth_call": self._call,
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionReceipt": self._receipt,
        }

    def operations(self) -> tuple[Operation, ...]:
        """Return the one operation, under the prefix itself and below it."""
        return (Operation("POST", "/", self.serve),)

    def serve(self, call: Call) -> Any:
        """Answer one JSON-RPC request or a batch of them."""
        content = call.json()
        return [self._respond(request) for request in content] if isinstance(content, list) else self._respond(content)

    def _respond(self, request: Any) -> dict[str, Any]:
        known = isinstance(request, dict)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request.get("id") if known else None}
        method = self._methods.get(str(request.get("method"))) if known else None
        if method is None:
            return answer | {"error": {"code": -32601, "message": "the method does not exist"}}
        try:
            return answer | {"result": method(*(request.get("params") or []))}
        except RpcError as error:
            return answer | {"error": {"code": error.code, "message": error.message}}
        except Invalid as error:
            return answer | {"error": {"code": _REVERTED, "message": str(error)}}
        except (TypeError, ValueError, AttributeError, KeyError):
            return answer | {"error": {"code": -32602, "message": "invalid params"}}

    def _block_number(self) -> str:
        return hex(self._exchange.floor.wall_ms() // 2000)

    def _block(self, number: str, whole: bool = False) -> dict[str, Any]:
        wall = int(self._exchange.floor.wall())
        block = self._block_number()
        return {"number": block, "timestamp": hex(wall), "hash": _hash(block), "baseFeePerGas": _GAS_PRICE, "transactions": []}

    def _call(self, request: dict[str, Any], block: str = "latest") -> str:
        data = bytes.fromhex(str(request.get("data") or request["input"]).removeprefix("0x"))
        function, arguments = parse(data, _READS)
        kind, value = self._read(function, arguments)
        return "0x" + encode([kind], [value]).hex()

    def _read(self, function: Function, arguments: tuple[Any, ...]) -> tuple[str, Any]:
        exchange = self._exchange
        match function.name, arguments:
            case "balanceOf", (owner,):
                return "uint256", exchange.cash(owner).total
            case "balanceOf", (owner, token):
                return "uint256", exchange.shares(owner, str(token)).total
            case "balanceOfBatch", (owners, tokens):
                return "uint256[]", [exchange.shares(owner, str(id)).total for owner, id in zip(owners, tokens, strict=True)]
            case "decimals", _:
                return "uint8", 6
            case "allowance", _:
                return "uint256", _NO_LIMIT
            case "isApprovedForAll", _:
                return "bool", True
            case "getOutcomeSlotCount", _:
                return "uint256", 2
            case "payoutDenominator", (condition,):
                return "uint256", ONE if self._payouts(condition) else 0
            case "payoutNumerators", (condition, index):
                payouts = self._payouts(condition)
                return "uint256", payouts[index] if payouts else 0
        return "address", DEPOSIT_WALLET_BEACON

    def _payouts(self, condition: bytes) -> tuple[int, int] | None:
        market = self._exchange.market("0x" + condition.hex())
        return market.payouts if market else None

    def _send(self, raw: str) -> str:
        try:
            transaction = read(bytes.fromhex(raw.removeprefix("0x")))
        except Invalid as error:
            raise RpcError(_SERVER, str(error)) from None
        if (known := self._venue.get_document(f"sent:{transaction.hash}")) is not None:
            return known
        expected = self._nonce(transaction.sender)
        if transaction.nonce != expected:
            raise RpcError(_SERVER, f"nonce too {'low' if transaction.nonce < expected else 'high'}")
        hash, succeeded = self._execute(transaction)
        self._venue.put_document(f"nonce:{transaction.sender}", str(expected + 1))
        self._venue.put_document(f"sent:{transaction.hash}", hash)
        receipt = {"from": transaction.sender, "to": transaction.to, "status": hex(succeeded), "block": self._block_number()}
        self._venue.put_document(f"receipt:{hash}", json.dumps(receipt))
        return hash

    def _execute(self, transaction: Transaction) -> tuple[str, bool]:
        """Carry a transaction out; return its hash on the chain and whether it succeeded.

        The hash is the one that the venue's records of it show, where it left any.
        """
        try:
            call = ContractCall(transaction.to, transaction.data, transaction.value)
            return self._contracts.execute(transaction.sender, [call]) or transaction.hash, True
        except (Invalid, Refused):
            return transaction.hash, False

    def _nonce(self, address: str) -> int:
        return int(self._venue.get_document(f"nonce:{address}") or 0)

    def _receipt(self, hash: str) -> dict[str, Any] | None:
        stored = self._venue.get_document(f"receipt:{hash}")
        if stored is None:
            return None
        receipt: dict[str, Any] = json.loads(stored)
        block = receipt.pop("block")
        return receipt | {
            "transactionHash": hash,
            "transactionIndex": "0x0",
            "blockNumber": block,
            "blockHash": _hash(block),
            "gasUsed": _GAS,
            "cumulativeGasUsed": _GAS,
            "effectiveGasPrice": _GAS_PRICE,
            "contractAddress": None,
            "logs": [],
            "logsBloom": "0x" + "00" * 256,
            "type": "0x0",
        }


def _hash(block: str) -> str:
    return f"0x{int(block, 16):064x}"

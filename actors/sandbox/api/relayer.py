"""The relayer: it brings what the owner of a proxy, a Safe or a deposit wallet has signed to the chain, and pays the gas.

Simulated. Keys, signatures, nonces, deadlines and one transaction at a time for each wallet are really checked. It is simpler
than the real one in this: a wallet exists once it holds an account, and none is deployed; a transaction is carried out a moment
after it was taken and confirmed a second after it, whatever the gas; it uses its nonce up even if it fails; of several calls
those before one that fails stay done; only a call of a function that is known succeeds.
"""

import asyncio
import json
from typing import Any
from uuid import uuid4

from eth_utils.crypto import keccak

from actors.sandbox.api.chain import wallets
from actors.sandbox.api.contracts import ContractCall, Contracts
from actors.sandbox.api.messages import Call, Operation
from actors.sandbox.api.relayed import RELAY, WALLETS, Relayed, read
from actors.sandbox.api.relayer_keys import RelayerKeys
from actors.sandbox.api.transactions import Invalid
from actors.sandbox.api.written import ADDRESS
from actors.sandbox.records import Refused
from actors.sandbox.venue import Venue

#: Wall milliseconds after which a transaction is carried out, mined and confirmed.
_EXECUTED, _MINED, _CONFIRMED = 300, 600, 1000
#: Wall seconds.
_MARGIN = 0.02
#: The document with the ids of the transactions that are not carried out yet.
_WAITING = "relayer:waiting"


class Relayer:
    """The operations of the relayer."""

    def __init__(self, venue: Venue, keys: RelayerKeys) -> None:
        self._venue = venue
        self._exchange = venue.exchange
        self._contracts = Contracts(venue.exchange)
        self._keys = keys

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations."""
        return (
            Operation("GET", "/deployed", self.deployed),
            Operation("GET", "/v1/account/transactions/params", self.params),
            Operation("GET", "/relay-payload", self.payload),
            Operation("POST", "/submit", self.submit),
            Operation("GET", "/v1/account/transactions/{id}", self.transaction),
        )

    def deployed(self, call: Call) -> dict[str, bool]:
        """Say whether a wallet exists: here, whether it holds an account."""
        return {"deployed": _address(call) in self._exchange.addresses()}

    def params(self, call: Call) -> dict[str, str]:
        """Return the nonce that the next transaction of a signer's wallet must carry."""
        self._keys.require(call)
        self._run_due()
        return {"address": _address(call), "nonce": str(self._nonce(self._wallet(call)))}

    def payload(self, call: Call) -> dict[str, str]:
        """Return that nonce and the address that will bring a proxy's transaction to the chain."""
        return self.params(call) | {"address": RELAY}

    def submit(self, call: Call) -> dict[str, str]:
        """Take a signed transaction; it is carried out soon. Raises Refused (400) where it may never be."""
        caller = self._keys.require(call)
        self._run_due()
        relayed = read(call.json())
        if caller not in ("", relayed.signer):
            raise Refused("the key is of another signer", 401)
        self._check(relayed)
        id = str(uuid4())
        record = {
            "signer": relayed.signer,
            "wallet": relayed.wallet,
            "nonce": relayed.nonce,
            "calls": [[each.to, each.data.hex(), each.value] for each in relayed.calls],
            "at": self._exchange.floor.wall_ms(),
        }
        self._put(id, record)
        self._venue.put_document(f"relayer:last:{relayed.wallet}", id)
        self._venue.put_document(_WAITING, json.dumps([*self._waiting(), id]))
        # A little later than it is due, since two clocks tell the time here.
        asyncio.get_running_loop().call_later(_EXECUTED / 1000 + _MARGIN, self._run_due)
        return {"transactionID": id, "transactionHash": "", "state": self._state(record)}

    def transaction(self, call: Call) -> dict[str, str]:
        """Return what became of a transaction. Raises Refused (404) for an unknown one, or one of another signer."""
        caller = self._keys.require(call)
        self._run_due()
        id = call.params["id"]
        record = self._get(id)
        if record is None or caller not in ("", record["signer"]):
            raise Refused("transaction not found", 404)
        return {
            "transaction_id": id,
            "transaction_hash": record.get("hash", ""),
            "state": self._state(record),
            "error_msg": record.get("error", ""),
        }

    def _check(self, relayed: Relayed) -> None:
        if not relayed.authentic:
            raise Refused("invalid signature")
        if relayed.wallet not in self._exchange.addresses():
            raise Refused("the wallet is not deployed")
        if relayed.deadline is not None and relayed.deadline < self._exchange.floor.wall():
            raise Refused("the deadline of the batch is over")
        last = self._get(self._venue.get_document(f"relayer:last:{relayed.wallet}") or "")
        if last is not None and self._state(last) not in ("STATE_CONFIRMED", "STATE_FAILED"):
            raise Refused("wallet has in-flight action")
        expected = self._nonce(relayed.wallet)
        if relayed.nonce != expected:
            raise Refused(f"batch nonce {relayed.nonce} does not match on-chain nonce {expected}")

    def _run_due(self) -> None:
        """Carry out what is due. Requests do it too: after a restart nothing else would."""
        waiting, left = self._waiting(), []
        for id in waiting:
            record = self._get(id)
            assert record is not None
            if self._exchange.floor.wall_ms() < record["at"] + _EXECUTED:
                left.append(id)
                continue
            self._put(id, record | self._execute(id, record))
            self._venue.put_document(f"relayer:nonce:{record['wallet']}", str(record["nonce"] + 1))
        if left != waiting:
            self._venue.put_document(_WAITING, json.dumps(left))

    def _execute(self, id: str, record: dict[str, Any]) -> dict[str, str]:
        calls = [ContractCall(to, bytes.fromhex(data), value) for to, data, value in record["calls"]]
        try:
            hash = self._contracts.execute(record["wallet"], calls)
        except Invalid as error:
            return {"error": str(error)}
        except Refused as error:
            return {"error": f"execution reverted: {error.message}"}
        return {"hash": hash or "0x" + keccak(text=id).hex(), "error": ""}

    def _state(self, record: dict[str, Any]) -> str:
        if "error" not in record:
            return "STATE_NEW"
        if record["error"]:
            return "STATE_FAILED"
        age = self._exchange.floor.wall_ms() - record["at"]
        return "STATE_CONFIRMED" if age >= _CONFIRMED else "STATE_MINED" if age >= _MINED else "STATE_EXECUTED"

    def _wallet(self, call: Call) -> str:
        """Return the wallet that a question is about; of two deposit wallets the older one, if that exists."""
        indices = WALLETS.get(call.one("type"))
        if indices is None:
            raise Refused("invalid transaction type")
        mine = wallets(_address(call))
        known = self._exchange.addresses()
        return next((mine[index] for index in reversed(indices) if mine[index] in known), mine[indices[0]])

    def _nonce(self, wallet: str) -> int:
        return int(self._venue.get_document(f"relayer:nonce:{wallet}") or 0)

    def _waiting(self) -> list[str]:
        found: list[str] = json.loads(self._venue.get_document(_WAITING) or "[]")
        return found

    def _get(self, id: str) -> dict[str, Any] | None:
        stored = self._venue.get_document(f"relayer:transaction:{id}")
        return json.loads(stored) if stored else None

    def _put(self, id: str, record: dict[str, Any]) -> None:
        self._venue.put_document(f"relayer:transaction:{id}", json.dumps(record))


def _address(call: Call) -> str:
    address = call.one("address").lower()
    if not ADDRESS.fullmatch(address):
        raise Refused("invalid address")
    return address

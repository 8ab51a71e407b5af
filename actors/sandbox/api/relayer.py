"""A stub of the relayer: it knows which wallets exist; it sends nothing, since the simulated wallets pay their own gas."""

from typing import Any

from actors.sandbox.api.messages import Call, Operation
from actors.sandbox.records import Refused
from actors.sandbox.venue import Venue


class Relayer:
    """The operations of the relayer."""

    def __init__(self, venue: Venue) -> None:
        self._exchange = venue.exchange

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations."""
        return (
            Operation("GET", "/deployed", self.deployed),
            Operation("GET", "/nonce", self.nonce),
            Operation("POST", "/submit", self.submit),
            Operation("GET", "/transaction", self.transaction),
        )

    def deployed(self, call: Call) -> Any:
        """Say whether a wallet exists: here, whether it holds an account."""
        return {"deployed": self._address(call) in self._exchange.addresses()}

    def nonce(self, call: Call) -> Any:
        """Return a wallet's nonce, which nothing uses up."""
        return {"address": self._address(call), "nonce": "0"}

    def submit(self, call: Call) -> Any:
        """Refuse a gasless transaction."""
        raise Refused("the simulated relayer sends no transactions: use a wallet of signature type 0, which sends its own")

    def transaction(self, call: Call) -> Any:
        """Find no transaction."""
        raise Refused("transaction not found", 404)

    def _address(self, call: Call) -> str:
        address = call.one("address").lower()
        if not address:
            raise Refused("invalid address")
        return address

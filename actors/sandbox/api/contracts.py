"""What an account makes the chain's contracts do, whoever sends its transaction: split, merge, redeem, approve."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from actors.sandbox.api.chain import CONTRACTS
from actors.sandbox.api.transactions import Function, Invalid, by_selector, parse
from actors.sandbox.exchange import Exchange
from actors.sandbox.records import MarketRecord, Refused

_WRITES = by_selector(
    Function("splitPosition", "address", "bytes32", "bytes32", "uint256[]", "uint256"),
    Function("mergePositions", "address", "bytes32", "bytes32", "uint256[]", "uint256"),
    Function("redeemPositions", "address", "bytes32", "bytes32", "uint256[]"),
    Function("approve", "address", "uint256"),
    Function("setApprovalForAll", "address", "bool"),
)


@dataclass(frozen=True, slots=True)
class ContractCall:
    """A call of a contract, whose address may be in any case."""

    to: str
    data: bytes
    value: int = 0


class Contracts:
    """The contracts of one venue's chain. Approvals change nothing: every account has made all of them."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def execute(self, owner: str, calls: Sequence[ContractCall]) -> str:
        """Make calls for an account and return the hash that the venue's records of the last one show, or "".

        All calls are read before the first is made. Unlike on the real chain, one that is refused leaves those before it done.

        Raises:
            Invalid: if a call is of no function that is known.
            Refused: if one cannot be done.
        """
        known = [_known(call) for call in calls]
        hashes = [self._execute(owner, function, arguments) for function, arguments in known]
        return next((hash for hash in reversed(hashes) if hash), "")

    def _execute(self, owner: str, function: Function, arguments: tuple[Any, ...]) -> str:
        exchange = self._exchange
        match function.name, arguments:
            case "splitPosition", (_, _, condition, _, amount):
                return exchange.split(owner, self._market(condition).condition_id, amount)
            case "mergePositions", (_, _, condition, _, amount):
                return exchange.merge(owner, self._market(condition).condition_id, amount)
            case "redeemPositions", (_, _, condition, sets):
                market = self._market(condition)
                tokens = [token for index, token in enumerate(market.tokens) if 1 << index in sets]
                return exchange.redeem(owner, market.condition_id, tokens)
        return ""

    def _market(self, condition: bytes) -> MarketRecord:
        market = self._exchange.market("0x" + condition.hex())
        if market is None:
            raise Refused("condition not prepared")
        return market


def _known(call: ContractCall) -> tuple[Function, tuple[Any, ...]]:
    if call.to.lower() not in CONTRACTS or call.value:
        raise Invalid("execution reverted")
    return parse(call.data, _WRITES)

"""The line protocol of the seed's agents: one JSON object a line on a program's standard output.

A program is no more trusted than market text: whatever it writes, a line is read, refused with a sentence, or passed over.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn

from pydantic.alias_generators import to_snake

from agents.errors import InvalidInput
from agents.events import Event, Type
from agents.money import ONE, Micro

#: Characters that are kept of a name, and of a reason.
_NAME = 500
_REASON = 2000

#: The names that the seed's code spells its own way.
_SPELT_TWICE = (
    "marketId",
    "marketQuestion",
    "suggestedAmount",
    "tradeId",
    "txHash",
    "transactionHash",
    "profitLoss",
    "agentId",
)

#: Bytes that a pipe takes in one piece, less the end of the line.
_PIPE = 4095

#: The greatest amount that is believed, in pUSD.
_MOST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run beside an agent; times are wall seconds.

    `environment` is added to the seed's variables, `directory` is where it runs (empty: the home directory). A line may have
    `max_line` bytes; one that nobody asked for within `max_age` is dropped; a program that writes nothing for `silence` has
    failed. Unless it is one that `trades` by itself, it is told not to.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: str = ""
    risk_tolerance: str = "MEDIUM"
    trades: bool = False
    max_line: int = 65_536
    max_age: float = 120.0
    silence: float = 600.0


class Lines:
    """Makes lines of the pieces in which a stream arrives; no more than one line is kept, and no more than `longest` bytes."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._start = bytearray()
        self._skipping = False
        #: Lines that were too long, and so left out.
        self.too_long = 0

    def feed(self, piece: bytes) -> list[str]:
        """Take the next piece and return the lines that it ends, without their ends and without empty ones."""
        *ended, rest = piece.split(b"\n")
        lines = [line for part in ended if (line := self._end(part))]
        self._keep(rest)
        return lines

    def finish(self) -> list[str]:
        """Return the line that the stream broke off in, if there is one."""
        line = self._end(b"")
        return [line] if line else []

    def _keep(self, part: bytes) -> None:
        if self._skipping:
            return
        if len(self._start) + len(part) > self._longest:
            self._skipping = True
            self._start.clear()
            self.too_long += 1
            return
        self._start += part

    def _end(self, part: bytes) -> str:
        self._keep(part)
        line = self._start.decode(errors="replace").strip()
        self._start.clear()
        self._skipping = False
        return line


@dataclass(frozen=True, slots=True)
class SaidDecision:
    """A decision as a program said it. `names` may each name the market, the surest first; amounts are pUSD, None: not said.

    `whole`: it is to be filled entirely or not at all.
    """

    names: tuple[str, ...]
    outcome: str
    action: str
    confidence: float
    reasoning: str
    amount: Micro | None
    price: Micro | None
    max_spend: Micro | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class SaidTrade:
    """A trade that a program says it made, as it said it."""

    id: str
    names: tuple[str, ...]
    outcome: str
    action: str
    amount: Micro
    price: Micro
    profit: Micro
    status: str
    tx_hash: str
    error: str


@dataclass(frozen=True, slots=True)
class Report:
    """An event about what a program says it did; whoever logs it adds `id`, `timestamp` and `venueTime`."""

    type: Type
    data: Mapping[str, Any]


def parse(line: str) -> SaidDecision | SaidTrade | None:
    """Return what a line says, or None if it is none of the protocol; what stands around the JSON is passed over.

    Both spellings of a name are read, `marketId` and `market_id`.

    Raises:
        InvalidInput: if it is a decision or a trade, and a field is missing or wrong.
    """
    fields = _object(line)
    match fields.get("type") if fields else None:
        case "decision":
            return _decision(fields)
        case "trade":
            return _trade(fields)
    return None


def is_spoken(line: str) -> bool:
    """Whether a line is a decision or a trade, right or wrong."""
    return _object(line).get("type") in ("decision", "trade")


def written(event: Event) -> str:
    """Write a decision or a trade as the seed's programs do: one line that a pipe passes on whole, with both spellings."""
    fields = {**event.data, "agentId": event.agent_id, "type": str(event.type)}
    fields |= {to_snake(name): fields[name] for name in _SPELT_TWICE if name in fields}
    line, reason = json.dumps(fields), str(fields.get("reasoning", ""))
    while len(line) > _PIPE and reason:
        reason = reason[: len(reason) * 3 // 4]
        line = json.dumps(fields | {"reasoning": reason})
    return line


def _object(line: str) -> dict[str, Any]:
    start, end = line.find("{"), line.rfind("}")
    if start < 0 or end < start:
        return {}
    try:
        found = json.loads(line[start : end + 1], parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _decision(fields: Mapping[str, Any]) -> SaidDecision:
    action = _action(fields, "buy", "sell", "hold")
    confidence = _number(fields, "confidence", most=1)
    return SaidDecision(
        names=_names(fields),
        outcome=_text(fields, "outcome"),
        action=action,
        confidence=float(confidence or 0),
        reasoning=_text(fields, "reasoning", longest=_REASON) or "It gave no reason.",
        amount=_micro(_number(fields, "suggestedAmount", "amount", most=_MOST)),
        price=_price(fields),
        max_spend=_micro(_number(fields, "maxSpend", most=_MOST)) or None,
        whole=_text(fields, "orderType").upper() == "FOK",
    )


def _trade(fields: Mapping[str, Any]) -> SaidTrade:
    amount = _micro(_number(fields, "amount", most=_MOST))
    if amount is None:
        raise InvalidInput('its trade has no "amount"; expected pUSD as a number')
    return SaidTrade(
        id=_text(fields, "tradeId", "id"),
        names=_names(fields),
        outcome=_text(fields, "outcome"),
        action=_action(fields, "buy", "sell"),
        amount=amount,
        price=_price(fields) or 0,
        profit=_micro(_number(fields, "profitLoss", "profit", least=-_MOST, most=_MOST)) or 0,
        status=_text(fields, "status").upper() or "EXECUTED",
        tx_hash=_text(fields, "transactionHash", "txHash"),
        error=_text(fields, "error", longest=_REASON),
    )


def _values(fields: Mapping[str, Any], *names: str) -> Any:
    """Yield what is given under one of the names, in either spelling."""
    for name in names:
        for spelling in dict.fromkeys((name, to_snake(name))):
            if fields.get(spelling) is not None:
                yield fields[spelling]


def _text(fields: Mapping[str, Any], *names: str, longest: int = _NAME) -> str:
    """Return the first text, on one line and without what a terminal would obey; a number is taken for text."""
    for value in _values(fields, *names):
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            printable = "".join(char if char.isprintable() else " " for char in str(value)[:longest])
            if cleaned := " ".join(printable.split()):
                return cleaned
    return ""


def _names(fields: Mapping[str, Any]) -> tuple[str, ...]:
    keys = ("conditionId", "marketId", "slug", "market", "marketQuestion", "question")
    found = tuple(dict.fromkeys(name for key in keys if (name := _text(fields, key))))
    if not found:
        raise InvalidInput('it names no market; expected "marketId" or "market"')
    return found


def _action(fields: Mapping[str, Any], *known: str) -> str:
    action = (_text(fields, "action") or _text(fields, "side")).lower()
    if action not in known:
        raise InvalidInput(f'its "action" is {action[:20]!r}; expected {", ".join(known)}')
    return action


def _price(fields: Mapping[str, Any]) -> Micro | None:
    """Return the price that it said; 0 stands for none, as some programs write it."""
    price = _micro(_number(fields, "price", most=1))
    if price == ONE:
        raise InvalidInput('its "price" is 1; expected less')
    return price or None


def _number(fields: Mapping[str, Any], *names: str, most: int, least: int = 0) -> Decimal | None:
    for value in _values(fields, *names):
        try:
            found = Decimal(value) if isinstance(value, int | str | Decimal) and not isinstance(value, bool) else None
        except ArithmeticError:
            found = None
        if found is None or not found.is_finite() or not least <= found <= most:
            raise InvalidInput(f'its "{names[0]}" is {str(value)[:40]!r}; expected a number from {least} to {most}')
        return found
    return None


def _micro(value: Decimal | None) -> Micro | None:
    """Return millionths, what is smaller cut off: programs reckon in floats."""
    return None if value is None else int(value.scaleb(6))

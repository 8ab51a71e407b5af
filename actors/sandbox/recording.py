"""Reading recorded markets: JSON lines, gzip or plain, checked line by line so that an error names its place."""

import gzip
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agents.errors import InvalidInput

#: The last second of the year 9999; a time in milliseconds lies far beyond it.
_LAST_SECOND = 253_402_300_799
_GZIP = b"\x1f\x8b"

_Seconds = Annotated[int, Field(ge=0, le=_LAST_SECOND)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class Point(_Strict):
    """A bar: from epoch second `t` on, the price is `p`."""

    t: _Seconds
    p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class RecordedOutcome(_Strict):
    """One side of a recorded market."""

    token_id: Annotated[str, Field(pattern=r"^[0-9]{1,78}$")]
    history: tuple[Point, ...]

    @field_validator("history")
    @classmethod
    def _ordered(cls, history: tuple[Point, ...]) -> tuple[Point, ...]:
        for index, (earlier, later) in enumerate(pairwise(history)):
            if later.t <= earlier.t:
                raise ValueError(f"point {index + 1} is not later than the one before it")
        return history


class RecordedMarket(_Strict):
    """One resolved market as recorded; fields that nothing needs are ignored."""

    condition_id: Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$")]
    question: Annotated[str, Field(min_length=1)]
    description: str
    #: ISO dates, "N/A" where unknown; many markets resolved before `close`.
    open: str | None
    close: str | None
    resolved_at: _Seconds
    winning_outcome: str
    outcomes: Annotated[dict[str, RecordedOutcome], Field(min_length=1, max_length=2)]
    gamma_market_id: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = None

    @field_validator("open", "close")
    @classmethod
    def _date(cls, text: str | None) -> str | None:
        moment(text)
        return text

    @model_validator(mode="after")
    def _consistent(self) -> "RecordedMarket":
        sides = list(self.outcomes.values())
        if len(sides) == 2 and sides[0].token_id == sides[1].token_id:
            raise ValueError("both outcomes have the same token_id")
        if len(sides) == 2 and self.winning_outcome not in self.outcomes:
            raise ValueError(f"winning_outcome {self.winning_outcome!r} is none of {', '.join(self.outcomes)}")
        if not any(point.t < self.resolved_at for side in sides for point in side.history):
            raise ValueError("outcomes hold no price from before resolved_at")
        return self


def moment(text: str | None) -> int | None:
    """Return an ISO date (UTC unless it says otherwise) as epoch milliseconds; None for none or "N/A".

    Raises:
        ValueError: if it is no date.
    """
    if text is None or text == "N/A":
        return None
    try:
        when = datetime.fromisoformat(text)
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not an ISO date such as 2025-11-20") from None


def parse(line: bytes, place: str) -> RecordedMarket:
    """Parse one line; `place` says where it stands.

    Raises:
        InvalidInput: if it is not JSON or a field is missing or wrong.
    """
    try:
        return RecordedMarket.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{place}: {field + ': ' if field else ''}{message}") from None


def read(path: str) -> Iterator[tuple[bytes, RecordedMarket]]:
    """Yield each line of a markets file with the market that it holds.

    Raises:
        InvalidInput: if the file cannot be read or a line is corrupt; the message names file, line and field.
    """
    seen: dict[str, int] = {}
    number = 0
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        place = f"markets file {path}, line {number}"
        market = parse(line, place)
        for key in (market.condition_id.lower(), *(side.token_id for side in market.outcomes.values())):
            if key in seen:
                raise InvalidInput(f"{place}: {'condition_id' if key[:2] == '0x' else 'token_id'} repeats line {seen[key]}")
            seen[key] = number
        yield line, market
    if not seen:
        raise InvalidInput(f"markets file {path} holds no market; expected one JSON object a line")


def _lines(path: str) -> Iterator[bytes]:
    number = 1
    try:
        with Path(path).open("rb") as file:
            packed = file.read(2) == _GZIP
        if path.endswith(".gz") and not packed:
            raise InvalidInput(f"markets file {path}, line 1: not gzip data although its name ends in .gz")
        with gzip.open(path) if packed else Path(path).open("rb") as lines:
            for line in lines:
                yield line
                number += 1
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidInput(f"markets file {path}, line {number}: corrupt gzip data ({error})") from None
    except OSError as error:
        raise InvalidInput(f"markets file {path} cannot be read: {error.strerror or error}") from None

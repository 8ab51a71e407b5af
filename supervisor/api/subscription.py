"""What a plain WebSocket client says: its frames, and the subscription that it asks for."""

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.errors import InvalidInput
from agents.events import Event, Type
from supervisor.api.errors import explain

#: Characters that a client's frame may have.
_MAX_FRAME = 65_536


class Wanted(BaseModel):
    """The frame that asks for a subscription."""

    model_config = ConfigDict(extra="forbid", strict=True)

    op: str
    types: list[str] | None = Field(None, max_length=100)
    agents: list[str] | None = Field(None, max_length=1000)
    after: int | None = Field(None, ge=0, le=2**53)


class Subscription:
    """What a client wants. `cursor` is the last seq that it needs no more; `live` once nothing is left to replay."""

    def __init__(self, types: Iterable[str], agents: Iterable[str], cursor: int, *, live: bool) -> None:
        self.types = frozenset(types)
        self.agents = frozenset(agents)
        self.cursor = cursor
        self.live = live

    def wants(self, event: Event) -> bool:
        """Whether an event is one of those."""
        return (not self.types or event.type in self.types) and (not self.agents or event.agent_id in self.agents)


def parsed(frame: str | None) -> dict[str, Any]:
    """Return the object in a text frame; None stands for a binary one. Raises InvalidInput."""
    if frame is None:
        raise InvalidInput("a binary frame came; send JSON as text")
    if len(frame) > _MAX_FRAME:
        raise InvalidInput(f"the frame has {len(frame)} characters, expected at most {_MAX_FRAME}")
    try:
        message = json.loads(frame)
    except (ValueError, RecursionError):
        raise InvalidInput("the frame is not valid JSON") from None
    if not isinstance(message, dict):
        raise InvalidInput('the frame is not a JSON object such as {"op":"ping"}')
    return message


def wanted_of(message: dict[str, Any]) -> Wanted:
    """Return what a `subscribe` frame asks for. Raises InvalidInput."""
    try:
        wanted = Wanted.model_validate(message)
    except ValidationError as error:
        raise InvalidInput(explain(error.errors())[0]) from None
    unknown = sorted(set(wanted.types or ()) - set(Type))
    if unknown:
        raise InvalidInput(f"types: {unknown[0][:60]!r} is no type of event; there are {', '.join(Type)}")
    return wanted

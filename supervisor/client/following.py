"""Following the hub, apart from the socket: what is said and heard, where to resume, when to give up."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents.errors import InvalidInput, Unavailable
from supervisor.client.exchange import Address, sentence

if TYPE_CHECKING:
    from websockets.exceptions import WebSocketException

    from supervisor.client.answers import LoggedEvent

#: Seconds for which a lost hub is looked for, and between two attempts.
_PATIENCE = 30.0
_RETRY = 0.5

#: The code of a closing frame (RFC 6455) with which the hub refuses a token.
_POLICY = 1008


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that the log no longer has: the first and the last seq of them."""

    start: int
    end: int


class Following:
    """One follower: from `after` on, or from now if that is None; each event once and in order, through lost connections."""

    def __init__(self, address: Address, after: int | None, types: Sequence[str] | None, agents: Sequence[str] | None) -> None:
        self._address = address
        self._after = after
        self._filters = {name: list(value) for name, value in (("types", types), ("agents", agents)) if value}
        #: When the hub was last heard, in seconds of the monotonic clock.
        self._heard: float | None = None

    @property
    def greeting(self) -> str:
        """What is said first: a hub that needs a token refuses it at once, any other answers and says where the log is."""
        return json.dumps({"op": "ping"})

    def take(self, frame: str | bytes) -> LoggedEvent | Gap | str | None:
        """Return the news of a frame, or text to answer it with, if any.

        Raises:
            InvalidInput: if the hub refuses what is asked for.
        """
        self._heard = time.monotonic()
        message: dict[str, Any] = json.loads(frame)
        match message["op"]:
            case "event" if self._after is None or message["event"]["seq"] > self._after:
                event: LoggedEvent = message["event"]
                self._after = event["seq"]
                return event
            case "gap":
                self._after = message["to"]
                return Gap(message["from"], message["to"])
            case "hello":
                # From here on a lost connection loses nothing, even before the first event.
                self._after = message["seq"] if self._after is None else self._after
                return json.dumps({"op": "subscribe", "after": self._after} | self._filters)
            case "error":
                raise InvalidInput(message["error"])
        return None

    def lost(self, error: OSError | WebSocketException) -> float:
        """Return the seconds to wait before connecting again.

        Raises:
            InvalidInput: if the hub refuses the token.
            Unavailable: if the hub cannot be reached, or not any more for a while.
        """
        from websockets.exceptions import ConnectionClosed, InvalidStatus

        why = str(error)
        if isinstance(error, InvalidStatus):
            status = error.response.status_code
            why = sentence(error.response.body, status)
            if status in (401, 403):
                raise InvalidInput(why) from None
        elif isinstance(error, ConnectionClosed) and error.rcvd and error.rcvd.code == _POLICY:
            raise InvalidInput(error.rcvd.reason) from None
        if self._heard is None or time.monotonic() - self._heard > _PATIENCE:
            raise Unavailable(f"the hub at {self._address.hub} cannot be reached ({why})") from None
        return _RETRY

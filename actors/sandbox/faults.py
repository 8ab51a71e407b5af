"""The seam where faults plug in: what the venue asks at the points where something may go wrong; by itself nothing does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from actors.sandbox.records import MarketRecord, TradeRecord, TradeStatus
from agents.money import Micro

Channel = Literal["market", "user"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a request gets in place of its answer: JSON or text. `handled`: the venue does first what it was asked.

    `silent`: no answer ever comes; the rest counts only if the client waits for a minute.
    """

    status: int
    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    handled: bool = False
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Mishap:
    """Something that happens to the venue by itself. `kind`: "close" a market, change its "tick", or "revoke" all API keys."""

    kind: Literal["close", "tick", "revoke"]
    condition_id: str = ""
    payouts: tuple[Micro, Micro] = (0, 0)
    tick: Micro = 0


class Faults:
    """What may go wrong. A subclass answers otherwise than this one, with which nothing does."""

    #: Wall milliseconds after the match at which a trade is mined and confirmed.
    settlement: Sequence[tuple[int, TradeStatus]] = ((1000, TradeStatus.MINED), (2000, TradeStatus.CONFIRMED))

    def before(self, operation: str, address: str) -> None:
        """Raise `Refused` to refuse an operation: "place", "cancel", "split", "merge", "redeem" or "heartbeat"."""

    def settle(self, trade: TradeRecord) -> Sequence[tuple[int, TradeStatus]]:
        """Return the further statuses of a trade and when it takes them (wall milliseconds after the match).

        The last one must be CONFIRMED or FAILED; FAILED takes both sides' shares, cash and fee back. Asked again after a
        restart, it must say the same.
        """
        return self.settlement

    def trouble(self, method: str, path: str, body: bytes) -> Trouble | None:
        """Return what a request to the CLOB gets in place of its answer; the path is the API's own."""
        return None

    @property
    def strictness(self) -> float | None:
        """What share of the usual rate a signer may have before it gets 429; None: nobody is refused, only warned."""
        return None

    def deliveries(self, channel: Channel, event: str) -> Sequence[float]:
        """Return after how many wall seconds a frame goes out, once for each; none: it is lost.

        Events are those of the wire: "order" and "trade" of the user channel, "market_resolved" of the market channel.
        """
        return (0.0,)

    def frozen(self, channel: Channel, opened: float) -> bool:
        """Whether a socket that was opened at a wall second gets nothing any more but PONG."""
        return False

    def crosses_over(self) -> bool:
        """Whether a background trader who meets a user's order comes on the other token."""
        return False

    def payouts(self, market: MarketRecord, due: tuple[Micro, Micro]) -> tuple[Micro, Micro]:
        """Return what a market pays that is resolved now."""
        return due

    def mishaps(self, busy: Sequence[MarketRecord]) -> Sequence[Mishap]:
        """Return what happens now by itself, at each tick; `busy` are the open markets in which users have open orders."""
        return ()

"""The faults that the sandbox injects by name: how each is worded, and what it does at the points where the venue asks."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from actors.sandbox.faults import Channel, Faults, Mishap, Trouble
from actors.sandbox.records import MarketRecord, TradeRecord, TradeStatus
from agents.errors import InvalidInput
from agents.money import ONE, Micro

Kind = Literal["chance", "span", "moment", "share"]

#: How many times as long as a restart the venue is post-only after it (the real one: about two minutes).
_POST_ONLY = 4
#: Wall seconds by which a frame is late that is repeated or overtaken.
_LATE = 0.5

_ORDERS = frozenset({"/order", "/orders", "/cancel-all", "/cancel-market-orders"})

_BLOCKED = (
    "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head>"
    "<body><h1>Sorry, you have been blocked</h1><p>You are unable to access polymarket.com</p></body></html>"
)


@dataclass(frozen=True, slots=True)
class Named:
    """One fault. `default` is its value where none is given.

    chance: how often, 0 to 1. span: SECONDS that it lasts, or SECONDS/EVERY to come back; moment: once, or EVERY so many
    seconds; share: of what is allowed otherwise.
    """

    kind: Kind
    default: str
    does: str


KNOWN: Mapping[str, Named] = {
    "restart": Named("span", "5", "425 with Retry-After for orders and cancels, then post-only four times as long"),
    "post-only": Named("span", "30", "503 post_only_mode for orders that are not post-only"),
    "cancel-only": Named("span", "30", "503 cancel-only for all new orders"),
    "rate-limit": Named("share", "1", "429 with Retry-After where a signer's bucket is empty; 0.1 leaves a tenth of the rate"),
    "unavailable": Named("chance", "0.1", "503 of a load balancer, for any request to the CLOB"),
    "timeout-before": Named("chance", "0.1", "500 'order timed out' for a new order, which is not taken"),
    "timeout-after": Named("chance", "0.1", "500 'order timed out' for a new order, which is taken"),
    "forbidden": Named("chance", "0.1", "403 with Cloudflare's page for a POST"),
    "hang": Named("chance", "0.05", "a request to the CLOB that is not handled, and no answer comes"),
    "hang-after": Named("chance", "0.05", "an order or cancel that is handled, and no answer comes"),
    "failed": Named("chance", "0.1", "a match that fails on settlement: FAILED, and both sides are taken back"),
    "retrying": Named("chance", "0.1", "a trade that is RETRYING before it is mined"),
    "repeated": Named("chance", "0.2", "frames of the user channel that come twice"),
    "reordered": Named("chance", "0.2", "frames of the user channel that come after later ones"),
    "other-token": Named("chance", "1", "background traders who fill users' orders by the other token"),
    "silent-user": Named("moment", "", "user sockets that are open get nothing any more but PONG"),
    "frozen-market": Named("moment", "", "market sockets that are open get nothing any more but PONG"),
    "tick-change": Named("moment", "", "a market in which users have orders gets another price grid"),
    "close": Named("moment", "", "a market resolves under users' open orders"),
    "split": Named("chance", "1", "markets that resolve 50-50 (not those of multi-outcome events)"),
    "unannounced": Named("chance", "1", "resolutions without market_resolved"),
    "revoked": Named("moment", "", "all API keys are revoked"),
}


@dataclass(frozen=True, slots=True)
class _On:
    """A fault that is on since a wall second."""

    value: str
    size: float
    every: float | None
    since: float


class NamedFaults(Faults):
    """Injects what is switched on. What falls by chance follows from the seed and the order of what happens."""

    def __init__(self, seed: int, wall: Callable[[], float]) -> None:
        self._seed = seed
        self._wall = wall
        self._on: dict[str, _On] = {}
        self._random = {name: Random(f"{seed}/fault/{name}") for name in KNOWN}
        #: How often each fault has struck.
        self.struck: Counter[str] = Counter()
        #: How often each "moment" has come since it was switched on.
        self._moments: Counter[str] = Counter()

    @property
    def values(self) -> dict[str, str]:
        """What is on, with its value."""
        return {name: on.value for name, on in self._on.items()}

    def switch(self, wanted: Mapping[str, object]) -> None:
        """Switch faults on ("": with the default value) or off (None, False or 0); the rest stays as it is.

        Raises:
            InvalidInput: for an unknown name or a wrong value; then nothing is changed.
        """
        changes = {name: self._parse(name, value) for name, value in wanted.items()}
        for name, on in changes.items():
            self._moments.pop(name, None)
            if on is None:
                self._on.pop(name, None)
            else:
                self._on[name] = on

    def clear(self) -> None:
        """Switch everything off."""
        self._on.clear()

    def _parse(self, name: str, value: object) -> _On | None:
        known = KNOWN.get(name)
        if known is None:
            raise InvalidInput(f"there is no fault {name!r}; known are {', '.join(KNOWN)}")
        if value is None or value is False or value == 0:
            return None
        text = known.default if value is True or value == "" else str(value)
        first, _, second = text.partition("/")
        try:
            size, every = float(first or 0), float(second) if second else None
        except ValueError:
            size, every = -1.0, None
        if known.kind == "moment":
            size, every, wrong = 0.0, size or None, size < 0 or every is not None
            expected = "nothing (once) or the seconds after which it comes again"
        elif known.kind == "span":
            wrong = not 0 < size < float("inf") or (every is not None and not size < every < float("inf"))
            expected = "SECONDS, or SECONDS/EVERY to let it come back"
        else:
            wrong, expected = not 0 < size <= 1 or every is not None, "a number above 0 and at most 1"
        if wrong:
            raise InvalidInput(f"fault {name} has the value {text!r}; expected {expected}")
        return _On(text, size, every, self._wall())

    def _falls(self, name: str, random: Random | None = None) -> bool:
        """Whether a fault of chance strikes now."""
        on = self._on.get(name)
        if on is None or (random or self._random[name]).random() >= on.size:
            return False
        self.struck[name] += 1
        return True

    def _lasts(self, name: str, times: float = 1.0) -> float:
        """Return for how many seconds more a span lasts, when it is that many times as long; 0: it is over."""
        on = self._on.get(name)
        if on is None:
            return 0.0
        passed = self._wall() - on.since
        return max(on.size * times - (passed % on.every if on.every else passed), 0.0)

    def _moment(self, name: str) -> float | None:
        """Return the wall second of the latest moment of a fault, None if it is off."""
        on = self._on.get(name)
        if on is None or on.every is None:
            return on.since if on else None
        return on.since + (self._wall() - on.since) // on.every * on.every

    def _comes(self, name: str) -> bool:
        """Whether a moment of a fault has come that was not seen to yet."""
        on = self._on.get(name)
        if on is None:
            return False
        due = 1 + (int((self._wall() - on.since) / on.every) if on.every else 0)
        if self._moments[name] >= due:
            return False
        self._moments[name] = due
        return True

    # Requests

    def trouble(self, method: str, path: str, body: bytes) -> Trouble | None:
        """Return what a request gets in place of its answer."""
        placing = method == "POST" and path in _ORDERS
        if path in _ORDERS and (refusal := self._window(placing, body)):
            return refusal
        if self._falls("hang"):
            return Trouble(504, "", silent=True)
        if self._falls("unavailable"):
            return Trouble(503, "upstream connect error or disconnect/reset before headers", _PLAIN)
        if method == "POST" and self._falls("forbidden"):
            return Trouble(403, _BLOCKED, {"Content-Type": "text/html; charset=UTF-8", "Server": "cloudflare"})
        if placing and self._falls("timeout-before"):
            return Trouble(500, {"error": "order timed out"})
        if placing and self._falls("timeout-after"):
            return Trouble(500, {"error": "order timed out"}, handled=True)
        if path in _ORDERS and self._falls("hang-after"):
            return Trouble(504, "", handled=True, silent=True)
        return None

    def _window(self, placing: bool, body: bytes) -> Trouble | None:
        if left := self._lasts("restart"):
            return self._refusal("restart", 425, "the matching engine is restarting", left)
        if not placing:
            return None
        if left := self._lasts("cancel-only"):
            words = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
            return self._refusal("cancel-only", 503, words, left)
        left, after = self._lasts("post-only"), self._lasts("restart", 1 + _POST_ONLY)
        if (left or after) and not _post_only(body):
            words = "post-only mode: only post-only orders and cancels are allowed"
            return self._refusal("post-only" if left else "restart", 503, words, max(left, after), code="post_only_mode")
        return None

    def _refusal(self, name: str, status: int, error: str, left: float, **more: str) -> Trouble:
        self.struck[name] += 1
        seconds = int(left) + 1
        return Trouble(status, {"error": error, **more, "retry_after_seconds": seconds}, {"Retry-After": str(seconds), **_JSON})

    @property
    def strictness(self) -> float | None:
        """What share of the usual rate a signer may have."""
        on = self._on.get("rate-limit")
        return on.size if on else None

    # Trades and frames

    def settle(self, trade: TradeRecord) -> Sequence[tuple[int, TradeStatus]]:
        """Return what becomes of a trade; it follows from its id, so that a restart changes nothing."""
        if self._falls("failed", Random(f"{self._seed}/failed/{trade.trade_id}")):
            return ((500, TradeStatus.RETRYING), (1500, TradeStatus.FAILED))
        if self._falls("retrying", Random(f"{self._seed}/retrying/{trade.trade_id}")):
            return ((500, TradeStatus.RETRYING), (1500, TradeStatus.MINED), (2000, TradeStatus.CONFIRMED))
        return self.settlement

    def deliveries(self, channel: Channel, event: str) -> Sequence[float]:
        """Return after how many seconds a frame goes out."""
        if channel == "market":
            return () if event == "market_resolved" and self._falls("unannounced") else (0.0,)
        first = _LATE if self._falls("reordered") else 0.0
        return (first, _LATE) if self._falls("repeated") else (first,)

    def frozen(self, channel: Channel, opened: float) -> bool:
        """Whether a socket has been open since before the latest moment of silence."""
        name = "silent-user" if channel == "user" else "frozen-market"
        since = self._moment(name)
        if since is None or opened > since:
            return False
        self.struck[name] += 1
        return True

    def crosses_over(self) -> bool:
        """Whether a background trader comes on the other token."""
        return self._falls("other-token")

    # Markets and keys

    def payouts(self, market: MarketRecord, due: tuple[Micro, Micro]) -> tuple[Micro, Micro]:
        """Return what a market pays that is resolved now."""
        return (ONE // 2, ONE // 2) if not market.neg_risk and self._falls("split") else due

    def mishaps(self, busy: Sequence[MarketRecord]) -> Sequence[Mishap]:
        """Return what happens now by itself."""
        found: list[Mishap] = []
        if self._comes("revoked"):
            found.append(Mishap("revoke"))
        if busy and self._comes("close"):
            market = self._random["close"].choice(busy)
            first = self._random["close"].choice((ONE, 0))
            found.append(Mishap("close", market.condition_id, payouts=(first, ONE - first)))
        elif busy and self._comes("tick-change"):
            market = self._random["tick-change"].choice(busy)
            found.append(Mishap("tick", market.condition_id, tick=1_000 if market.tick != 1_000 else 10_000))
        self.struck.update(_STRUCK[mishap.kind] for mishap in found)
        return found


_JSON = {"Content-Type": "application/json"}
_PLAIN = {"Content-Type": "text/plain"}
_STRUCK = {"revoke": "revoked", "close": "close", "tick": "tick-change"}


def _post_only(body: bytes) -> bool:
    """Whether all orders of a request are post-only."""
    try:
        content: Any = json.loads(body)
    except ValueError:
        return False
    items = content if isinstance(content, list) else [content]
    return all(isinstance(item, dict) and item.get("postOnly") is True for item in items)


def parse_faults(text: str) -> dict[str, str]:
    """Read `NAME[=VALUE],NAME[=VALUE]…`; whether names and values are right is seen by `NamedFaults.switch`."""
    pairs = (part.strip().partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}

"""Rate limits over buckets that all replicas share, without a call to the supervisor for each request.

A replica draws a share of a bucket at a time and spends it by itself; the supervisor counts what was drawn, so all
replicas together never pass the limit. Draws of an idle replica are lost until the window ends: at most a fiftieth each.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import limits

from agents.errors import InvalidInput, Unavailable
from agents.ports import Supervisor

log = logging.getLogger(__name__)

#: A replica draws this part of a limit at a time.
_SHARE = 50

#: Seconds that the supervisor is waited for, and for which requests then pass uncounted: a limit must not stop the API.
_PATIENCE = 1.0
_BLIND = 1.0

#: Buckets that are kept; beyond it what was drawn of all of them is forgotten.
_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in so many seconds, with the text that the supervisor takes."""

    text: str
    amount: int
    seconds: int
    #: The headers that are the same for every request.
    headers: tuple[tuple[bytes, bytes], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        policy = (b"ratelimit-policy", b"%d;w=%d" % (self.amount, self.seconds))
        object.__setattr__(self, "headers", (policy, (b"ratelimit-limit", b"%d" % self.amount)))


class Verdict(NamedTuple):
    """What became of one request: `remaining` of the window, `reset` in seconds."""

    allowed: bool
    limit: Limit
    remaining: int
    reset: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the RateLimit headers of the response, and Retry-After if it was refused."""
        reset = b"%d" % self.reset
        found = [*self.limit.headers, (b"ratelimit-remaining", b"%d" % self.remaining), (b"ratelimit-reset", reset)]
        return found if self.allowed else [*found, (b"retry-after", b"%d" % max(1, self.reset))]


@dataclass(slots=True)
class _Draw:
    """What a replica holds of one bucket until `ends` (seconds of the clock)."""

    tokens: int = 0
    rest: int = 0
    ends: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RateLimits:
    """The replica's purse of drawn requests. `supervisor.hit` is called once for each draw."""

    def __init__(
        self, supervisor: Supervisor, limits: Mapping[str, Limit | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._supervisor = supervisor
        self._limits = limits
        self._clock = clock
        self._draws: dict[str, _Draw] = {}

    async def take(self, kind: str, key: str) -> Verdict | None:
        """Count one request of a kind (read, control, health) and key; None if that kind has no limit."""
        limit = self._limits.get(kind)
        if limit is None:
            return None
        bucket = f"{kind}:{key}"
        draw = self._draws.get(bucket)
        if draw is None:
            if len(self._draws) >= _KEPT:
                self._draws.clear()
            draw = self._draws[bucket] = _Draw()
        now = self._clock()
        if not draw.tokens or now >= draw.ends:
            async with draw.lock:
                now = self._clock()
                if now >= draw.ends or (not draw.tokens and draw.rest):
                    await self._refill(draw, bucket, limit)
                    now = self._clock()
        allowed = draw.tokens > 0
        draw.tokens -= allowed
        return Verdict(allowed, limit, draw.tokens + draw.rest, max(0, round(draw.ends - now)))

    async def _refill(self, draw: _Draw, bucket: str, limit: Limit) -> None:
        cost = max(1, limit.amount // _SHARE)
        try:
            async with asyncio.timeout(_PATIENCE):
                allowed, rest, reset = await self._supervisor.hit(bucket, limit.text, cost)
                if not allowed and rest:
                    cost = min(cost, rest)
                    allowed, rest, reset = await self._supervisor.hit(bucket, limit.text, cost)
        except (Unavailable, TimeoutError) as error:
            log.warning("requests pass uncounted, the supervisor does not answer: %s", error)
            draw.tokens, draw.rest, draw.ends = limit.amount, 0, self._clock() + _BLIND
            return
        draw.tokens, draw.rest = (cost, rest) if allowed else (0, 0)
        draw.ends = self._clock() + max(reset, 0 if allowed else 1)


def parse_limit(text: str, name: str) -> Limit | None:
    """Read a limit such as "600/minute"; "off" is None. `name` is the variable that the error names.

    Raises:
        InvalidInput: if it is neither.
    """
    if text.strip().lower() == "off":
        return None
    try:
        [item] = limits.parse_many(text)
    except ValueError:
        raise InvalidInput(f"{name} is {text!r}, expected a limit such as 600/minute, or off") from None
    return Limit(f"{item.amount}/{item.get_expiry()} seconds", item.amount, item.get_expiry())


def limits_from(environment: Mapping[str, str]) -> dict[str, Limit | None]:
    """Read the limits of reads, control calls and health checks from the environment."""
    defaults = {"read": "600/minute", "control": "30/minute", "health": "300/minute"}
    names = {kind: f"POLYFLEET_RATE_LIMIT_{kind.upper()}" for kind in defaults}
    return {kind: parse_limit(environment.get(names[kind]) or default, names[kind]) for kind, default in defaults.items()}

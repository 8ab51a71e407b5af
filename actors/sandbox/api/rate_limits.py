"""The venue's token buckets for each signer, in warning mode unless a fault makes them strict: the headers say what is left."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from actors.sandbox.records import Refused

TIER = "standard"


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Buckets:
    """One kind of bucket: `rate` tokens a wall second, at most `burst`."""

    def __init__(self, rate: int, burst: int, wall: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._wall = wall
        self._buckets: dict[str, _Bucket] = {}

    def spend(self, signer: str, cost: int = 1, *, strictness: float | None = None) -> dict[str, str]:
        """Take tokens for a request and return the headers of its answer.

        `strictness` is the share of the usual rate beyond which a request is refused, all of it or nothing; None: none is.

        Raises:
            Refused: 429, if that share is used up.
        """
        now, share = self._wall(), strictness or 1.0
        rate, burst = self._rate * share, max(self._burst * share, 1.0)
        bucket = self._buckets.setdefault(signer, _Bucket(burst, now))
        bucket.tokens = min(burst, bucket.tokens + max(0.0, now - bucket.at) * rate)
        bucket.at = now
        missing = max(0.0, cost - bucket.tokens)
        if strictness is None or not missing:
            bucket.tokens = max(0.0, bucket.tokens - cost)
        headers = {
            "Poly-RateLimit-Remaining": str(int(bucket.tokens)),
            "Poly-RateLimit-Reset": str(math.ceil(now + missing / rate)),
            "Poly-RateLimit-Tier": TIER,
        }
        if missing and strictness is not None:
            raise Refused("Too Many Requests", 429, retry_after=max(math.ceil(missing / rate), 1), headers=headers)
        return headers | {"Poly-RateLimit-Warning": "true"} if missing else headers

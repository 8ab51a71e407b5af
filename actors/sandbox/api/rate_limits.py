"""The venue's token buckets for each signer, in warning mode: nothing is refused, the headers say what would be."""

import math
from collections.abc import Callable
from dataclasses import dataclass

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

    def spend(self, signer: str, cost: int = 1) -> dict[str, str]:
        """Take tokens for a request and return the headers of its answer."""
        now = self._wall()
        bucket = self._buckets.setdefault(signer, _Bucket(self._burst, now))
        bucket.tokens = min(self._burst, bucket.tokens + max(0.0, now - bucket.at) * self._rate)
        bucket.at = now
        missing = max(0.0, cost - bucket.tokens)
        bucket.tokens = max(0.0, bucket.tokens - cost)
        headers = {
            "Poly-RateLimit-Remaining": str(int(bucket.tokens)),
            "Poly-RateLimit-Reset": str(math.ceil(now + missing / self._rate)),
            "Poly-RateLimit-Tier": TIER,
        }
        return headers | {"Poly-RateLimit-Warning": "true"} if missing else headers

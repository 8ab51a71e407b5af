import asyncio
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import InvalidInput, Unavailable
from agents.ports import Supervisor
from supervisor.api.rate_limits import Limit, RateLimits, limits_from, parse_limit


class Buckets:
    """The shared counts of fixed windows of 60 s, as the supervisor keeps them."""

    def __init__(self, amount: int) -> None:
        self.amount = amount
        self.now = 0.0
        self.drawn: dict[tuple[str, int], int] = {}
        self.calls = 0
        self.away = False

    async def hit(self, bucket: str, limit: str, cost: int = 1) -> tuple[bool, int, int]:
        self.calls += 1
        if self.away:
            raise Unavailable("supervisor is not running now")
        window = int(self.now // 60)
        drawn = self.drawn.get((bucket, window), 0)
        allowed = drawn + cost <= self.amount
        if allowed:
            self.drawn[bucket, window] = drawn = drawn + cost
        return allowed, self.amount - drawn, round((window + 1) * 60 - self.now)

    def replica(self) -> RateLimits:
        limit = Limit(f"{self.amount}/60 seconds", self.amount, 60)
        return RateLimits(cast(Supervisor, self), {"read": limit, "control": None}, lambda: self.now)


async def allowed(replica: RateLimits, key: str = "k") -> bool:
    verdict = await replica.take("read", key)
    assert verdict
    return verdict.allowed


@given(st.integers(1, 400), st.lists(st.integers(0, 2), max_size=900))
def test_replicas_together_never_pass_a_limit(amount: int, order: list[int]) -> None:
    async def run() -> int:
        buckets = Buckets(amount)
        replicas = [buckets.replica() for _ in range(3)]
        return sum([await allowed(replicas[which]) for which in order])

    assert asyncio.run(run()) <= amount


@pytest.mark.parametrize("amount", [1, 2, 49, 50, 51, 99, 151, 600])
async def test_one_replica_alone_gets_all_of_it(amount: int) -> None:
    buckets = Buckets(amount)
    replica = buckets.replica()
    assert [await allowed(replica) for _ in range(amount + 5)] == [True] * amount + [False] * 5
    buckets.now = 60.0
    assert await allowed(replica)


async def test_the_supervisor_is_asked_once_for_many_requests() -> None:
    buckets = Buckets(600)
    replica = buckets.replica()
    assert all(await asyncio.gather(*(allowed(replica) for _ in range(120))))
    assert buckets.calls == 10
    buckets.calls = 0
    while await allowed(replica):
        pass
    asked = buckets.calls
    assert not any([await allowed(replica) for _ in range(50)])
    assert buckets.calls == asked, "a bucket that is empty is not asked for again before its window ends"


async def test_the_headers_count_down() -> None:
    buckets = Buckets(3)
    replica = buckets.replica()
    buckets.now = 20.0
    verdicts = [await replica.take("read", "k") for _ in range(4)]
    assert [dict(verdict.headers()) for verdict in verdicts if verdict] == [
        {
            b"ratelimit-policy": b"3;w=60",
            b"ratelimit-limit": b"3",
            b"ratelimit-remaining": b"%d" % left,
            b"ratelimit-reset": b"40",
        }
        | refused
        for left, refused in ((2, {}), (1, {}), (0, {}), (0, {b"retry-after": b"40"}))
    ]


async def test_each_key_has_its_own_bucket_and_what_has_no_limit_passes() -> None:
    replica = Buckets(1).replica()
    assert [await allowed(replica, "a"), await allowed(replica, "b"), await allowed(replica, "a")] == [True, True, False]
    assert await replica.take("control", "a") is None
    assert await replica.take("health", "a") is None


async def test_requests_pass_while_the_supervisor_is_away(caplog: pytest.LogCaptureFixture) -> None:
    buckets = Buckets(2)
    replica = buckets.replica()
    buckets.away = True
    assert await allowed(replica)
    assert "requests pass uncounted" in caplog.text
    buckets.away = False
    buckets.now = 2.0
    assert [await allowed(replica) for _ in range(3)] == [True, True, False]


async def test_requests_pass_while_the_supervisor_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*ignored: Any) -> tuple[bool, int, int]:
        await asyncio.Event().wait()
        raise AssertionError

    buckets = Buckets(2)
    monkeypatch.setattr("supervisor.api.rate_limits._PATIENCE", 0.001)
    monkeypatch.setattr(buckets, "hit", silent)
    assert await allowed(buckets.replica())


async def test_what_is_kept_of_buckets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.api.rate_limits._KEPT", 10)
    buckets = Buckets(1)
    replica = buckets.replica()
    for n in range(100):
        assert await allowed(replica, str(n))
    assert not await allowed(replica, "0"), "what was forgotten here is still counted by the supervisor"
    assert len(replica._draws) <= 10


@pytest.mark.parametrize("text", ["600/minute", "600 per 1 minute", " 600/60 seconds"])
def test_a_limit_is_read_in_the_usual_forms(text: str) -> None:
    assert parse_limit(text, "X") == Limit("600/60 seconds", 600, 60)


@pytest.mark.parametrize("text", ["600", "many", "10/minute;5/second", "-1/minute", "1/fortnight"])
def test_what_is_no_limit_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^X is '.*', expected a limit such as 600/minute, or off$"):
        parse_limit(text, "X")


def test_limits_are_the_documented_ones_unless_told_otherwise() -> None:
    limits = limits_from({"POLYFLEET_RATE_LIMIT_HEALTH": "OFF", "POLYFLEET_RATE_LIMIT_CONTROL": ""})
    assert limits == {
        "read": Limit("600/60 seconds", 600, 60),
        "control": Limit("30/60 seconds", 30, 60),
        "health": None,
    }

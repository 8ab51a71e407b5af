from random import Random

from hypothesis import given
from hypothesis import strategies as st

from agents.spec import RestartPolicy
from supervisor.core import backoff

policies = st.builds(
    RestartPolicy,
    initial_delay=st.floats(0.1, 60),
    factor=st.floats(1, 10),
    max_delay=st.floats(0.1, 3600),
    max_restarts=st.integers(0, 10),
    window=st.floats(1, 1000),
)


@given(policies, st.integers(0, 10_000), st.integers())
def test_a_delay_is_never_below_the_floor_nor_above_the_policys_cap(policy: RestartPolicy, failures: int, seed: int) -> None:
    delay = backoff.delay(policy, failures, Random(seed))
    assert backoff.FLOOR <= delay <= max(backoff.FLOOR, policy.max_delay)


def test_delays_grow_with_failures_and_are_spread_over_their_whole_range() -> None:
    policy, random = RestartPolicy(), Random(1)
    first = [backoff.delay(policy, 1, random) for _ in range(500)]
    fifth = [backoff.delay(policy, 5, random) for _ in range(500)]
    assert max(first) <= 1.0 < max(fifth) <= 16.0
    assert min(fifth) < 1.0
    assert 7.0 < sum(fifth) / len(fifth) < 9.0


def test_restarts_outside_the_window_are_forgotten() -> None:
    policy = RestartPolicy(max_restarts=2, window=10)
    assert backoff.recent(policy, (1_000, 5_000, 9_000), 12_000) == (5_000, 9_000)
    assert backoff.exhausted(policy, (1_000, 5_000, 9_000), 12_000)
    assert not backoff.exhausted(policy, (1_000, 5_000, 9_000), 15_001)

"""How long a failed agent waits before it is started again, and when it has failed too often."""

from collections.abc import Sequence
from random import Random

from agents.spec import RestartPolicy

#: The least delay in seconds: not even the first restart is immediate.
FLOOR = 0.25


def delay(policy: RestartPolicy, failures: int, random: Random) -> float:
    """Return the seconds to wait after so many failures in a row (the first is 1).

    Full jitter: uniform up to a bound that grows with each failure (Brooker, "Exponential Backoff And Jitter", 2015).
    """
    exponent = min(max(failures - 1, 0), 64)
    bound = min(policy.max_delay, policy.initial_delay * policy.factor**exponent)
    return max(FLOOR, random.uniform(0.0, bound))


def recent(policy: RestartPolicy, restart_times: Sequence[int], now: int) -> tuple[int, ...]:
    """Return those of the restarts (wall milliseconds) that lie within the policy's window."""
    return tuple(moment for moment in restart_times if moment > now - policy.window * 1000)


def exhausted(policy: RestartPolicy, restart_times: Sequence[int], now: int) -> bool:
    """Whether one more restart would be more than the policy allows within its window."""
    return len(recent(policy, restart_times, now)) >= policy.max_restarts

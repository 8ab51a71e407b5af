import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.breaker import LEAST, WINDOW, Breaker, Deaths, fingerprint
from supervisor.core.signals import Failed, Failure

TRACEBACK = """Traceback (most recent call last):
  File "/x/agents/strategies/momentum.py", line 70, in decide
    raise ValueError(f"no price of {token}")
ValueError: no price of '{token}' at 0x7f{token}"""

HUNG = '  File "/x/agents/strategies/momentum.py", line 70, in decide\n    time.sleep(100)\n\nno heartbeat for 10.{n} s'

IDLE = '  File "/x/lib/threading.py", line 982, in run\n    self._target(*self._args, **self._kwargs)\n\n{what}'


def exception(token: int) -> Failed:
    return Failed(Failure.EXCEPTION, TRACEBACK.replace("{token}", str(token)))


@pytest.mark.parametrize(
    "failed",
    [
        Failed(Failure.CRASH, "its process died: killed (SYSTEM_ERROR)"),
        Failed(Failure.OOM, "its process died: the node is low on memory"),
        Failed(Failure.NODE_LOST, "the node that it ran on was lost"),
        Failed(Failure.LOST, "it was gone when the supervisor came back"),
        Failed(Failure.STARTUP, "it did not start within 60 s", external=True),
        Failed(Failure.HUNG, "its control thread does not answer either\nno heartbeat for 10.2 s"),
        Failed(Failure.HUNG, IDLE.replace("{what}", "no heartbeat for 10.2 s")),
        Failed(Failure.NO_PROGRESS, IDLE.replace("{what}", "its decision round has taken 60.3 s")),
    ],
)
def test_what_comes_from_outside_has_no_fingerprint_and_never_trips(failed: Failed) -> None:
    breaker = Breaker()
    assert fingerprint(failed) is None
    assert [breaker.note(f"agent-{n}", failed, 0.0, 20) for n in range(20)] == [None] * 20


def test_failures_of_one_cause_share_a_fingerprint_whatever_their_particulars() -> None:
    assert fingerprint(exception(1)) == fingerprint(exception(22))
    assert fingerprint(Failed(Failure.HUNG, HUNG.replace("{n}", "1"))) == fingerprint(
        Failed(Failure.HUNG, HUNG.replace("{n}", "7"))
    )
    assert fingerprint(exception(1)) != fingerprint(Failed(Failure.EXCEPTION, "KeyError: 'price'"))


def test_more_than_three_tenths_of_the_agents_failing_alike_trip_it_once() -> None:
    breaker = Breaker()
    trips = [breaker.note(f"agent-{n}", exception(n), float(n), 20) for n in range(8)]
    assert trips[:6] == [None] * 6
    assert trips[6] is not None
    assert trips[6].agents == tuple(f"agent-{n}" for n in range(7))
    assert trips[6].sentence(20).startswith("7 of 20 agents failed alike within 60 s: exception: ValueError: no price of …")
    assert trips[7] is None


def test_one_agent_that_fails_again_and_again_halts_nobody_else() -> None:
    breaker = Breaker()
    assert all(breaker.note("one", exception(n), n / 10, 3) is None for n in range(50))


def test_different_causes_do_not_add_up() -> None:
    breaker = Breaker()
    kinds = [exception(1), Failed(Failure.EXCEPTION, "KeyError: x"), Failed(Failure.STARTUP, "TypeError: y")]
    assert all(breaker.note(f"agent-{n}", kinds[n % 3], 0.0, 6) is None for n in range(6))


@given(
    times=st.lists(st.floats(0, 600), min_size=1, max_size=40).map(sorted),
    agents=st.lists(st.integers(0, 9), min_size=40, max_size=40),
)
def test_it_trips_exactly_when_enough_agents_failed_within_the_window(times: list[float], agents: list[int]) -> None:
    breaker = Breaker()
    counted: list[tuple[float, int]] = []
    for now, agent in zip(times, agents, strict=False):
        counted = [(then, who) for then, who in counted if then > now - WINDOW] + [(now, agent)]
        trip = breaker.note(str(agent), exception(1), now, 10)
        distinct = {who for _, who in counted}
        assert (trip is not None) == (len(distinct) >= 4)
        if trip:
            assert trip.agents == tuple(sorted(map(str, distinct)))
            counted = []


def test_many_deaths_from_outside_are_told_of_once() -> None:
    told: list[tuple[tuple[str, ...], str]] = []
    deaths = Deaths(lambda agents, cause: told.append((agents, cause)))
    for n in range(LEAST):
        deaths.note(f"agent-{n}", Failed(Failure.CRASH, "its process died: killed"), n / 10)
    deaths.note("other", exception(1), 0.2)
    deaths.tick(2.1)
    assert told == []
    deaths.tick(2.2)
    deaths.tick(9.0)
    assert told == [(("agent-0", "agent-1", "agent-2"), "crash: its process died: killed")]


def test_one_that_is_noticed_late_is_in_the_group_and_deaths_without_end_are_told_in_time() -> None:
    told: list[tuple[str, ...]] = []
    deaths = Deaths(lambda agents, cause: told.append(agents))
    for second in range(12):
        deaths.note(f"agent-{second:02}", Failed(Failure.CRASH, "killed"), float(second))
        deaths.tick(second + 0.5)
    assert told == [tuple(f"agent-{second:02}" for second in range(11))]


def test_single_deaths_are_no_group() -> None:
    told: list[tuple[str, ...]] = []
    deaths = Deaths(lambda agents, cause: told.append(agents))
    for n in range(6):
        deaths.note(f"agent-{n}", Failed(Failure.CRASH, "killed"), n * 3.0)
        deaths.tick(n * 3.0 + 2.0)
    assert told == []

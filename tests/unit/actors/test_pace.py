from math import inf

from actors.pace import LONGEST, SHORTEST, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_wait_is_the_interval_at_the_venues_speed() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.decided(0, 600)
    assert (pace.left(), pace.horizon) == (inf, SHORTEST)
    clock.now += 1
    pace.see(60_000)
    assert pace.horizon == LONGEST
    assert pace.left() == 9.0
    clock.now += 4
    assert pace.left() == 5.0
    clock.now += 5
    assert pace.left() == 0.0


def test_a_clock_that_stands_still_is_waited_for() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.decided(0, 60)
    clock.now += 1
    pace.see(0)
    assert pace.left() == inf


def test_looks_that_come_too_close_do_not_spoil_the_speed() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.decided(0, 600)
    clock.now += 1
    pace.see(60_000)
    clock.now += 0.001
    pace.see(60_000)
    assert 8.9 < pace.left() < 9.1


def test_an_interval_that_is_over_is_due_at_once() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.decided(0, 1)
    clock.now += 1
    pace.see(5_000)
    assert pace.left() == 0.0

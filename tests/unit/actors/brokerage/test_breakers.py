import pytest

from actors.brokerage.breakers import Breakers
from agents.errors import Unavailable, VenueRefused, VenueUnknown
from agents.limits.settings import Breakers as Settings
from agents.limits.state import Rule

LIMITS = Settings(min_venue_requests=4, max_venue_errors=0.5, max_feed_age=60, max_clock_skew=10)


class Stage:
    """Breakers whose time is the test's; `on` are those that the log says are open."""

    def __init__(self) -> None:
        self.now = 0.0
        self.breakers = Breakers(lambda: self.now)
        self.on: set[Rule] = set()

    def look(self, feed_age: float = 0.0) -> tuple[list[Rule], list[Rule]]:
        began, ended = self.breakers.look(LIMITS, "main", feed_age, 1, frozenset(self.on))
        self.on = (self.on | {stop.rule for stop in began}) - set(ended)
        return [stop.rule for stop in began], ended


def test_a_silent_feed_must_be_seen_twice_and_be_back_for_a_while() -> None:
    stage = Stage()
    assert stage.look(60.0) == stage.look(61.0) == ([], [])
    assert stage.look(0.0) == ([], []), "it was only once"
    assert [stage.look(61.0)[0] for _ in range(3)] == [[], [Rule.FEED_AGE], []]
    assert [stage.look(0.0)[1] for _ in range(6)] == [[], [], [], [], [Rule.FEED_AGE], []]


@pytest.mark.parametrize("error", [VenueUnknown("502"), Unavailable("no route")])
def test_a_venue_that_fails_too_often_in_a_minute(error: Exception) -> None:
    stage = Stage()
    for _ in range(2):
        stage.breakers.note(failed=False)
    for _ in range(2):
        with pytest.raises(type(error)), stage.breakers.request():
            raise error
    assert stage.look() == stage.look() == ([], []), "half of them"
    stage.breakers.note(failed=True)
    assert [stage.look()[0] for _ in range(2)] == [[], [Rule.VENUE_ERRORS]]
    stage.now = 61.0
    assert [stage.look()[1] for _ in range(5)][-1] == [Rule.VENUE_ERRORS]


def test_a_refusal_is_no_failure_and_few_requests_say_nothing() -> None:
    stage = Stage()
    for _ in range(9):
        with pytest.raises(VenueRefused), stage.breakers.request():
            raise VenueRefused("no match")
    with stage.breakers.request():
        pass
    assert stage.look() == stage.look() == ([], [])
    few = Stage()
    for _ in range(3):
        few.breakers.note(failed=True)
    assert few.look() == few.look() == ([], [])


@pytest.mark.parametrize(("ours", "differs"), [(1000.0, False), (1011.0, False), (1011.5, True), (990.0, False), (989.5, True)])
def test_clocks_may_differ_by_so_much_beyond_the_second_that_the_venue_tells(ours: float, differs: bool) -> None:
    stage = Stage()
    stage.breakers.clock(1000, ours)
    stage.look()
    assert stage.look()[0] == ([Rule.CLOCK_SKEW] if differs else [])

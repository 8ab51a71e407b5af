"""The venue's time between two answers."""

import pytest

from actors.venue_clock import VenueClock
from agents.errors import Unavailable


class Venue:
    """A clock that runs 60 times as fast as the wall, and counts who asks."""

    def __init__(self) -> None:
        self.wall = 0.0
        self.asked = 0
        self.away = False

    async def ask(self) -> int:
        self.asked += 1
        if self.away:
            raise Unavailable("the sandbox is not running now")
        return 1_000_000 + int(self.wall * 60_000)


@pytest.fixture
def venue() -> Venue:
    return Venue()


async def test_it_is_asked_once_a_second_and_reckons_on_in_between(venue: Venue) -> None:
    clock = VenueClock(venue.ask, lambda: venue.wall)
    assert await clock.now() == 1_000_000
    venue.wall = 2.0
    assert await clock.now() == 1_120_000
    venue.wall = 2.5
    assert [await clock.now() for _ in range(10)] == [1_150_000] * 10
    assert (venue.asked, clock.speed) == (2, 60.0)


async def test_it_stands_still_while_nobody_answers_and_never_runs_backwards(venue: Venue) -> None:
    clock = VenueClock(venue.ask, lambda: venue.wall)
    for venue.wall in (0.0, 2.0, 2.9):
        told = await clock.now()
    venue.away = True
    venue.wall = 4.0
    stopped = await clock.now()
    venue.wall = 4.9
    assert await clock.now() == clock.reckoned == stopped >= told
    venue.away = False
    venue.wall = 6.0
    assert await clock.now() == 1_360_000


async def test_a_venue_that_never_answered_has_no_time(venue: Venue) -> None:
    venue.away = True
    clock = VenueClock(venue.ask, lambda: venue.wall)
    with pytest.raises(Unavailable):
        await clock.now()
    assert clock.reckoned == 0

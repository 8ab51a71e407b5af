import asyncio

from actors.research.lookups import Lookups


class Looks:
    """Lookups on a clock that is set, and how many were made."""

    def __init__(self) -> None:
        self.now = 0.0
        self.made = 0
        self.answer = ""
        self.lookups: Lookups[str] = Lookups(1000, 10.0, lambda: self.now, bool)

    async def look(self) -> str:
        self.made += 1
        await asyncio.sleep(0)
        return self.answer

    async def ask(self, as_of: int, key: str = "k") -> int:
        await self.lookups.get(key, as_of, self.look)
        return self.made


async def test_one_serves_all_at_the_same_time() -> None:
    looks = Looks()
    await asyncio.gather(*(looks.ask(5000 + n) for n in range(20)))
    assert looks.made == 1
    assert await looks.ask(5000, "other") == 2


async def test_it_serves_for_the_window_of_the_venues_clock_if_that_is_slow() -> None:
    looks = Looks()
    await looks.ask(5000)
    looks.now = 3600.0
    assert [await looks.ask(5999), await looks.ask(4001), await looks.ask(6000)] == [1, 1, 2]


async def test_it_serves_for_some_wall_seconds_if_the_venues_clock_is_fast() -> None:
    looks = Looks()
    await looks.ask(5000)
    looks.now = 9.9
    assert await looks.ask(99_000) == 1
    looks.now = 10.0
    assert await looks.ask(99_000) == 2


async def test_it_does_not_serve_who_asks_about_long_before() -> None:
    looks = Looks()
    await looks.ask(5000)
    assert await looks.ask(3999) == 2


async def test_a_failure_is_tried_again_sooner() -> None:
    looks = Looks()
    looks.answer = "it failed"
    await looks.ask(5000)
    looks.now = 9.9
    assert await looks.ask(5000) == 1
    looks.now = 10.0
    assert await looks.ask(5000) == 2

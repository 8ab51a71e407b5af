import asyncio

import pytest

from actors.ledger import LedgerService
from actors.ledger.followers import PATIENCE, Followers
from tests.unit.actors.ledger.conftest import Make


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def followers(clock: Clock) -> Followers:
    return Followers(clock)


def poll(followers: Followers, name: str, applied: int) -> None:
    with followers.polling(name, applied):
        pass


async def test_without_followers_nobody_is_waited_for(followers: Followers) -> None:
    poll(followers, "a", 5)
    assert await followers.applied(5, 0)
    assert await Followers(Clock()).applied(9, 0)


async def test_every_live_follower_is_waited_for(followers: Followers) -> None:
    poll(followers, "a", 5)
    poll(followers, "b", 4)
    barrier = asyncio.create_task(followers.applied(5, 10))
    await asyncio.sleep(0)
    poll(followers, "a", 6)
    await asyncio.sleep(0)
    assert not barrier.done()
    poll(followers, "b", 5)
    assert await barrier


async def test_a_late_follower_is_forgotten_until_it_polls_again(followers: Followers) -> None:
    poll(followers, "a", 4)
    assert not await followers.applied(5, 0.001)
    assert await followers.applied(5, 0)
    poll(followers, "a", 4)
    assert not await followers.applied(5, 0.001)


async def test_a_follower_that_no_longer_polls_is_not_waited_for(followers: Followers, clock: Clock) -> None:
    poll(followers, "a", 4)
    clock.now += PATIENCE
    assert await followers.applied(5, 0)


async def test_a_follower_in_a_long_poll_is_alive(followers: Followers, clock: Clock) -> None:
    with followers.polling("a", 4):
        clock.now += PATIENCE * 4
        assert not await followers.applied(5, 0.001)
    with followers.polling("a", 4):
        clock.now += PATIENCE * 4
    assert not await followers.applied(5, 0.001)


async def test_a_poll_says_what_its_follower_has_applied(ledger: LedgerService, make: Make) -> None:
    polling = asyncio.create_task(ledger.poll(0, wait=20, follower="replica"))
    await asyncio.sleep(0)
    assert await ledger.append([make()]) == [1]
    barrier = asyncio.create_task(ledger.barrier(1))
    batch = await polling
    assert batch.next == 1
    assert not barrier.done()
    await ledger.poll(batch.next, follower="replica")
    assert await barrier
    await ledger.append([make()])
    assert not await ledger.barrier(2, timeout=0.001)


async def test_a_reader_that_is_only_known_by_name_is_not_waited_for(ledger: LedgerService, make: Make) -> None:
    polling = asyncio.create_task(ledger.poll(0, wait=20, reader="hub"))
    await asyncio.sleep(0)
    await ledger.append([make()])
    assert (await polling).next == 1
    assert await ledger.barrier(1, timeout=0)


async def test_the_queues_are_what_is_not_on_disk_and_what_followers_have_not_applied(
    ledger: LedgerService, make: Make
) -> None:
    assert await ledger.control_queues() == {"ledger": {"commits": 0}}
    writing = [asyncio.create_task(ledger.append([make()])) for _ in range(3)]
    await asyncio.sleep(0)
    assert await ledger.control_queues() == {"ledger": {"commits": 3}}
    await asyncio.gather(*writing)
    await ledger.poll(0, follower="broker:main")
    await ledger.poll(2, reader="hub")
    await ledger.poll(3)
    queues = {"ledger": {"commits": 0}, "broker:main": {"log": 3}, "hub": {"log": 1}}
    assert await ledger.control_queues() == queues


async def test_a_follower_that_is_gone_has_no_queue(followers: Followers, clock: Clock) -> None:
    poll(followers, "a", 4)
    assert followers.behind(9) == {"a": 5}
    clock.now += PATIENCE
    assert followers.behind(9) == {}

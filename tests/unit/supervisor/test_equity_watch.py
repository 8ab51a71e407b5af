from typing import Any, cast

import pytest

from agents.errors import Unavailable
from agents.events import Event, Type
from agents.fleet import FleetState
from agents.money import ONE
from agents.ports import MarketFeed
from agents.sampling import INTERVAL
from supervisor.equity_watch import EquityWatch
from tests.unit.supervisor.api.stand import FeedStand, market_view


class Watched:
    """A fleet that holds five shares, watched."""

    def __init__(self) -> None:
        self.state = FleetState()
        self.state.portfolio.book("main").position("101").buy(5 * ONE, 2 * ONE, 0)
        self.feed = FeedStand(market_view(1))
        self.now = 1000.0
        self.watch = EquityWatch(lambda: self.state, cast(MarketFeed, self.feed), self._store, lambda: self.now)

    async def _store(self, data: dict[str, Any]) -> None:
        seq = self.state.seq + 1
        self.state.apply(Event(f"s/1/{seq}", Type.EQUITY, "s", None, 1, int(self.now * 1000), data, seq))


async def test_samples_go_into_the_log_and_a_later_life_goes_on_from_the_last() -> None:
    fleet = Watched()
    assert fleet.watch.wait == 0
    await fleet.watch.look()
    assert [point.equity for point in fleet.state.equity.fleet.points] == [5 * 480_000]
    assert fleet.watch.wait == INTERVAL
    fleet.now += 5
    assert fleet.watch.wait == INTERVAL - 5
    await fleet.watch.look()
    assert len(fleet.state.equity.fleet.points) == 1
    fleet.feed.views = [market_view(1, bid="0.40")]
    await fleet.watch.look()
    assert fleet.state.equity.wallets["main"].drawdown == 5 * 80_000
    fleet.now = 5.0
    assert fleet.watch.wait == 0


async def test_without_the_feed_there_is_no_sample() -> None:
    fleet = Watched()
    fleet.feed.gone = True
    with pytest.raises(Unavailable):
        await fleet.watch.look()
    assert not fleet.state.equity.fleet.points

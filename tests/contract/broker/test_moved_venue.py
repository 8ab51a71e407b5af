"""A venue that is killed and comes back on another port, where it stopped."""

from pathlib import Path

import pytest

from actors.sandbox.venue import VenueConfig
from agents.errors import Unavailable
from agents.model import Level, Side
from agents.money import ONE
from tests.contract.broker.fleet import Fleet, until
from tests.contract.broker.rival import Rival
from tests.contract.sandbox.served import Served


async def shows(fleet: Fleet, token_id: str, price: int, size: int) -> bool:
    """Whether the feed has a level on a token's book."""
    view = await fleet.feed.market(token_id)
    return view is not None and Level(price, size) in view.books[0].bids


async def test_feed_and_broker_find_a_venue_that_came_back_elsewhere(tmp_path: Path) -> None:
    config = VenueConfig(str(tmp_path / "venue"), seed=3, speed=60.0)
    fleet = Fleet(Served(config), tmp_path)
    await fleet.start(a="1000")
    view = next(view for view in (await fleet.feed.snapshot()).changed if view.market.end)
    market, token = view.market, view.market.tokens[0]
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.01", "100", quote=True))
    assert placed.status == "live"
    before = fleet.served
    before.stop()

    async def refused() -> bool:
        try:
            await fleet.broker.account("a")
        except Unavailable as error:
            return "is not ready" in str(error)
        return False

    await until(refused, 40)
    with pytest.raises(Unavailable, match="broker:main is not ready"):
        await fleet.place("a", fleet.intent(market, "buy", "0.01", "100", quote=True))

    fleet.served = Served(config)
    assert fleet.served.url != before.url
    Rival(fleet.served).take(token, Side.SELL, "0.01", "1000000")
    await until(fleet.broker.ready, 40)
    await until(lambda: fleet.filled("a", token, 100 * ONE))
    await fleet.agreed()
    Rival(fleet.served).rest(token, Side.BUY, "0.02", "77")
    await until(lambda: shows(fleet, token, 20_000, 77 * ONE), 40)
    await fleet.stop()
    fleet.served.stop()

"""The comparison of books and venue while a fleet trades on lively markets."""

import asyncio
import time
from pathlib import Path
from random import Random

from actors.sandbox.api.server import Server, listen
from actors.sandbox.venue import Venue, VenueConfig
from agents.model import MarketView
from agents.money import text
from agents.ports import Intent
from tests.contract.broker.fleet import Fleet
from tests.contract.sandbox.served import Served

AGENTS = tuple(f"a{n}" for n in range(6))


class Lively(Served):
    """A served venue whose background traders trade on."""

    async def _start(self, config: VenueConfig) -> Server:
        server = Server(Venue(config), listen(0))
        await server.start()
        return server


def wishes(fleet: Fleet, view: MarketView, random: Random) -> list[Intent]:
    """Return some orders on a market: a quote on each side of it, or one that takes."""
    book, market = view.books[0], view.market
    if book.bid is None or book.ask is None or market.tick * 3 > book.bid or book.ask > 1_000_000 - market.tick * 3:
        return []
    if random.random() < 0.5:
        return [fleet.intent(market, "buy", text(book.ask), text(random.randint(5, 30) * 1_000_000))]
    return [
        fleet.intent(market, "buy", text(book.bid), "20", quote=True),
        fleet.intent(market, "buy", text(1_000_000 - book.ask), "20", outcome=1, quote=True),
    ]


async def test_a_busy_fleet_agrees_with_the_venue_at_any_moment(tmp_path: Path) -> None:
    fleet = Fleet(Lively(VenueConfig(seed=17, speed=60.0)), tmp_path)
    await fleet.start(**dict.fromkeys(AGENTS, "1000"))
    random, stopping = Random(1), asyncio.Event()

    async def trade(agent_id: str) -> None:
        while not stopping.is_set():
            views = (await fleet.feed.snapshot()).changed
            intents = [intent for view in random.sample(views, 3) for intent in wishes(fleet, view, random)]
            account = await fleet.broker.account(agent_id)
            cancels = [order.order_id for order in account.orders][:4]
            await fleet.broker.execute(agent_id, 1, intents, cancels)
            await asyncio.sleep(random.uniform(0.0, 0.3))

    traders = [asyncio.create_task(trade(agent_id)) for agent_id in AGENTS]
    slowest = 0.0
    for _ in range(5):
        await asyncio.sleep(1.0)
        began = time.monotonic()
        await fleet.agreed()
        slowest = max(slowest, time.monotonic() - began)
    stopping.set()
    await asyncio.gather(*traders)
    assert slowest < 10
    fills = len(fleet.broker._desk.known)
    assert fills > 10, "or the test says nothing"
    await fleet.restart()
    assert len(fleet.broker._desk.known) >= fills
    await fleet.agreed()
    deposits = [event for event in await fleet.events() if event.data.get("kind") == "deposit"]
    assert len(deposits) == 1, "nothing had to be explained away"
    await fleet.stop()
    fleet.served.stop()

"""A paper broker between a real ledger and feed and a venue's public wire: the same orders, events and books, and no key."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from actors.broker import BrokerService
from actors.paper.session import PaperSession
from actors.paper.settings import PaperSettings, paper_address
from actors.sandbox.records import MarketRecord
from actors.system import SystemConfig
from agents.errors import Unavailable
from agents.events import Type
from agents.model import Side
from agents.money import ONE
from agents.ports import Wallet
from tests.contract.broker.fleet import Fleet, until
from tests.contract.broker.rival import Rival, fee_of
from tests.contract.sandbox.served import Served


class PaperFleet(Fleet):
    """A fleet that only looks at the venue."""

    def _new_broker(self) -> BrokerService:
        self.config = SystemConfig(str(self.path), "paper", paper=PaperSettings(10_000 * ONE, latency=0.01))
        self.wallet = Wallet("main", paper_address("main"), "")
        return super()._new_broker()


@pytest.fixture
async def paper(served: Served, tmp_path: Path) -> AsyncIterator[PaperFleet]:
    fleet = PaperFleet(served, tmp_path)
    (tmp_path / "wallet.json").unlink()
    yield fleet
    await fleet.stop()


async def pass_by(served: Served, record: MarketRecord, price: str, size: str) -> None:
    """Let somebody buy the first outcome from somebody else, or sell it to them, at a price."""
    Rival(served).rest(record.tokens[0], Side.BUY, price, size)
    Rival(served).take(record.tokens[0], Side.SELL, price, size)


async def test_takers_and_makers_go_through_the_same_events_and_books(served: Served, paper: PaperFleet) -> None:
    await paper.start(a="1000", b="1000")
    record = served.market()
    market = await paper.market(record)
    Rival(served).rest(record.tokens[0], Side.SELL, "0.5", "8")
    [taken] = await paper.place("a", paper.intent(market, "buy", "0.5", "20"))
    assert (taken.status, taken.filled) == ("pending", 8 * ONE)
    [quote] = await paper.place("b", paper.intent(market, "buy", "0.4", "10", quote=True))
    assert quote.status == "live"
    await asyncio.sleep(0.3)
    await pass_by(served, record, "0.4", "30")
    await until(lambda: paper.filled("b", market.tokens[0], 10 * ONE))
    assert await paper.cash("a", 996 * ONE - fee_of("8", "0.5"))
    assert await paper.cash("b", 996 * ONE)
    await until(lambda: paper.ended(taken.order_id, "confirmed"))
    await until(lambda: paper.ended(quote.order_id, "confirmed"))
    trades = [event.data for event in await paper.events(Type.TRADE)]
    assert [(trade["size"], trade["exactPrice"], trade["liquidity"]) for trade in trades] == [
        ("8", "0.5", "taker"),
        ("10", "0.4", "maker"),
    ]
    book = served.run(lambda exchange: exchange.open_orders(paper.wallet.address))
    assert book == [], "nothing of it is at the venue"
    report = await paper.agreed()
    assert report["pending"] == []


async def test_a_killed_broker_goes_on_with_what_it_had(served: Served, paper: PaperFleet) -> None:
    await paper.start(a="1000")
    record = served.market()
    market = await paper.market(record)
    Rival(served).rest(record.tokens[0], Side.SELL, "0.5", "8")
    [quote] = await paper.place("a", paper.intent(market, "buy", "0.4", "10", quote=True))
    # Killed between the simulated match and its booking.
    wish = asyncio.create_task(paper.place("a", paper.intent(market, "buy", "0.5", "8")))
    trades = paper.broker._desk.venue.trades
    while not await trades():
        assert not wish.done(), wish.result()
        await asyncio.sleep(0)
    await paper.restart()
    wish.cancel()
    await asyncio.gather(wish, return_exceptions=True)
    account = await paper.broker.account("a")
    assert account.holdings[market.tokens[0]].size == 8 * ONE
    assert [order.order_id for order in account.orders] == [quote.order_id]
    await asyncio.sleep(0.3)
    await pass_by(served, record, "0.4", "10")
    await until(lambda: paper.filled("a", market.tokens[0], 18 * ONE))
    await paper.agreed()
    deposits = [event for event in await paper.events() if event.data.get("kind") == "deposit"]
    assert len(deposits) == 1, "nothing had to be explained away"


async def test_a_resolution_pays_the_owners_out(served: Served, paper: PaperFleet) -> None:
    await paper.start(a="1000")
    record = served.market()
    market = await paper.market(record)
    Rival(served).rest(record.tokens[0], Side.SELL, "0.5", "8")
    await paper.place("a", paper.intent(market, "buy", "0.5", "8"))
    await paper.place("a", paper.intent(market, "buy", "0.4", "10", quote=True))
    served.run(lambda exchange: exchange.resolve(record.condition_id, (ONE // 2, ONE // 2)))
    await until(lambda: paper.cash("a", 1000 * ONE - fee_of("8", "0.5")), 40)
    [paid] = [event for event in await paper.events(Type.RESOLUTION) if event.data.get("redeemed")]
    assert paid.data["redeemed"][0]["payout"] == "4"
    assert (await paper.broker.account("a")).orders == ()
    await paper.agreed()


async def test_without_the_venues_public_data_nothing_is_simulated(served: Served, tmp_path: Path) -> None:
    nowhere = replace(served.endpoints, clob_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="the venue did not serve GET /time"):
        await PaperSession.connect(nowhere, str(tmp_path), "main", PaperSettings())
    assert list(tmp_path.iterdir()) == []

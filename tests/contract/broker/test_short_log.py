"""A broker that starts when the log no longer reaches back to what it did."""

from actors.ledger.retention import Retention
from agents.events import Type
from agents.model import Side
from agents.money import ONE
from tests.contract.broker.fleet import Fleet, until
from tests.contract.broker.rival import Rival


async def shorten(fleet: Fleet) -> None:
    """Let all events leave the log but the newest."""
    fleet.ledger._upkeep._retention = Retention(events=1)
    for _ in range(2):
        await fleet.supervisor.store([fleet.supervisor.event(Type.INFO, {"message": "the newest"})])
        await fleet.ledger._upkeep.keep()
    await fleet.supervisor.store([fleet.supervisor.event(Type.INFO, {"message": "the newest"})])
    await fleet.ledger._upkeep.keep()


async def test_a_fill_below_the_floor_is_not_booked_again(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    [quote] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    Rival(fleet.served).take(record.tokens[1], Side.BUY, "0.6", "7")
    await until(lambda: fleet.filled("a", market.tokens[0], 7 * ONE))
    await shorten(fleet)
    assert await fleet.events(Type.TRADE) == []
    Rival(fleet.served).take(record.tokens[1], Side.BUY, "0.6", "2")
    await fleet.restart()
    await until(lambda: fleet.filled("a", market.tokens[0], 9 * ONE))
    assert len(await fleet.events(Type.TRADE)) == 1
    assert (await fleet.ledger.order(quote.order_id or "") or {})["filled"] == "9"
    assert (await fleet.ledger.history("trades", "a")).total == 2
    report = await fleet.agreed()
    assert [held["ledger"] for held in report["positions"]] == ["9"]


async def test_a_payout_below_the_floor_is_not_booked_again(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "20")
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    await until(lambda: fleet.ended(placed.order_id, "confirmed"))
    fleet.served.run(lambda exchange: exchange.resolve(market.condition_id, (ONE, 0)))
    await until(lambda: paid(fleet), 40)
    cash = (await fleet.broker.account("a")).cash
    await shorten(fleet)
    assert await fleet.events(Type.RESOLUTION) == []
    await fleet.restart()
    shown = await fleet.broker._desk.venue.redemptions(market.condition_id)
    assert fleet.broker._redemption._booked == {payout.tx_hash for payout in shown}
    assert len(shown) == 1
    assert (await fleet.broker.account("a")).cash == cash
    await fleet.agreed()


async def paid(fleet: Fleet) -> bool:
    booked = sum("redeemed" in event.data for event in await fleet.events(Type.RESOLUTION))
    return booked == 1 and not fleet.broker._desk.redeeming

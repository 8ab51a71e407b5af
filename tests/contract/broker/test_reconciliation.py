"""Books that differ from the venue: no new orders, both sides told, and nothing is repaired but on record."""

import asyncio

import pytest

from actors import broker
from actors.brokerage import check
from agents.errors import Conflict, NotFound, Unavailable
from agents.events import Event, Type
from agents.model import Side
from agents.money import ONE
from tests.contract.broker.fleet import Fleet, until
from tests.contract.broker.rival import Rival


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the broker compare often, and a check of books that differ not take long."""
    monkeypatch.setattr(broker, "_COMPARE", 1.0)
    monkeypatch.setattr(broker, "_COMPARE_AGAIN", 0.5)
    monkeypatch.setattr(check, "_PATIENCE", 0.5)


async def deposits(fleet: Fleet) -> list[Event]:
    return [event for event in await fleet.events(Type.INFO) if event.data.get("kind") == "deposit"]


async def told(fleet: Fleet) -> list[Event]:
    return [event for event in await fleet.events(Type.RISK) if event.data.get("kind") == "reconciliation"]


async def differs(fleet: Fleet) -> bool:
    return (await fleet.ledger.snapshot()).differing.keys() == {"main"}


async def agrees(fleet: Fleet) -> bool:
    return not (await fleet.ledger.snapshot()).differing and fleet.broker._desk.differing is None


async def test_cash_that_came_or_left_is_recorded_with_its_transaction_as_the_venue_lists_it(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    came = fleet.served.run(lambda exchange: exchange.fund(fleet.address, 5 * ONE + 1))
    await until(lambda: _recorded(fleet, 2))
    left = fleet.served.run(lambda exchange: exchange.withdraw(fleet.address, 2 * ONE))
    await until(lambda: _recorded(fleet, 3))
    first, second, third = await deposits(fleet)
    assert first.data["cash"] == "10000"
    assert (second.data["cash"], second.data["transactions"], second.data["owner"]) == ("5.000001", [came], "")
    assert (third.data["cash"], third.data["transactions"]) == ("-2", [left])
    assert await told(fleet) == [], "it was explained before it kept anybody from trading"
    book = fleet.broker._desk.book("")
    assert book.cash == 10_000 * ONE - 1000 * ONE + 3 * ONE + 1
    await fleet.restart()
    assert len(await deposits(fleet)) == 3
    assert (await fleet.agreed())["venueCash"] == "10003.000001"


async def _recorded(fleet: Fleet, count: int) -> bool:
    return len(await deposits(fleet)) == count


async def test_a_difference_that_nothing_explains_stops_new_orders_until_an_operator_books_it(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    [quote] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    fleet.served.run(lambda exchange: exchange.split(fleet.address, record.condition_id, 3 * ONE))
    await until(lambda: differs(fleet))

    with pytest.raises(Unavailable, match=r"wallet main places no orders: its books differ .* by -3 pUSD and 3 shares"):
        await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    with pytest.raises(Unavailable, match="places no orders"):
        await fleet.place("a", fleet.intent(market, "sell", "0.4", "1"))
    [event] = await told(fleet)
    assert event.agent_id is None
    assert {(row.get("tokenId", "cash"), row["venue"], row["ledger"]) for row in event.data["differences"]} == {
        ("cash", "9997", "10000"),
        *((token, "3", "0") for token in record.tokens),
    }
    report = await fleet.broker.check()
    assert (report["wallet"], report["blocked"]) == ("main", event.data["message"])
    assert sorted(row["venue"] for row in report["differences"] if "tokenId" in row) == ["3", "3"]
    assert await fleet.broker.cancel_agent("a") == 1, "what rests can be taken off"

    await fleet.restart()
    assert await differs(fleet), "a restart explains nothing"
    with pytest.raises(Unavailable, match="places no orders"):
        await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert len(await deposits(fleet)) == 1

    shares = dict.fromkeys(record.tokens, 3 * ONE)
    with pytest.raises(Conflict, match=r"the difference of wallet main is -3 pUSD and .*, not -4 pUSD"):
        await fleet.broker.adjust(-4 * ONE, shares, "it was a split")
    with pytest.raises(NotFound, match="there is no agent 'zz' in wallet main"):
        await fleet.broker.adjust(-3 * ONE, shares, "it was a split", "zz")
    await fleet.broker.adjust(-3 * ONE, shares, "it was a split")
    assert await agrees(fleet)
    assert [event.data["differences"] == [] for event in await told(fleet)] == [False, True]
    adjustment = (await deposits(fleet))[-1]
    assert (adjustment.data["cash"], adjustment.data["message"]) == ("-3", "it was a split")
    held = {token: position.size for token, position in fleet.broker._desk.book("").positions.items() if position.size}
    assert held == shares
    await fleet.agreed()
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert placed.status == "live"
    assert quote.order_id != placed.order_id
    with pytest.raises(Conflict, match="nothing to adjust"):
        await fleet.broker.adjust(1, {}, "again")


async def test_a_difference_may_be_booked_to_the_agent_that_it_belongs_to(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    fleet.served.run(lambda exchange: exchange.split(fleet.address, record.condition_id, ONE))
    await until(lambda: differs(fleet))
    await fleet.broker.adjust(-ONE, dict.fromkeys(record.tokens, ONE), "agent a's program did it", "a")
    account = await fleet.broker.account("a")
    assert account.cash == 999 * ONE
    assert {token: held.size for token, held in account.holdings.items()} == dict.fromkeys(record.tokens, ONE)
    await fleet.agreed()


async def test_a_difference_that_goes_away_by_itself_lets_orders_in_again(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    fleet.served.run(lambda exchange: exchange.split(fleet.address, record.condition_id, ONE))
    await until(lambda: differs(fleet))
    fleet.served.run(lambda exchange: exchange.merge(fleet.address, record.condition_id, ONE))
    await until(lambda: agrees(fleet))
    market = await fleet.market(record)
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert placed.status == "live"
    assert len(await deposits(fleet)) == 1


async def test_before_the_books_were_compared_nothing_is_placed_and_the_wallet_is_not_ready(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    await fleet.broker.stop()
    fleet.broker = fleet._new_broker()
    go_on = asyncio.Event()
    difference = fleet.broker._check.difference

    async def late() -> check.Holdings | None:
        await go_on.wait()
        return await difference()

    fleet.broker._check.difference = late  # type: ignore[method-assign]
    await fleet.broker.start()
    await asyncio.sleep(0.5)
    assert not await fleet.broker.ready()
    with pytest.raises(Unavailable, match="broker:main is not ready"):
        await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    go_on.set()
    await fleet.until_ready()
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert placed.status == "live"


async def test_fills_in_flight_are_no_difference(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    rival = Rival(fleet.served)
    for _ in range(10):
        rival.rest(record.tokens[0], Side.SELL, "0.5", "10")
        await fleet.place("a", fleet.intent(market, "buy", "0.5", "10"))
        await asyncio.sleep(0.2)
    assert await told(fleet) == []
    await fleet.agreed()

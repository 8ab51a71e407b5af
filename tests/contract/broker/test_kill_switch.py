"""The kill switch at one wallet: nothing is sent any more, nothing rests, and what is held is sold out if so said."""

import asyncio
import time
from typing import Any

import pytest

from actors.brokerage import sell_out
from actors.polymarket.trading import Reply
from agents.errors import Unavailable
from agents.events import Type
from agents.model import Side
from agents.money import ONE, micro
from tests.contract.broker.fleet import Fleet, until
from tests.contract.broker.rival import Rival, fee_of

#: What the kill switch may take at most with a hundred open orders, in seconds.
_MOST = 2.0


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what was not sold be tried again soon."""
    monkeypatch.setattr(sell_out, "_SHORTEST_PAUSE", 0.2)
    monkeypatch.setattr(sell_out, "_LONGEST_PAUSE", 0.5)


def open_ids(fleet: Fleet) -> list[str]:
    return [order.order_id for order in fleet.served.run(lambda exchange: exchange.open_orders(fleet.address))]


async def test_a_hundred_orders_are_cancelled_in_one_request_within_two_seconds(fleet: Fleet) -> None:
    agents = {f"a{n}": "1000" for n in range(10)}
    await fleet.start(**agents)
    market = await fleet.market(fleet.served.market())
    prices = [f"0.{n:02}" for n in range(10, 20)]
    quotes = {id: [fleet.intent(market, "buy", price, "10", quote=True) for price in prices] for id in agents}
    await asyncio.gather(*(fleet.place(id, *intents) for id, intents in quotes.items()))
    outside = fleet.outsider().rest(market.tokens[0], Side.BUY, "0.05", "10")
    assert len(open_ids(fleet)) == 101
    requests = _count_cancels(fleet)
    empty = asyncio.create_task(until(lambda: _nothing_open(fleet)))
    began = time.monotonic()
    await fleet.throw("a drill")
    await empty
    assert time.monotonic() - began < _MOST
    assert requests == ["cancel_all"]
    assert outside.order_id not in open_ids(fleet)
    for id in agents:
        account = await fleet.broker.account(id)
        assert (account.orders, account.cash) == ((), 1000 * ONE)
    await fleet.agreed()


def _count_cancels(fleet: Fleet) -> list[str]:
    venue: Any = fleet.broker._desk.venue
    asked: list[str] = []
    for name in ("cancel", "cancel_all"):

        def counted(real: Any, name: str) -> Any:
            async def ask(*args: Any) -> Any:
                asked.append(name)
                return await real(*args)

            return ask

        setattr(venue, name, counted(getattr(venue, name), name))
    return asked


async def _nothing_open(fleet: Fleet) -> bool:
    return not await asyncio.to_thread(open_ids, fleet)


async def test_an_order_on_its_way_is_cancelled_and_one_not_sent_yet_never_is(fleet: Fleet) -> None:
    await fleet.start(a="1000", b="1000")
    market = await fleet.market(fleet.served.market())
    venue: Any = fleet.broker._desk.venue
    post, sign = venue.post, venue.sign
    sent, signing, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow_post(payload: bytes) -> Reply:
        sent.set()
        await go_on.wait()
        reply: Reply = await post(payload)
        return reply

    async def slow_sign(ticket: Any) -> Any:
        if sent.is_set():
            signing.set()
            await go_on.wait()
        return await sign(ticket)

    venue.post, venue.sign = slow_post, slow_sign
    legs = [fleet.intent(market, "buy", price, "10", quote=True, group="one after the other") for price in ("0.4", "0.3")]
    first = asyncio.create_task(fleet.place("a", *legs))
    await sent.wait()
    second = asyncio.create_task(fleet.place("b", fleet.intent(market, "buy", "0.2", "10", quote=True)))
    await signing.wait()
    throwing = asyncio.create_task(fleet.throw("a drill"))
    await until(lambda: _is_halted(fleet))
    go_on.set()
    await throwing
    assert open_ids(fleet) == []
    on_its_way, next_one = await first
    assert await fleet.ended(on_its_way.order_id, "cancelled")
    assert (next_one.status, next_one.order_id) == ("rejected", None)
    [unsent] = await second
    assert (unsent.status, unsent.reason) == ("rejected", "it was not sent: trading is halted: a drill")
    assert await fleet.order_states(unsent.order_id) == ["intended", "signed", "rejected"]
    await fleet.agreed()


async def _is_halted(fleet: Fleet) -> bool:
    return fleet.broker._entry._halted is not None


async def test_it_survives_the_broker_and_cancels_before_it_settles(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    await fleet.broker.stop()
    await fleet._switch(on=True, reason="a drill", flatten=False)
    await fleet.restart()
    assert open_ids(fleet) == []
    with pytest.raises(Unavailable, match="trading is halted: a drill"):
        await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    await fleet.lift()
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert placed.status == "live"


async def _bought(fleet: Fleet, agent_id: str, outcome: int = 0) -> tuple[Any, Rival]:
    """Let an agent hold 20 shares, bought at 0.5, and return their market and who trades with it."""
    record = fleet.served.market()
    market = await fleet.market(record)
    rival = Rival(fleet.served)
    rival.rest(record.tokens[outcome], Side.SELL, "0.5", "20")
    [placed] = await fleet.place(agent_id, fleet.intent(market, "buy", "0.5", "20", outcome=outcome))
    assert placed.filled == 20 * ONE
    return market, rival


async def test_everything_is_sold_out_of_its_owners_book_and_nothing_else_is_sent(fleet: Fleet) -> None:
    await fleet.start(a="1000", b="1000")
    market, rival = await _bought(fleet, "a")
    other, second = await _bought(fleet, "b", outcome=1)
    rival.rest(market.tokens[0], Side.BUY, "0.48", "15")
    rival.rest(market.tokens[0], Side.BUY, "0.45", "100")
    second.rest(other.tokens[1], Side.BUY, "0.6", "100")
    # A quote that holds the shares back: it has to be cancelled first.
    await fleet.place("a", fleet.intent(market, "sell", "0.7", "20", quote=True))
    await fleet.throw("a drill", flatten=True)
    await until(lambda: _sold_out(fleet))
    fees = fee_of("20", "0.5") + fee_of("15", "0.48") + fee_of("5", "0.45")
    account = await fleet.broker.account("a")
    assert (account.cash, account.holdings) == (1000 * ONE - 10 * ONE + micro("7.2") + micro("2.25") - fees, {})
    account = await fleet.broker.account("b")
    assert (account.cash, account.holdings) == (1000 * ONE + 2 * ONE - fee_of("20", "0.5") - fee_of("20", "0.6"), {})
    with pytest.raises(Unavailable, match="trading is halted"):
        await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    placed = [event for event in await fleet.events(Type.ORDER) if event.data["status"] == "intended"]
    assert len(placed) == 5, "two buys, a quote and two sales"
    await fleet.throw("once more", flatten=True)
    await asyncio.sleep(1.5)
    assert len([event for event in await fleet.events(Type.ORDER) if event.data["status"] == "intended"]) == 5
    await fleet.agreed()


async def _sold_out(fleet: Fleet) -> bool:
    found = fleet.broker._desk.fleet.sell_outs.get("main")
    return found is not None and not found.left


async def test_what_cannot_be_sold_is_reported_with_its_reason_and_sold_when_it_can_be(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    nobody, rival = await _bought(fleet, "a")
    await fleet.throw("a drill", flatten=True)
    await until(lambda: _reasons(fleet, {"nobody bids for them"}))
    [left] = fleet.broker._desk.fleet.sell_outs["main"].left
    assert (left.owner, left.size, left.outcome) == ("a", 20 * ONE, "Yes")
    rival.rest(nobody.tokens[0], Side.BUY, "0.4", "5")
    await until(lambda: fleet.filled("a", nobody.tokens[0], 15 * ONE))
    # The limit stands at a tenth less than the first bid: what comes too low is not taken.
    rival.rest(nobody.tokens[0], Side.BUY, "0.35", "100")
    await until(lambda: _reasons(fleet, {"bids are below 0.36, a tenth less than the best bid when selling out began"}))
    assert await fleet.filled("a", nobody.tokens[0], 15 * ONE)
    # In the next life of the broker too.
    await fleet.restart()
    await asyncio.sleep(1.5)
    assert await fleet.filled("a", nobody.tokens[0], 15 * ONE)
    rival.rest(nobody.tokens[0], Side.BUY, "0.37", "100")
    await until(lambda: _sold_out(fleet))
    await fleet.agreed()
    assert len([event for event in await fleet.events(Type.RISK) if event.data["kind"] == "flatten"]) < 9


async def _reasons(fleet: Fleet, wanted: set[str]) -> bool:
    found = fleet.broker._desk.fleet.sell_outs.get("main")
    return found is not None and {left.reason for left in found.left} == wanted


async def test_selling_out_goes_on_after_a_kill_of_the_broker_and_sells_nothing_twice(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market, rival = await _bought(fleet, "a")
    rival.rest(market.tokens[0], Side.BUY, "0.5", "100")
    sent = fleet.die_over_the_next_order()
    await fleet.throw("a drill", flatten=True)
    async with asyncio.timeout(10.0):
        await sent.wait()
    await fleet.restart()
    await until(lambda: _sold_out(fleet))
    account = await fleet.broker.account("a")
    assert (account.cash, account.holdings) == (1000 * ONE - fee_of("20", "0.5") - fee_of("20", "0.5"), {})
    await fleet.agreed()


async def test_lifted_it_sells_no_more(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market, rival = await _bought(fleet, "a")
    await fleet.throw("a drill", flatten=True)
    await until(lambda: _reasons(fleet, {"nobody bids for them"}))
    await fleet.lift()
    assert fleet.broker._desk.fleet.sell_outs == {}
    rival.rest(market.tokens[0], Side.BUY, "0.5", "100")
    await asyncio.sleep(1.5)
    assert await fleet.filled("a", market.tokens[0], 20 * ONE)

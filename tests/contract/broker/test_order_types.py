"""Every type of order, on grids that change, against the real wire of the simulated venue."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from actors.sandbox.exchange import Exchange
from actors.sandbox.records import OrderState
from agents.events import Type
from agents.model import Side, TimeInForce
from agents.money import ONE, micro
from tests.contract.broker.fleet import Fleet, until
from tests.contract.broker.rival import Rival, fee_of
from tests.contract.broker.wire import wire

HOUR = 3_600_000


async def test_an_order_that_may_take_takes_what_is_there_and_rests(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "8")
    intent = fleet.intent(market, "buy", "0.52", "20", time_in_force=TimeInForce.GTC)
    [placed] = await fleet.place("a", intent)
    assert placed.filled == 8 * ONE
    account = await fleet.broker.account("a")
    [order] = account.orders
    assert (order.price, order.size, order.filled) == (micro("0.52"), 20 * ONE, 8 * ONE)
    left = micro("0.52") * 12
    assert account.cash <= 1000 * ONE - 4 * ONE - fee_of("8", "0.5") - left, "and what it may still cost is held"
    assert await fleet.broker.cancel_agent("a") == 1
    assert (await fleet.broker.account("a")).cash == 996 * ONE - fee_of("8", "0.5")
    await fleet.agreed()


@pytest.mark.parametrize(("offered", "status"), [("20", "matched"), ("19", "rejected")])
async def test_all_or_nothing(fleet: Fleet, offered: str, status: str) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", offered)
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20", time_in_force=TimeInForce.FOK))
    assert placed.status == status
    if status == "rejected":
        assert placed.reason.startswith("order couldn't be fully filled.")
        assert (await fleet.broker.account("a")).cash == 1000 * ONE
    else:
        assert placed.filled == 20 * ONE
    await fleet.agreed()


async def test_an_order_with_a_far_end_states_it_to_the_venue(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())

    async def reckons() -> bool:
        return bool(fleet.broker._desk.clock.speed)

    await until(reckons)
    ends = await fleet.feed.now() + 100 * HOUR  # A hundred minutes of the wall.
    with wire(fleet.served) as sent:
        [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True, expires=ends))
    assert placed.status == "live"
    [body] = sent.bodies
    assert (body["orderType"], body["postOnly"]) == ("GTD", True)
    assert int(body["order"]["expiration"]) >= fleet.broker._desk.wall() + 180
    [order] = (await fleet.broker.account("a")).orders
    assert order.expires == ends
    logged = await fleet.ledger.order(placed.order_id or "")
    assert logged is not None
    assert (logged["orderType"], logged["expires"]) == ("GTD", ends)


@pytest.mark.parametrize("killed", [False, True])
async def test_an_order_with_a_near_end_rests_and_the_broker_ends_it(fleet: Fleet, killed: bool) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    ends = await fleet.feed.now() + HOUR // 10  # Six wall seconds.
    with wire(fleet.served) as sent:
        [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True, expires=ends))
    assert placed.status == "live"
    assert [(body["orderType"], body["order"]["expiration"]) for body in sent.bodies] == [("GTC", "0")]
    if killed:
        await fleet.restart()
    await until(lambda: fleet.ended(placed.order_id, "expired"))
    assert await fleet.feed.now() >= ends
    found = fleet.served.run(lambda exchange: exchange.order(placed.order_id or ""))
    assert found is not None
    assert found.state is OrderState.CANCELED
    await until(lambda: fleet.cash("a", 1000 * ONE))
    await fleet.agreed()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quote": True, "time_in_force": TimeInForce.FOK}, "a quote rests, and a FOK order does not"),
        ({"time_in_force": TimeInForce.GTD}, "a GTD order needs a time at which it expires"),
        ({"expires": 1}, "it was good until 1, and the venue's clock is at"),
        ({"time_in_force": TimeInForce.FAK, "expires": 2**50}, "a FAK order does not expire"),
        ({"max_spend": 0}, "a buy has no cap of 0 pUSD"),
    ],
)
async def test_what_cannot_be_had_together_is_refused_before_it_is_signed(
    fleet: Fleet, changes: dict[str, Any], reason: str
) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", **changes))
    assert (placed.order_id, placed.status) == (None, "rejected")
    assert placed.reason.startswith(reason)
    assert await fleet.events(Type.ORDER) == []


async def test_a_cap_holds_with_the_fee_and_wherever_it_fills(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    rival = Rival(fleet.served)
    for price in ("0.41", "0.43", "0.5"):
        rival.rest(record.tokens[0], Side.SELL, price, "20")
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "1000", max_spend=25 * ONE))
    assert placed.filled > 40 * ONE
    spent = 1000 * ONE - (await fleet.broker.account("a")).cash
    assert 23 * ONE < spent <= 25 * ONE
    await fleet.agreed()


async def test_a_tick_that_changes_after_the_decision_moves_the_price_and_fails_nothing(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market(tick=1_000)
    market = await fleet.market(record)
    intents = [fleet.intent(market, side, price, "10", quote=True) for side, price in (("buy", "0.456"), ("buy", "0.441"))]
    change_tick(fleet, record.condition_id, 10_000)

    async def seen() -> bool:
        view = fleet.broker._entry.limits.quotes.view(record.condition_id)
        return view is not None and view.market.tick == 10_000

    await until(seen)
    placed = await fleet.place("a", *intents)
    assert [each.status for each in placed] == ["live", "live"]
    orders = sorted((await fleet.broker.account("a")).orders, key=lambda order: order.price)
    assert [order.price for order in orders] == [micro("0.44"), micro("0.45")], "down, as they buy"
    change_tick(fleet, record.condition_id, 1_000)
    [finer] = await fleet.place("a", fleet.intent(replace(market, tick=10_000), "buy", "0.43", "10", quote=True))
    assert finer.status == "live"
    await fleet.agreed()


def change_tick(fleet: Fleet, condition_id: str, tick: int) -> None:
    def change(exchange: Exchange) -> None:
        exchange.change_tick(exchange.floor.listings[condition_id], tick)

    fleet.served.run(change)


async def test_orders_that_need_not_wait_share_requests_and_each_has_its_own_outcome(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    records = [fleet.served.market() for _ in range(17)]
    markets = [await fleet.market(record) for record in records]
    Rival(fleet.served).rest(records[3].tokens[0], Side.SELL, "0.4", "100")  # The fourth would take.
    with wire(fleet.served) as sent:
        placed = await fleet.place("a", *(fleet.intent(market, "buy", "0.4", "10", quote=True) for market in markets))
    assert [path for path, _ in sent.requests] == ["/orders", "/orders"]
    assert [len(body) for body in sent.bodies] == [15, 2]
    assert [each.status for each in placed] == ["live"] * 3 + ["rejected"] + ["live"] * 13
    assert placed[3].reason == "invalid post-only order: order crosses book"
    assert len((await fleet.broker.account("a")).orders) == 16
    assert (await fleet.broker.account("a")).cash == (1000 - 16 * 4) * ONE
    await fleet.agreed()


async def test_a_taker_shares_no_request_on_its_market_and_legs_stop_at_the_first_that_fails(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    first, second = await fleet.market(fleet.served.market()), await fleet.market(fleet.served.market())
    with wire(fleet.served) as sent:
        placed = await fleet.place(
            "a",
            fleet.intent(first, "buy", "0.5", "10"),
            fleet.intent(first, "buy", "0.4", "10", quote=True),
            fleet.intent(second, "buy", "0.4", "10", quote=True),
            fleet.intent(first, "buy", "0.5", "10", group="g"),
            fleet.intent(second, "buy", "0.5", "10", group="g"),
        )
    assert [path for path, _ in sent.requests] == ["/order", "/orders", "/order"]
    assert [each.status for each in placed] == ["rejected", "live", "live", "rejected", "rejected"]
    assert placed[4].reason.startswith("an earlier leg of its group was not placed")


async def test_orders_of_a_batch_share_the_cash_that_there_is(fleet: Fleet) -> None:
    await fleet.start(a="10")
    markets = [await fleet.market(fleet.served.market()) for _ in range(3)]
    placed = await fleet.place("a", *(fleet.intent(market, "buy", "0.4", "10", quote=True) for market in markets))
    assert [each.status for each in placed] == ["live", "live", "rejected"]
    assert placed[2].reason == "it may cost 4 pUSD, fee included, and the agent has 2 free"
    await asyncio.gather(fleet.agreed())


async def test_orders_are_cancelled_one_by_one_by_market_and_by_agent(fleet: Fleet) -> None:
    await fleet.start(a="1000", b="1000")
    first, second = await fleet.market(fleet.served.market()), await fleet.market(fleet.served.market())
    ids = {}
    for agent_id in "ab":
        placed = await fleet.place(
            agent_id, *(fleet.intent(market, "buy", "0.4", "10", quote=True) for market in (first, second))
        )
        ids[agent_id] = [each.order_id for each in placed]
    broker = fleet.broker
    assert await broker.cancel(order_id=ids["a"][0]) == 1
    assert await broker.cancel(order_id=ids["a"][0]) == 0
    assert await broker.cancel(condition_id=first.condition_id) == 1
    assert await broker.cancel(agent_id="a", condition_id=first.condition_id) == 0
    assert await broker.cancel(agent_id="a") == 1
    left = fleet.served.run(lambda exchange: exchange.open_orders(fleet.address))
    assert [order.order_id for order in left] == [ids["b"][1]]
    await fleet.agreed()

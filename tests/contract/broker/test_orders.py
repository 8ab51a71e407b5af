"""Orders from an agent's intent to the books, against the real wire of the simulated venue."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from actors.polymarket.trading import Reply
from actors.sandbox.faults import Faults
from actors.sandbox.records import TradeRecord, TradeStatus
from agents.errors import StaleIncarnation, Unavailable
from agents.events import Type
from agents.model import Side
from agents.money import ONE, micro
from tests.contract.broker.fleet import Fleet, injected, until
from tests.contract.broker.rival import Rival, fee_of
from tests.contract.sandbox.served import Served


async def test_a_quote_rests_and_is_cancelled(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert placed.status == "live"
    account = await fleet.broker.account("a")
    assert account.cash == 996 * ONE
    assert [(order.order_id, order.status) for order in account.orders] == [(placed.order_id, "live")]
    assert await fleet.broker.cancel_agent("a") == 1
    assert (await fleet.broker.account("a")).cash == 1000 * ONE
    assert await fleet.order_states(placed.order_id) == ["intended", "signed", "sent", "live", "cancelled"]
    await fleet.agreed()


async def test_a_taker_is_filled_at_the_makers_prices_and_pays_the_fees(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    rival = Rival(fleet.served)
    rival.rest(record.tokens[0], Side.SELL, "0.5", "8")
    rival.rest(record.tokens[1], Side.BUY, "0.47", "12")  # Sells the first outcome at 0.53, so to speak.
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.55", "20"))
    assert (placed.status, placed.filled) == ("matched", 20 * ONE)
    cost = micro("4") + fee_of("8", "0.5") + micro("6.36") + fee_of("12", "0.53")
    account = await fleet.broker.account("a")
    assert account.cash == 1000 * ONE - cost
    assert account.holdings[market.tokens[0]].size == 20 * ONE
    assert account.holdings[market.tokens[0]].cost == micro("10.36")
    trades = [event.data for event in await fleet.events(Type.TRADE)]
    assert [(trade["size"], trade["exactPrice"], trade["liquidity"]) for trade in trades] == [
        ("8", "0.5", "taker"),
        ("12", "0.53", "taker"),
    ]
    await fleet.agreed()
    await until(lambda: fleet.ended(placed.order_id, "confirmed"))
    assert (await fleet.agreed())["pending"] == []


async def test_a_buy_below_its_limit_gets_more_shares_for_no_more_cash(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.4", "100")
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    assert (placed.status, placed.filled) == ("matched", 25 * ONE)
    assert (await fleet.broker.account("a")).cash == 990 * ONE - fee_of("25", "0.4")
    await fleet.agreed()


async def test_what_is_left_of_a_taker_is_killed(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "8")
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    assert (placed.status, placed.filled) == ("pending", 8 * ONE)
    account = await fleet.broker.account("a")
    assert (account.cash, account.orders) == (996 * ONE - fee_of("8", "0.5"), ())
    await until(lambda: fleet.ended(placed.order_id, "confirmed"))
    assert await fleet.order_states(placed.order_id) == [
        "intended",
        "signed",
        "sent",
        "partially_filled",
        "pending",
        "confirmed",
    ]


async def test_a_taker_that_finds_nothing_is_rejected_in_the_venues_words(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "10"))
    assert placed.status == "rejected"
    assert placed.reason.startswith("no orders found to match with FAK order.")
    assert (await fleet.broker.account("a")).cash == 1000 * ONE


async def test_a_makers_fills_are_booked_on_whichever_token_the_taker_came(fleet: Fleet) -> None:
    await fleet.start(a="1000", b="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    [first] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    await fleet.place("b", fleet.intent(market, "buy", "0.4", "10", quote=True))
    rival = Rival(fleet.served)
    rival.take(record.tokens[0], Side.SELL, "0.4", "4")
    rival.take(record.tokens[1], Side.BUY, "0.6", "10")  # Meets what is left of the first order, then the second one.
    await until(lambda: fleet.ended(first.order_id, "confirmed"))
    await until(lambda: fleet.filled("b", market.tokens[0], 4 * ONE))
    assert await fleet.order_states(first.order_id) == [
        "intended",
        "signed",
        "sent",
        "live",
        "partially_filled",
        "matched",
        "confirmed",
    ]
    account = await fleet.broker.account("b")
    assert account.cash == 996 * ONE, "4 shares bought at 0.4 without a fee, and cash for 6 more held back"
    assert account.orders[0].filled == 4 * ONE
    await fleet.agreed()


async def test_shares_are_sold_and_the_profit_is_realised(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    rival = Rival(fleet.served)
    rival.rest(record.tokens[0], Side.SELL, "0.5", "20")
    await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    rival.rest(record.tokens[0], Side.BUY, "0.6", "50")
    [too_many, sold] = await fleet.place(
        "a", fleet.intent(market, "sell", "0.6", "20.01"), fleet.intent(market, "sell", "0.6", "20")
    )
    assert (too_many.status, too_many.order_id) == ("rejected", None)
    assert too_many.reason == "it sells 20.01 shares, and the agent has 20 free"
    assert (sold.status, sold.filled) == ("matched", 20 * ONE)
    trade = (await fleet.events(Type.TRADE))[-1].data
    assert trade["profit"] == (2 * ONE - fee_of("20", "0.6")) / ONE
    account = await fleet.broker.account("a")
    assert account.holdings == {}
    assert account.cash == 1002 * ONE - fee_of("20", "0.5") - fee_of("20", "0.6")
    await fleet.agreed()


async def test_an_agent_cannot_spend_what_its_own_book_does_not_hold(fleet: Fleet) -> None:
    await fleet.start(a="10", b="1000")
    market = await fleet.market(fleet.served.market())
    # 9.8 and the fee of at most 5 % would be more than 10.
    [taker] = await fleet.place("a", fleet.intent(market, "buy", "0.49", "20"))
    assert taker.reason.endswith("fee included, and the agent has 10 free")
    [quote, second] = await fleet.place(
        "a",
        fleet.intent(market, "buy", "0.49", "20", quote=True),
        fleet.intent(market, "buy", "0.01", "21", quote=True),
    )
    assert (quote.status, second.status) == ("live", "rejected")


async def test_orders_that_would_trade_with_the_wallets_own_are_refused(fleet: Fleet) -> None:
    await fleet.start(a="100", b="100")
    market = await fleet.market(fleet.served.market())
    await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    [mirror] = await fleet.place("b", fleet.intent(market, "buy", "0.6", "10", outcome=1))
    [beside] = await fleet.place("b", fleet.intent(market, "buy", "0.59", "10", outcome=1, quote=True))
    assert mirror.reason == "it would trade with agent a's own buy order at 0.4 in the same wallet"
    assert beside.status == "live"


async def test_a_group_stops_at_its_first_leg_that_is_not_placed(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record, other = fleet.served.market(), fleet.served.market()
    first, second = await fleet.market(record), await fleet.market(other)
    Rival(fleet.served).rest(other.tokens[0], Side.SELL, "0.5", "100")
    placed = await fleet.place(
        "a",
        fleet.intent(first, "buy", "0.5", "10", group="g"),
        fleet.intent(second, "buy", "0.5", "10", group="g"),
        fleet.intent(second, "buy", "0.5", "10"),
    )
    assert [outcome.status for outcome in placed] == ["rejected", "rejected", "matched"]
    assert placed[1].order_id is None
    assert placed[1].reason.startswith("an earlier leg of its group was not placed: no orders found")


async def test_a_repeated_intent_is_one_order_in_every_life_of_the_broker(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    intent = fleet.intent(market, "buy", "0.4", "10", quote=True)
    [first] = await fleet.place("a", intent)
    [again] = await fleet.place("a", intent)
    await fleet.broker.cancel_agent("a")
    await fleet.restart()
    [later] = await fleet.place("a", intent)
    assert again == first
    assert (later.order_id, later.status) == (first.order_id, "cancelled")
    assert len(fleet.served.run(lambda exchange: exchange.open_orders(fleet.address))) == 0


async def test_orders_of_a_multi_outcome_event_are_signed_for_its_own_exchange(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market(neg_risk=True, neg_risk_market_id="0x" + "7" * 64)
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[1], Side.SELL, "0.5", "10")
    quote, taker = await fleet.place(
        "a", fleet.intent(market, "buy", "0.4", "10", quote=True), fleet.intent(market, "buy", "0.5", "10", outcome=1)
    )
    assert (quote.status, taker.status, taker.filled) == ("live", "matched", 10 * ONE)
    assert [order.order_id for order in fleet.served.run(lambda exchange: exchange.open_orders(fleet.address))] == [
        quote.order_id
    ]


async def test_a_budget_is_changed_while_orders_stand_and_what_is_left_of_a_deleted_agent_is_nobodys(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "10")
    await fleet.place("a", fleet.intent(market, "buy", "0.5", "10"), fleet.intent(market, "buy", "0.4", "10", quote=True))
    await fleet.change_agent("a", "updated", "1500")
    fee = fee_of("10", "0.5")
    await until(lambda: fleet.cash("a", 1500 * ONE - 9 * ONE - fee))
    await fleet.broker.cancel_agent("a")
    await fleet.change_agent("a", "deleted", "1500")
    await until(lambda: fleet.cash("a", 0))
    nobody = fleet.broker._desk.book("")
    assert (nobody.cash, nobody.positions[market.tokens[0]].size) == (10_000 * ONE - 5 * ONE - fee, 10 * ONE)
    with pytest.raises(StaleIncarnation):
        await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    await fleet.agreed()


async def test_an_earlier_life_of_an_agent_cannot_trade(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    await fleet.broker.admit("a", 2, await fleet.ledger.head())
    with pytest.raises(StaleIncarnation, match="life 1 may not trade any more"):
        await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True), incarnation=2)
    assert placed.status == "live"
    with pytest.raises(StaleIncarnation, match="there is no agent nobody"):
        await fleet.place("nobody", fleet.intent(market, "buy", "0.4", "10", quote=True))


async def test_a_halted_wallet_takes_no_orders_and_keeps_none(fleet: Fleet) -> None:
    await fleet.start(a="1000", b="1000")
    market = await fleet.market(fleet.served.market())
    for agent_id in "ab":
        await fleet.place(agent_id, fleet.intent(market, "buy", "0.4", "10", quote=True))
    await fleet.broker.halt("a drill")
    with pytest.raises(Unavailable, match="trading is halted: a drill"):
        await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert await fleet.broker.cancel_all() == 2
    assert fleet.served.run(lambda exchange: exchange.open_orders(fleet.address)) == []
    await fleet.broker.halt(None)
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert placed.status == "live"


async def test_a_slow_answer_to_one_agent_holds_up_no_other(fleet: Fleet) -> None:
    await fleet.start(a="1000", b="1000")
    market = await fleet.market(fleet.served.market())
    venue = fleet.broker._desk.venue
    post, waiting, go_on = venue.post, asyncio.Event(), asyncio.Event()

    async def slow(payload: bytes) -> Reply:
        venue.post = post  # type: ignore[method-assign]
        waiting.set()
        await go_on.wait()
        return await post(payload)

    venue.post = slow  # type: ignore[method-assign]
    first = asyncio.create_task(fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True)))
    await waiting.wait()
    [second] = await fleet.place("b", fleet.intent(market, "buy", "0.39", "10", quote=True))
    assert second.status == "live"
    assert not first.done()
    go_on.set()
    assert (await first)[0].status == "live"


class _Failing(Faults):
    """Every trade is mined and then fails."""

    def settle(self, trade: TradeRecord) -> Sequence[tuple[int, TradeStatus]]:
        return ((100, TradeStatus.RETRYING), (300, TradeStatus.FAILED))


@pytest.fixture
def failing(served: Served) -> Iterator[None]:
    with injected(served, _Failing()):
        yield


@pytest.mark.usefixtures("failing")
async def test_a_settlement_that_fails_is_taken_back_to_the_last_millionth(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.37", "33")
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.37", "33"))
    await until(lambda: fleet.ended(placed.order_id, "failed"))
    account = await fleet.broker.account("a")
    assert (account.cash, account.holdings) == (1000 * ONE, {})
    report = await fleet.agreed()
    assert (report["positions"], report["pending"]) == ([], [])


async def test_an_order_placed_outside_the_fleet_is_booked_to_nobody(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "100")
    outside = fleet.outsider()
    fleet.served.run(lambda exchange: exchange.place(outside.order(record.tokens[0], Side.BUY, "0.5", "10")))
    await until(lambda: fleet.count(Type.TRADE, 1))
    [event] = await fleet.events(Type.TRADE)
    assert event.agent_id is None
    assert (await fleet.broker.account("a")).cash == 1000 * ONE
    await fleet.agreed()

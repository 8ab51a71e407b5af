"""The official client's market and user channels, unmodified, against the simulated venue."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from polymarket import AsyncSecureClient
from polymarket.streams import MarketSpec, UserSpec

from agents.money import ONE
from tests.contract.sandbox.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def until(handle: Any, *types: str) -> list[Any]:
    """Return the events up to the first of each of these types."""
    found: list[Any] = []
    async with asyncio.timeout(5):
        async for event in handle:
            found.append(event)
            if {seen.type for seen in found} >= set(types):
                break
    return found


async def test_the_market_channel_tells_book_changes_and_trades(
    client: AsyncSecureClient, other: AsyncSecureClient, served: Served
) -> None:
    record = served.market()
    yes, no = record.tokens
    async with await client.subscribe(MarketSpec(token_ids=[yes, no], custom_feature_enabled=True)) as handle:
        books = await until(handle, "book")
        assert {event.payload.token_id for event in books + await until(handle, "book")} == {yes, no}
        await client.place_limit_order(token_id=yes, price="0.40", size="100", side="BUY")
        events = await until(handle, "price_change", "best_bid_ask")
        change = next(event.payload for event in events if event.type == "price_change")
        assert change.condition_id == record.condition_id
        assert [(row.token_id, row.price, row.size, row.side, row.best_bid, row.best_ask) for row in change.price_changes] == [
            (yes, Decimal("0.4"), 100, "BUY", Decimal("0.4"), 1),
            (no, Decimal("0.6"), 100, "SELL", 0, Decimal("0.6")),
        ]
        book = await client.get_order_book(token_id=yes)
        assert change.price_changes[0].hash == book.hash
        await other.place_limit_order(token_id=no, price="0.60", size="40", side="BUY")
        events = await until(handle, "last_trade_price", "price_change", "book")
        trade = next(event.payload for event in events if event.type == "last_trade_price")
        assert (trade.token_id, trade.price, trade.size, trade.side) == (no, Decimal("0.6"), 40, "BUY")


async def test_announcements_of_new_and_resolved_markets_reach_whoever_asked_for_them(
    client: AsyncSecureClient, served: Served
) -> None:
    record = served.market()
    async with await client.subscribe(MarketSpec(token_ids=[record.tokens[0]], custom_feature_enabled=True)) as handle:
        await until(handle, "book")
        opened = served.market()
        events = await until(handle, "new_market")
        news = next(event.payload for event in events if event.type == "new_market")
        assert (news.condition_id, news.token_ids) == (opened.condition_id, opened.tokens)
        assert news.order_price_min_tick_size == Decimal("0.01")
        served.run(lambda exchange: exchange.resolve(record.condition_id, (0, ONE)))
        events = await until(handle, "market_resolved")
        resolved = next(event.payload for event in events if event.type == "market_resolved")
        assert (resolved.condition_id, resolved.winning_token_id, resolved.winning_outcome) == (
            record.condition_id,
            record.tokens[1],
            "No",
        )


async def test_a_changed_tick_is_told_for_both_tokens(client: AsyncSecureClient, served: Served) -> None:
    record = served.market()
    async with await client.subscribe(MarketSpec(token_ids=list(record.tokens))) as handle:
        await until(handle, "book")
        served.run(lambda exchange: exchange.change_tick(exchange.floor.listings[record.condition_id], 1000))
        first = (await until(handle, "tick_size_change"))[-1].payload
        second = (await until(handle, "tick_size_change"))[-1].payload
        assert {first.token_id, second.token_id} == set(record.tokens)
        assert (first.old_tick_size, first.new_tick_size) == (Decimal("0.01"), Decimal("0.001"))


async def test_the_user_channel_tells_placement_fill_settlement_and_cancellation(
    client: AsyncSecureClient, other: AsyncSecureClient, served: Served
) -> None:
    record = served.market()
    yes, no = record.tokens
    async with await client.subscribe(UserSpec(markets=[record.condition_id])) as handle:
        await asyncio.sleep(0.1)  # The channel does not say when it is open.
        placed = await client.place_limit_order(token_id=yes, price="0.40", size="100", side="BUY")
        assert placed.ok
        order = (await until(handle, "order"))[-1].payload
        assert (order.id, order.order_event_type, order.status) == (placed.order_id, "PLACEMENT", "LIVE")
        assert (order.price, order.original_size, order.size_matched) == (Decimal("0.4"), 100, 0)
        taken = await other.place_limit_order(token_id=no, price="0.60", size="30", side="BUY")
        assert taken.ok
        events = await until(handle, "trade", "order")
        trade = next(event.payload for event in events if event.type == "trade")
        assert (trade.id, trade.status, trade.trader_side, trade.taker_order_id) == (
            taken.trade_ids[0],
            "MATCHED",
            "MAKER",
            taken.order_id,
        )
        maker = trade.maker_orders[0]
        assert (maker.order_id, maker.owner, maker.token_id, maker.side) == (
            placed.order_id,
            client.credentials.key,
            yes,
            "BUY",
        )
        update = next(event.payload for event in events if event.type == "order")
        assert (update.order_event_type, update.size_matched, update.associate_trades) == ("UPDATE", 30, taken.trade_ids)
        statuses = [(await until(handle, "trade"))[-1].payload.status for _ in range(2)]
        assert statuses == ["MINED", "CONFIRMED"]
        await client.cancel_order(order_id=placed.order_id)
        cancelled = (await until(handle, "order"))[-1].payload
        assert (cancelled.order_event_type, cancelled.status, cancelled.size_matched) == ("CANCELLATION", "CANCELED", 30)


async def test_resolution_cancels_resting_orders_with_its_reason(client: AsyncSecureClient, served: Served) -> None:
    record = served.market()
    placed = await client.place_limit_order(token_id=record.tokens[0], price="0.40", size="10", side="BUY")
    assert placed.ok
    async with await client.subscribe(UserSpec(markets=[record.condition_id])) as handle:
        await asyncio.sleep(0.1)
        served.run(lambda exchange: exchange.resolve(record.condition_id, (ONE, 0)))
        order = (await until(handle, "order"))[-1].payload
        assert (order.id, order.order_event_type, order.status) == (
            placed.order_id,
            "CANCELLATION",
            "CANCELED_MARKET_RESOLVED",
        )

"""The official asyncio client, unmodified, against the simulated venue: discovery, books, orders, trades."""

import time
from decimal import Decimal

import pytest
from polymarket import AsyncSecureClient
from polymarket.errors import OrderHeartbeatMismatchError, RequestRejectedError

from actors.polymarket.environment import environment
from agents.money import ONE
from tests.contract.sandbox.served import Served, Wallet

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_discovers_every_open_market_and_finds_each_by_id_and_slug(client: AsyncSecureClient, served: Served) -> None:
    listed = [market async for market in client.list_markets(page_size=7).iter_items()]
    open_ids = {record.id for record in served.run(lambda exchange: list(exchange.markets())) if not record.closed}
    assert {market.id for market in listed} == open_ids
    assert len(listed) == len(open_ids) > 10
    first = listed[0]
    assert (await client.get_market(id=first.id)).slug == first.slug
    assert first.slug is not None
    assert (await client.get_market(slug=first.slug, include_tag=True)).tags[0].slug
    assert (first.state.enable_order_book, first.state.accepting_orders, first.version) == (True, True, "v1")
    assert first.outcomes.yes.token_id
    event = await client.get_event(id=first.events[0].id)
    assert first.id in {market.id for market in event.markets}
    assert event.slug is not None
    assert (await client.get_event(slug=event.slug)).id == event.id


async def test_it_lists_filters_orders_and_searches(client: AsyncSecureClient, served: Served) -> None:
    record = served.market(question="Will the Zanzibar ferry sail?", event_title="Zanzibar ferry", tick=1_000)
    page = await client.list_markets(clob_token_ids=[record.tokens[1]]).first_page()
    assert [market.condition_id for market in page.items] == [record.condition_id]
    fine = [market async for market in client.list_markets(decimalized=True).iter_items()]
    assert record.id in {market.id for market in fine}
    assert {market.trading.minimum_tick_size for market in fine} == {Decimal("0.001")}
    ordered = [m.metrics.volume_num or 0 async for m in client.list_markets(order="volume", ascending=False).iter_items()]
    assert ordered == sorted(ordered, reverse=True)
    found = await client.search(q="zanzibar ferry").first_page()
    assert [event.title for event in found.items[0].events] == ["Zanzibar ferry"]
    tags = [tag async for tag in client.list_tags(page_size=5).iter_items()]
    quiet = next(tag for tag in tags if tag.label == "Quiet Things")
    assert (await client.get_tag(slug="quiet-things")).id == quiet.id
    tagged = await client.list_markets(tag_id=int(quiet.id), slug=[record.slug]).first_page()
    assert [market.id for market in tagged.items] == [record.id]
    events = [event async for event in client.list_events(page_size=9).iter_items()]
    assert {event.id for event in events} >= {record.event_id}
    assert [tag.label for tag in await client.get_market_tags(record.id)] == ["Economy", "Quiet Things"]


async def test_it_reads_both_mirrored_books_and_all_prices(
    client: AsyncSecureClient, other: AsyncSecureClient, served: Served
) -> None:
    record = served.market()
    yes, no = record.tokens
    await client.place_limit_order(token_id=yes, price="0.40", size="100", side="BUY")
    await client.place_limit_order(token_id=yes, price="0.38", size="50", side="BUY")
    await other.place_limit_order(token_id=no, price="0.55", size="20", side="BUY")
    books = {str(book.asset_id): book for book in await client.get_order_books(token_ids=[yes, no])}
    assert [(level.price, level.size) for level in books[yes].bids] == [
        (Decimal("0.38"), Decimal(50)),
        (Decimal("0.4"), Decimal(100)),
    ]
    assert [(level.price, level.size) for level in books[yes].asks] == [(Decimal("0.45"), Decimal(20))]
    assert [(level.price, level.size) for level in books[no].bids] == [(Decimal("0.55"), Decimal(20))]
    assert [level.price for level in books[no].asks] == [Decimal("0.62"), Decimal("0.6")]
    assert await client.get_order_book(token_id=yes) == books[yes]
    assert await client.get_midpoint(token_id=yes) == Decimal("0.425")
    assert await client.get_price(token_id=yes, side="BUY") == Decimal("0.4")
    assert await client.get_price(token_id=yes, side="SELL") == Decimal("0.45")
    assert await client.get_spread(token_id=no) == Decimal("0.05")
    assert await client.get_midpoints(token_ids=[yes, no]) == {yes: Decimal("0.425"), no: Decimal("0.575")}
    assert await client.get_last_trade_price(token_id=yes) is None
    await other.place_limit_order(token_id=no, price="0.60", size="10", side="BUY")
    last = await client.get_last_trade_price(token_id=no)
    assert last is not None
    assert (last.price, last.side) == (Decimal("0.6"), "BUY")


async def test_gtc_rests_partly_fills_and_is_cancelled(
    client: AsyncSecureClient, other: AsyncSecureClient, served: Served
) -> None:
    record = served.market()
    yes, no = record.tokens
    placed = await client.place_limit_order(token_id=yes, price="0.40", size="100", side="BUY")
    assert placed.ok
    assert (placed.status, placed.trade_ids, placed.making_amount) == ("live", (), 0)
    taken = await other.place_limit_order(token_id=no, price="0.60", size="30", side="BUY")
    assert taken.ok
    assert (taken.status, taken.making_amount, taken.taking_amount, len(taken.trade_ids)) == ("matched", 18, 30, 1)
    order = await client.get_order(order_id=placed.order_id)
    assert (order.status, order.size_matched, order.original_size, order.price) == ("LIVE", 30, 100, Decimal("0.4"))
    assert order.associate_trades == taken.trade_ids
    assert order.owner == client.credentials.key
    assert [found.id for found in (await client.list_open_orders(market=record.condition_id).first_page()).items] == [order.id]
    done = await client.cancel_order(order_id=placed.order_id)
    assert (done.canceled, done.not_canceled) == ((placed.order_id,), {})
    again = await client.cancel_order(order_id=placed.order_id)
    assert again.canceled == ()
    assert list(again.not_canceled) == [placed.order_id]
    assert (await client.get_order(order_id=placed.order_id)).status == "CANCELED"
    trade = (await client.list_account_trades(id=taken.trade_ids[0]).first_page()).items[0]
    assert (trade.trader_side, trade.status, trade.size, trade.price) == ("MAKER", "MATCHED", 30, Decimal("0.6"))
    assert [(maker.order_id, maker.matched_amount, maker.price, maker.asset_id) for maker in trade.maker_orders] == [
        (placed.order_id, 30, Decimal("0.4"), yes)
    ]
    mine = (await other.list_account_trades(market=record.condition_id).first_page()).items[0]
    assert (mine.id, mine.trader_side, mine.taker_order_id) == (trade.id, "TAKER", taken.order_id)


async def test_a_trade_is_confirmed_and_its_hash_is_known(
    client: AsyncSecureClient, other: AsyncSecureClient, served: Served
) -> None:
    record = served.market()
    await client.place_limit_order(token_id=record.tokens[0], price="0.50", size="10", side="BUY")
    taken = await other.place_limit_order(token_id=record.tokens[1], price="0.50", size="10", side="BUY")
    assert taken.ok
    assert taken.transactions_hashes == ()
    hashes = await other.wait_for_order_fill_settlement(taken, timeout_s=10)
    assert [len(tx_hash) for tx_hash in hashes] == [66]
    trade = (await client.list_account_trades(id=taken.trade_ids[0]).first_page()).items[0]
    assert (trade.status, trade.transaction_hash) == ("CONFIRMED", hashes[0])


async def test_gtd_rests_until_a_time_and_a_past_one_is_refused(client: AsyncSecureClient, served: Served) -> None:
    record = served.market()
    expiration = int(time.time()) + 600
    placed = await client.place_limit_order(
        token_id=record.tokens[0], price="0.10", size="10", side="BUY", expiration=expiration
    )
    assert placed.ok
    order = await client.get_order(order_id=placed.order_id)
    assert order.order_type == "GTD"
    assert order.expires_at is not None
    assert order.expires_at.timestamp() == expiration


async def test_fok_fills_entirely_or_not_at_all(client: AsyncSecureClient, other: AsyncSecureClient, served: Served) -> None:
    record = served.market()
    await other.place_limit_order(token_id=record.tokens[1], price="0.50", size="20", side="BUY")
    with pytest.raises(RequestRejectedError, match="FOK orders are fully filled or killed") as refused:
        await client.place_market_order(token_id=record.tokens[0], side="BUY", amount="11", max_price="0.50", order_type="FOK")
    assert refused.value.status == 400
    filled = await client.place_market_order(
        token_id=record.tokens[0], side="BUY", amount="10", max_price="0.50", order_type="FOK"
    )
    assert filled.ok
    assert (filled.status, filled.making_amount, filled.taking_amount) == ("matched", 10, 20)


async def test_fak_takes_what_is_there(
    client: AsyncSecureClient, other: AsyncSecureClient, served: Served, wallet: Wallet
) -> None:
    record = served.market()
    yes, no = record.tokens
    before = (await client.get_balance_allowance(asset_type="COLLATERAL")).balance
    await other.place_limit_order(token_id=no, price="0.50", size="20", side="BUY")
    filled = await client.place_market_order(token_id=yes, side="BUY", amount="50", max_price="0.50")
    assert filled.ok
    assert (filled.status, filled.making_amount, filled.taking_amount) == ("matched", 10, 20)
    order = await client.get_order(order_id=filled.order_id)
    assert (order.status, order.size_matched, order.order_type) == ("MATCHED", 20, "FAK")
    with pytest.raises(RequestRejectedError, match="no orders found to match with FAK order"):
        await client.place_market_order(token_id=yes, side="BUY", amount="50", max_price="0.50")
    await other.place_limit_order(token_id=yes, price="0.30", size="8", side="BUY")
    sold = await client.place_market_order(token_id=yes, side="SELL", shares="20", min_price="0.30")
    assert sold.ok
    assert (sold.making_amount, sold.taking_amount) == (8, Decimal("2.4"))
    # 20 bought at 0.5 and 8 sold at 0.3, each with its taker fee of 5 % of p(1-p).
    cash = before - 10 * ONE - 250_000 + 2_400_000 - 84_000
    assert (await client.get_balance_allowance(asset_type="COLLATERAL")).balance == cash
    assert (await client.get_balance_allowance(asset_type="CONDITIONAL", token_id=yes)).balance == 12 * ONE
    assert served.run(lambda exchange: exchange.cash(wallet.address).total) == cash


async def test_a_post_only_order_that_would_cross_is_refused(
    client: AsyncSecureClient, other: AsyncSecureClient, served: Served
) -> None:
    record = served.market()
    await other.place_limit_order(token_id=record.tokens[0], price="0.50", size="20", side="BUY")
    with pytest.raises(RequestRejectedError, match="order crosses book"):
        await client.place_limit_order(token_id=record.tokens[1], price="0.50", size="10", side="BUY", post_only=True)
    rests = await client.place_limit_order(token_id=record.tokens[1], price="0.49", size="10", side="BUY", post_only=True)
    assert rests.ok
    assert rests.status == "live"


async def test_orders_in_negative_risk_markets_are_signed_for_their_own_exchange(
    client: AsyncSecureClient, served: Served
) -> None:
    record = served.market(neg_risk=True, neg_risk_market_id="0x" + "ab" * 32)
    placed = await client.place_limit_order(token_id=record.tokens[0], price="0.20", size="10", side="BUY")
    assert placed.ok
    assert placed.status == "live"


async def test_a_batch_tells_of_each_order_and_cancel_all_and_by_market_leave_none(
    client: AsyncSecureClient, served: Served
) -> None:
    await client.cancel_all()
    record, second = served.market(), served.market()
    orders = [
        await client.create_limit_order(token_id=token, price=price, size="10", side="BUY")
        for token, price in ((record.tokens[0], "0.20"), (record.tokens[0], "0.21"), (second.tokens[1], "0.22"))
    ]
    results = await client.post_orders([*orders, orders[0]])
    assert [result.ok for result in results] == [True, True, True, False]
    assert "Duplicated" in results[3].message  # type: ignore[union-attr]
    ids = [result.order_id for result in results if result.ok]
    by_market = await client.cancel_market_orders(market=second.condition_id)
    assert by_market.canceled == (ids[2],)
    assert set((await client.cancel_orders(order_ids=ids)).canceled) == set(ids[:2])
    placed = await client.place_limit_order(token_id=record.tokens[0], price="0.30", size="10", side="BUY")
    assert placed.ok
    assert (await client.cancel_all()).canceled == (placed.order_id,)
    assert (await client.list_open_orders().first_page()).items == ()


async def test_strangers_neither_see_nor_cancel_an_order(
    client: AsyncSecureClient, other: AsyncSecureClient, served: Served
) -> None:
    record = served.market()
    placed = await client.place_limit_order(token_id=record.tokens[0], price="0.20", size="10", side="BUY")
    assert placed.ok
    assert (await other.cancel_order(order_id=placed.order_id)).canceled == ()
    assert (await other.list_open_orders(market=record.condition_id).first_page()).items == ()
    assert (await client.get_order(order_id=placed.order_id)).status == "LIVE"


async def test_what_does_not_fit_is_refused_in_the_venues_words(client: AsyncSecureClient, served: Served) -> None:
    record = served.market()
    with pytest.raises(RequestRejectedError, match="lower than the minimum: 5"):
        await client.place_limit_order(token_id=record.tokens[0], price="0.20", size="4", side="BUY")
    with pytest.raises(RequestRejectedError, match="not enough balance / allowance"):
        await client.place_limit_order(token_id=record.tokens[0], price="0.50", size="30000", side="BUY")
    with pytest.raises(RequestRejectedError, match="not enough balance / allowance"):
        await client.place_limit_order(token_id=record.tokens[0], price="0.50", size="10", side="SELL")


async def test_a_heartbeat_that_does_not_match_is_told_the_right_one(served: Served) -> None:
    # A wallet of its own: once heartbeats have started, their end cancels all orders.
    wallet = served.wallet()
    async with await AsyncSecureClient.create(
        private_key=wallet.key, wallet=wallet.address, environment=environment(served.endpoints)
    ) as client:
        first = await client.send_order_heartbeat()
        second = await client.send_order_heartbeat(heartbeat_id=first.heartbeat_id)
        assert second.heartbeat_id != first.heartbeat_id
        with pytest.raises(OrderHeartbeatMismatchError) as mismatch:
            await client.send_order_heartbeat(heartbeat_id="wrong")
        assert mismatch.value.heartbeat_id == second.heartbeat_id


async def test_an_accounts_keys_modes_and_limits(served: Served, client: AsyncSecureClient) -> None:
    assert await client.fetch_api_keys() == (client.credentials.key,)
    assert await client.get_closed_only_mode() is False
    balance = await client.get_balance_allowance(asset_type="COLLATERAL")
    assert balance.balance == served.run(lambda exchange: exchange.cash(client.wallet).total)
    assert set(balance.allowances.values()) == {2**256 - 1}
    assert len(balance.allowances) == 3

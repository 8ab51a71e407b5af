"""The official client's account history, resolutions and on-chain work, unmodified, against the simulated venue."""

from decimal import Decimal

import pytest
from polymarket import AsyncSecureClient
from polymarket.errors import TransactionFailedError
from polymarket.models.data.activity import MergeActivity, RedeemActivity, SplitActivity, TradeActivity

from agents.money import ONE, decimal
from tests.contract.sandbox.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def cash(client: AsyncSecureClient) -> int:
    return (await client.get_balance_allowance(asset_type="COLLATERAL")).balance


async def shares(client: AsyncSecureClient, token_id: str) -> int:
    return (await client.get_balance_allowance(asset_type="CONDITIONAL", token_id=token_id)).balance


@pytest.mark.parametrize("neg_risk", [False, True])
async def test_sets_are_split_and_merged_by_signed_transactions(
    client: AsyncSecureClient, served: Served, neg_risk: bool
) -> None:
    record = served.market(neg_risk=neg_risk, neg_risk_market_id="0x" + "cd" * 32 if neg_risk else "")
    before = await cash(client)
    split = await (await client.split_position(condition_id=record.condition_id, amount=50 * ONE)).wait()
    assert len(split.transaction_hash) == 66
    assert await cash(client) == before - 50 * ONE
    assert [await shares(client, token) for token in record.tokens] == [50 * ONE, 50 * ONE]
    mergeable = [p async for p in client.list_positions(condition_id=record.condition_id, status="MERGEABLE").iter_items()]
    assert {(position.token_id, position.current_size, position.mergeable) for position in mergeable} == {
        (token, 50, True) for token in record.tokens
    }
    await (await client.merge_positions(condition_id=record.condition_id, amount=20 * ONE)).wait()
    await (await client.merge_positions(condition_id=record.condition_id, amount="max")).wait()
    assert await cash(client) == before
    history = [item async for item in client.list_activity(condition_id=record.condition_id).iter_items()]
    assert [type(item) for item in history] == [MergeActivity, MergeActivity, SplitActivity]
    assert isinstance(history[2], SplitActivity)
    assert (history[2].transaction_hash, history[2].amount) == (split.transaction_hash, 50)


async def test_a_resolved_market_is_told_of_and_redeemed(
    client: AsyncSecureClient, other: AsyncSecureClient, served: Served
) -> None:
    record = served.market()
    yes, no = record.tokens
    await other.place_limit_order(token_id=no, price="0.60", size="30", side="BUY")
    await client.place_market_order(token_id=yes, side="BUY", amount="12", max_price="0.40")
    held = [p async for p in client.list_positions(condition_id=record.condition_id, status="OPEN").iter_items()]
    assert [(p.token_id, p.current_size, p.avg_price, p.entry_cost_usdc, p.entry_fees_usdc) for p in held] == [
        (yes, 30, Decimal("0.4"), 12, Decimal("0.36"))
    ]
    assert await client.get_resolutions(condition_ids=[record.condition_id]) == ()
    served.run(lambda exchange: exchange.resolve(record.condition_id, (ONE, 0)))
    assert (await client.list_markets(condition_ids=[record.condition_id]).first_page()).items == ()
    market = (await client.list_markets(condition_ids=[record.condition_id], closed=True).first_page()).items[0]
    assert (market.outcomes.yes.price, market.outcomes.no.price) == (1, 0)
    assert (market.state.closed, market.state.active, market.state.accepting_orders) == (True, True, False)
    assert market.resolution.uma_resolution_status == "resolved"
    assert market.state.closed_time is not None
    resolution = (await client.get_resolutions(condition_ids=[record.condition_id]))[0]
    assert (resolution.status, resolution.payouts, resolution.condition_id) == ("resolved", (1, 0), record.condition_id)
    assert await client.get_portfolio_value(user=client.wallet, condition_ids=[record.condition_id])
    won = [p async for p in client.list_positions(condition_id=record.condition_id, status="REDEEMABLE").iter_items()]
    assert [(p.token_id, p.status, p.redeemable, p.current_value) for p in won] == [(yes, "REDEEMABLE", True, 30)]
    lost = [p async for p in other.list_positions(condition_id=record.condition_id, status="REDEEMABLE_LOST").iter_items()]
    assert [(p.token_id, p.status, p.current_value) for p in lost] == [(no, "REDEEMABLE", 0)]
    before = await cash(client)
    done = await (await client.redeem_positions(condition_id=record.condition_id)).wait()
    assert await cash(client) == before + 30 * ONE
    assert await shares(client, yes) == 0
    closed = [p async for p in client.list_positions(condition_id=record.condition_id, status="CLOSED").iter_items()]
    assert [(p.token_id, p.realized_pnl) for p in closed] == [(yes, 18)]
    history = [item async for item in client.list_activity(condition_id=record.condition_id).iter_items()]
    assert [type(item) for item in history] == [RedeemActivity, TradeActivity]
    assert isinstance(history[0], RedeemActivity)
    assert (history[0].transaction_hash, history[0].amount) == (done.transaction_hash, 30)


async def test_a_half_and_half_resolution_pays_both_sides_half(client: AsyncSecureClient, served: Served) -> None:
    record = served.market()
    await (await client.split_position(condition_id=record.condition_id, amount=10 * ONE)).wait()
    before = await cash(client)
    served.run(lambda exchange: exchange.resolve(record.condition_id, (ONE // 2, ONE // 2)))
    resolution = (await client.get_resolutions(condition_ids=[record.condition_id]))[0]
    assert resolution.payouts == (Decimal("0.5"), Decimal("0.5"))
    await (await client.redeem_positions(condition_id=record.condition_id)).wait()
    assert await cash(client) == before + 10 * ONE


async def test_a_transaction_that_cannot_be_done_reverts(client: AsyncSecureClient, served: Served) -> None:
    record = served.market()
    before = await cash(client)
    handle = await client.split_position(condition_id=record.condition_id, amount=10**15)
    with pytest.raises(TransactionFailedError, match="reverted"):
        await handle.wait()
    assert await cash(client) == before


async def test_trades_deposits_and_approvals_are_listed(
    client: AsyncSecureClient, other: AsyncSecureClient, served: Served
) -> None:
    record = served.market()
    yes, no = record.tokens
    await other.place_limit_order(token_id=no, price="0.60", size="30", side="BUY")
    await client.place_market_order(token_id=yes, side="BUY", amount="4", max_price="0.40")
    taken = [item async for item in client.list_trades(condition_id=record.condition_id).iter_items()]
    assert [(t.wallet, t.token_id, t.side, t.size, t.price) for t in taken] == [
        (client.wallet.lower(), yes, "BUY", 10, Decimal("0.4"))
    ]
    assert [item async for item in other.list_trades(condition_id=record.condition_id).iter_items()] == []
    made = [item async for item in other.list_trades(condition_id=record.condition_id, taker_only=False).iter_items()]
    assert [(t.wallet, t.token_id, t.price) for t in made] == [(other.wallet.lower(), no, Decimal("0.6"))]
    deposits = [item async for item in client.list_activity(activity_types=["DEPOSIT"]).iter_items()]
    assert [item.amount for item in deposits] == [10_000]  # type: ignore[union-attr]
    approvals = await client.get_trading_approvals_state(wallet=client.wallet)
    assert approvals.is_fully_approved
    tokens = await client.get_token_references(condition_ids=[record.condition_id])
    assert [token.asset_id for token in tokens] == [yes, no]
    interest = await client.get_open_interests(condition_ids=[record.condition_id])
    assert [(row.condition_id, row.value) for row in interest] == [(record.condition_id, 10)]


async def test_price_history_ends_with_the_price_of_now(client: AsyncSecureClient, served: Served) -> None:
    record = served.run(lambda exchange: next(m for m in exchange.markets() if int(m.id) > 10**6 and not m.closed))
    now = served.server.venue.now
    points = [p async for p in client.list_price_history(asset_id=record.tokens[0], interval="1h").iter_items()]
    assert len(points) > 10
    assert all(0 < point.price < 1 for point in points)
    times = [point.timestamp.timestamp() for point in points]
    assert times == sorted(times)
    assert times[-1] * 1000 <= served.server.venue.now
    assert points[-1].resolution_seconds == 0
    known = served.server.venue.history(record.tokens[0], 0, now)[-1]
    as_of = await client.list_price_history(asset_id=record.tokens[0], as_of=now // 1000).first_page()
    assert as_of.items[0].price == decimal(known[1])

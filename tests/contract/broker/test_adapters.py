"""What every trading adapter does: the real wire of a venue, and paper trading on that venue's public data."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from actors.brokerage.fills import VenueFill, fills_of
from actors.brokerage.venue_session import VenueSession
from actors.paper.session import PaperSession
from actors.paper.settings import PaperSettings
from actors.polymarket.account import VenueTrade
from actors.polymarket.signing import Ticket
from actors.polymarket.trading import OtherHeartbeat, TradingSession
from actors.sandbox.records import MarketRecord
from agents.errors import VenueRefused, VenueUnknown
from agents.model import Side, TimeInForce
from agents.money import ONE, micro, notional
from tests.contract.broker.fleet import until
from tests.contract.broker.rival import Rival, fee_of
from tests.contract.sandbox.served import Served

CASH = 10_000 * ONE


@pytest.fixture(params=["wire", "paper"])
async def session(request: pytest.FixtureRequest, served: Served, tmp_path: Path) -> AsyncIterator[VenueSession]:
    session: VenueSession
    if request.param == "wire":
        wallet = served.wallet(CASH)
        session = await TradingSession.connect(served.endpoints, wallet.key, wallet.address)
    else:
        session = await PaperSession.connect(served.endpoints, str(tmp_path), "main", PaperSettings(CASH, 0.0))
    yield session
    await session.close()


@pytest.fixture
def market(served: Served) -> MarketRecord:
    return served.market()


def ticket(market: MarketRecord, side: Side, price: str, size: str, kind: str = "FAK", *, leg: int = 0) -> Ticket:
    shares, cash = micro(size), notional(micro(size), micro(price))
    buy, post_only = side is Side.BUY, kind == "QUOTE"
    return Ticket(
        token_id=market.tokens[leg],
        side=side,
        offered=cash if buy else shares,
        requested=shares if buy else cash,
        order_type=TimeInForce.GTC if post_only else TimeInForce(kind),
        post_only=post_only,
        neg_risk=market.neg_risk,
    )


async def place(session: VenueSession, order: Ticket) -> str:
    signed = await session.sign(order)
    reply = await session.post(signed.payload)
    assert reply.order_id == signed.order_id
    return reply.order_id


async def mine(session: VenueSession) -> list[VenueFill]:
    """Return the wallet's fills, as the books would have them."""
    trades: list[VenueTrade] = await session.trades()
    return [fill for trade in trades for fill in fills_of(trade, session.owner, session.address)]


async def test_a_quote_rests_and_is_cancelled(session: VenueSession, market: MarketRecord) -> None:
    order_id = await place(session, ticket(market, Side.BUY, "0.4", "10", "QUOTE"))
    [found] = await session.open_orders()
    assert (found.id, found.status, found.price, found.size, found.matched) == (order_id, "LIVE", 400_000, 10 * ONE, 0)
    done, refused = await session.cancel([order_id, "0x" + "1" * 64])
    assert (done, list(refused)) == ({order_id}, ["0x" + "1" * 64])
    assert await session.open_orders() == []
    ended = await session.order(order_id)
    assert ended is not None
    assert ended.status == "CANCELED"
    assert await session.order("0x" + "2" * 64) is None
    assert await session.cash() == CASH


async def test_a_taker_walks_the_levels_and_pays_the_fees(session: VenueSession, served: Served, market: MarketRecord) -> None:
    rival = Rival(served)
    rival.rest(market.tokens[0], Side.SELL, "0.5", "8")
    rival.rest(market.tokens[1], Side.BUY, "0.47", "12")  # Sells the first outcome at 0.53, so to speak.
    await place(session, ticket(market, Side.BUY, "0.55", "20"))
    cost = micro("4") + fee_of("8", "0.5") + micro("6.36") + fee_of("12", "0.53")
    assert await session.cash() == CASH - cost
    assert await session.shares(market.tokens[0]) == 20 * ONE
    assert await session.positions(market.condition_id) == {market.tokens[0]: 20 * ONE}
    fills = await mine(session)
    assert sorted((fill.size, fill.price, fill.cost, fill.maker) for fill in fills) == [
        (8 * ONE, 500_000, 4 * ONE, False),
        (12 * ONE, 530_000, micro("6.36"), False),
    ]
    assert await session.trade(fills[0].trade_id) is not None


async def test_what_the_book_does_not_hold_is_killed(session: VenueSession, served: Served, market: MarketRecord) -> None:
    with pytest.raises(VenueRefused, match="no orders found to match with FAK order"):
        await place(session, ticket(market, Side.BUY, "0.5", "10"))
    Rival(served).rest(market.tokens[0], Side.SELL, "0.5", "8")
    with pytest.raises(VenueRefused, match="couldn't be fully filled"):
        await place(session, ticket(market, Side.BUY, "0.5", "20", "FOK"))
    order_id = await place(session, ticket(market, Side.BUY, "0.5", "20"))
    found = await session.order(order_id)
    assert found is not None
    assert (found.status, found.matched) == ("MATCHED", 8 * ONE)


async def test_a_buy_below_its_limit_gets_more_shares(session: VenueSession, served: Served, market: MarketRecord) -> None:
    Rival(served).rest(market.tokens[0], Side.SELL, "0.4", "100")
    await place(session, ticket(market, Side.BUY, "0.5", "20"))
    assert await session.shares(market.tokens[0]) == 25 * ONE
    assert await session.cash() == CASH - 10 * ONE - fee_of("25", "0.4")


async def test_a_quote_that_would_cross_is_refused(session: VenueSession, served: Served, market: MarketRecord) -> None:
    Rival(served).rest(market.tokens[0], Side.SELL, "0.5", "10")
    with pytest.raises(VenueRefused, match="post-only"):
        await place(session, ticket(market, Side.BUY, "0.5", "10", "QUOTE"))
    assert await session.open_orders() == []


async def test_what_the_wallet_does_not_hold_is_refused(session: VenueSession, market: MarketRecord) -> None:
    with pytest.raises(VenueRefused, match="not enough balance"):
        await place(session, ticket(market, Side.SELL, "0.5", "10", "QUOTE"))
    with pytest.raises(VenueRefused, match="not enough balance"):
        await place(session, ticket(market, Side.BUY, "0.5", "20002", "QUOTE"))


async def test_a_price_off_the_grid_and_a_size_below_the_least_are_refused(session: VenueSession, market: MarketRecord) -> None:
    with pytest.raises(VenueRefused, match="tick size"):
        await place(session, ticket(market, Side.BUY, "0.405", "10", "QUOTE"))
    with pytest.raises(VenueRefused, match="minimum"):
        await place(session, ticket(market, Side.BUY, "0.4", "4", "QUOTE"))


async def test_an_order_is_taken_once(session: VenueSession, market: MarketRecord) -> None:
    signed = await session.sign(ticket(market, Side.BUY, "0.4", "10", "QUOTE"))
    await session.post(signed.payload)
    with pytest.raises(VenueUnknown, match="Duplicated"):
        await session.post(signed.payload)
    assert len(await session.open_orders()) == 1


async def test_everything_is_cancelled_in_one_request(session: VenueSession, market: MarketRecord) -> None:
    orders = {await place(session, ticket(market, Side.BUY, price, "10", "QUOTE")) for price in ("0.3", "0.4")}
    assert await session.cancel_all() == orders
    assert await session.cancel_all() == set()


async def test_a_heartbeat_carries_the_id_that_was_given(session: VenueSession) -> None:
    second = await session.beat(await session.beat(""))
    with pytest.raises(OtherHeartbeat) as refusal:
        await session.beat("another")
    assert refusal.value.expected == second
    await session.beat(second)


@pytest.mark.parametrize("leg", [0, 1])
async def test_a_maker_is_filled_on_whichever_token_the_taker_came(
    session: VenueSession, served: Served, market: MarketRecord, leg: int
) -> None:
    order_id = await place(session, ticket(market, Side.BUY, "0.4", "10", "QUOTE", leg=leg))
    rival = Rival(served)
    await asyncio.sleep(0.2)  # Paper trading hears of trades from when it has subscribed.
    await traded(session, rival, market.tokens[leg], Side.SELL, "0.4", "4")
    await until(lambda: held(session, market.tokens[leg], 4))
    await traded(session, rival, market.tokens[1 - leg], Side.BUY, "0.6", "10")
    await until(lambda: held(session, market.tokens[leg], 10))
    assert await session.cash() == CASH - 4 * ONE, "and no fee"
    found = await session.order(order_id)
    assert found is not None
    assert (found.status, found.matched) == ("MATCHED", 10 * ONE)
    assert {(fill.maker, fill.price, fill.side) for fill in await mine(session)} == {(True, 400_000, Side.BUY)}
    await place(session, ticket(market, Side.SELL, "0.45", "6", "QUOTE", leg=leg))
    await traded(session, rival, market.tokens[leg], Side.BUY, "0.45", "20")
    await until(lambda: held(session, market.tokens[leg], 4))
    assert await session.cash() == CASH - 4 * ONE + micro("2.7")


async def traded(session: VenueSession, rival: Rival, token_id: str, side: Side, price: str, size: str) -> None:
    """Let others take what rests at a price; for paper trading, whose orders do not, somebody else's rests there too."""
    if isinstance(session, PaperSession):
        Rival(rival._served).rest(token_id, side.opposite, price, max(size, "5", key=float))
    rival.take(token_id, side, price, size)


async def held(session: VenueSession, token_id: str, shares: int) -> bool:
    return await session.shares(token_id) == shares * ONE


@pytest.mark.parametrize("payouts", [(ONE, 0), (ONE // 2, ONE // 2)])
async def test_a_resolved_market_pays_out(
    session: VenueSession, served: Served, market: MarketRecord, payouts: tuple[int, int]
) -> None:
    Rival(served).rest(market.tokens[0], Side.SELL, "0.5", "10")
    await place(session, ticket(market, Side.BUY, "0.5", "10"))
    quote = await place(session, ticket(market, Side.BUY, "0.4", "10", "QUOTE"))
    left = await session.cash()
    with pytest.raises(VenueRefused):
        await session.redeem(market.condition_id)
    served.run(lambda exchange: exchange.resolve(market.condition_id, payouts))
    await until(lambda: over(session, quote))
    id = await session.redeem(market.condition_id)
    won = 10 * payouts[0]
    assert await session.cash() == left + won
    assert [(found.tx_hash, found.cash) for found in await session.redemptions(market.condition_id)] == [(id, won)]
    assert await session.positions() == {}


async def over(session: VenueSession, order_id: str) -> bool:
    found = await session.order(order_id)
    return found is not None and found.status.startswith("CANCEL")


async def test_what_becomes_of_orders_is_told(session: VenueSession, served: Served, market: MarketRecord) -> None:
    told: list[Any] = []

    async def listen() -> None:
        async with aclosing(session.updates()) as updates:  # type: ignore[type-var]
            async for update in updates:
                told.append(update)

    listener = asyncio.create_task(listen())
    await asyncio.sleep(0.3)
    Rival(served).rest(market.tokens[0], Side.SELL, "0.5", "10")
    taken = await place(session, ticket(market, Side.BUY, "0.5", "10"))
    rests = await place(session, ticket(market, Side.BUY, "0.4", "10", "QUOTE"))
    await session.cancel([rests])

    async def complete() -> bool:
        states = {(update.id, update.status) for update in told if not isinstance(update, VenueTrade)}
        trades = {update.status for update in told if isinstance(update, VenueTrade)}
        return {(taken, "MATCHED"), (rests, "CANCELED")} <= states and {"MATCHED", "CONFIRMED"} <= trades

    await until(complete)
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)

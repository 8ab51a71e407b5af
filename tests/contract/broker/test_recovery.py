"""A broker that dies at any moment, a venue that does not answer, a ledger that is away: no order twice, no cent lost."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest

from actors.brokerage import booking, delivery
from actors.polymarket.trading import Reply
from agents.errors import Unavailable, VenueUnknown
from agents.events import Event, Type
from agents.model import Market, Side
from agents.money import ONE
from agents.ports import Page
from tests.contract.broker.fleet import Fleet, until
from tests.contract.broker.rival import Rival, fee_of

Post = Callable[[bytes], Coroutine[Any, Any, Reply]]


def sabotage(fleet: Fleet, make: Callable[[Post], Post]) -> None:
    """Put something between the broker and the venue's answer to a new order."""
    venue = fleet.broker._desk.venue
    venue.post = make(venue.post)  # type: ignore[method-assign, assignment]


async def hang(fleet: Fleet, *, sent: bool) -> asyncio.Event:
    """Let the next order wait for ever, before or after it was sent; the event is set when it does."""
    reached = asyncio.Event()

    def stuck(post: Post) -> Post:
        async def wait(payload: bytes) -> Reply:
            if sent:
                await post(payload)
            reached.set()
            await asyncio.Event().wait()
            raise AssertionError

        return wait

    sabotage(fleet, stuck)
    return reached


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an order that the venue does not know be given up after a second."""
    monkeypatch.setattr(booking, "GRACE", 1.0)


def open_ids(fleet: Fleet) -> list[str]:
    return [order.order_id for order in fleet.served.run(lambda exchange: exchange.open_orders(fleet.address))]


@pytest.mark.usefixtures("impatient")
async def test_killed_after_an_order_was_stored_and_before_it_was_sent(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    reached = await hang(fleet, sent=False)
    intent = fleet.intent(market, "buy", "0.4", "10", quote=True)
    placing = asyncio.create_task(fleet.place("a", intent))
    await reached.wait()
    await fleet.restart()
    placing.cancel()
    [placed] = await fleet.place("a", intent)
    assert placed.status == "expired"
    assert await fleet.order_states(placed.order_id) == ["intended", "signed", "expired"]
    assert open_ids(fleet) == []
    assert (await fleet.broker.account("a")).cash == 1000 * ONE
    await fleet.agreed()


async def test_killed_after_a_quote_was_sent_and_before_the_answer_was_stored(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    reached = await hang(fleet, sent=True)
    intent = fleet.intent(market, "buy", "0.4", "10", quote=True)
    placing = asyncio.create_task(fleet.place("a", intent))
    await reached.wait()
    await fleet.restart()
    placing.cancel()
    [placed] = await fleet.place("a", intent)
    assert placed.status == "live"
    assert open_ids(fleet) == [placed.order_id]
    account = await fleet.broker.account("a")
    assert (account.cash, len(account.orders)) == (996 * ONE, 1)
    await fleet.agreed()


async def test_killed_after_a_taker_was_matched_and_before_its_fills_were_booked(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "20")
    silence(fleet)
    reached = await hang(fleet, sent=True)
    intent = fleet.intent(market, "buy", "0.5", "20")
    placing = asyncio.create_task(fleet.place("a", intent))
    await reached.wait()
    assert await fleet.events(Type.TRADE) == []
    await fleet.restart()
    placing.cancel()
    [placed] = await fleet.place("a", intent)
    assert placed.status in ("matched", "confirmed")
    assert (await fleet.broker.account("a")).cash == 990 * ONE - fee_of("20", "0.5")
    assert len(await fleet.events(Type.TRADE)) == 1
    await fleet.agreed()


async def test_killed_between_a_cancellation_and_its_booking(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    await fleet.broker.stop()
    fleet.served.run(lambda exchange: exchange.cancel_all(fleet.address))
    await fleet.restart()
    assert (await fleet.broker.account("a")).orders == ()
    assert (await fleet.order_states(placed.order_id))[-1] == "cancelled"


async def test_what_was_filled_while_the_broker_was_away_is_booked(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    await fleet.broker.stop()
    Rival(fleet.served).take(record.tokens[1], Side.BUY, "0.6", "7")
    await fleet.restart()
    account = await fleet.broker.account("a")
    assert account.holdings[market.tokens[0]].size == 7 * ONE
    assert account.orders[0].filled == 7 * ONE
    await fleet.agreed()
    await fleet.restart()
    assert len(await fleet.events(Type.TRADE)) == 1, "and once only, in every life"


async def test_what_the_channel_says_while_the_log_is_read_books_nothing_twice(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "20")
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    history, confirmed = fleet.ledger.history, lambda: _trade_status(fleet, "CONFIRMED")

    async def slow(kind: str, agent: str | None = None, *, limit: int = 100, before: int | None = None) -> Page:
        await until(confirmed)  # The venue tells its listeners so just now.
        await asyncio.sleep(0.2)
        return await history(kind, agent, limit=limit, before=before)

    fleet.ledger.history = slow  # type: ignore[method-assign]
    await fleet.restart()
    await until(lambda: fleet.ended(placed.order_id, "confirmed"))
    assert len(await fleet.events(Type.TRADE)) == 1
    await fleet.agreed()


async def _trade_status(fleet: Fleet, status: str) -> bool:
    trades = fleet.served.run(lambda exchange: exchange.trades(fleet.address))
    return [trade.status for trade in trades] == [status]


async def test_a_fill_that_was_booked_settles_in_the_next_life(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "20")
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    assert placed.status == "matched"
    await fleet.restart()
    await until(lambda: fleet.ended(placed.order_id, "confirmed"))
    assert (await fleet.agreed())["pending"] == []


def silence(fleet: Fleet) -> None:
    """Let the broker hear nothing of the user channel any more, as if its socket were frozen."""

    async def deaf(*_: Any) -> int:
        return 0

    fleet.broker._booking.report = deaf  # type: ignore[method-assign, assignment]
    fleet.broker._channel._updates.put_nowait = lambda update: None  # type: ignore[method-assign, assignment]


async def test_a_socket_gone_silent_loses_no_fill(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    silence(fleet)
    Rival(fleet.served).take(record.tokens[0], Side.SELL, "0.4", "10")
    await until(lambda: fleet.ended(placed.order_id, "confirmed"))
    assert (await fleet.broker.account("a")).cash == 996 * ONE


async def test_an_answer_that_was_lost_is_unknown_and_then_settled_by_the_orders_id(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())

    def lost(post: Post) -> Post:
        async def send(payload: bytes) -> Reply:
            await post(payload)
            raise VenueUnknown("placing an order: the venue did not answer (timed out)")

        return send

    async def silent(order_id: str) -> None:
        raise VenueUnknown("asking for an order: the venue did not answer (timed out)")

    sabotage(fleet, lost)
    with monkeypatch.context() as patched:
        patched.setattr(fleet.broker._desk.venue, "order", silent)
        patched.setattr(delivery, "_PAUSES", ())
        [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert placed.status == "unknown"
    assert await fleet.broker.control_queues() == {"broker:main": {"orders": 1, "updates": 0}}
    assert (await fleet.broker.account("a")).cash == 996 * ONE, "it may be there, so its cash is held"
    await until(lambda: fleet.ended(placed.order_id, "live"))
    assert await fleet.order_states(placed.order_id) == ["intended", "signed", "unknown", "live"]
    assert await fleet.broker.control_queues() == {"broker:main": {"orders": 0, "updates": 0}}


@pytest.mark.usefixtures("impatient")
async def test_an_order_that_never_arrived_expires_after_the_grace_and_is_not_signed_again(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())

    def never(post: Post) -> Post:
        async def send(payload: bytes) -> Reply:
            raise VenueUnknown("placing an order: the venue did not answer (timed out)")

        return send

    sabotage(fleet, never)
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    await until(lambda: fleet.ended(placed.order_id, "expired"))
    assert await fleet.order_states(placed.order_id) == ["intended", "signed", "unknown", "expired"]
    assert (await fleet.broker.account("a")).cash == 1000 * ONE
    assert open_ids(fleet) == []


@pytest.mark.usefixtures("impatient")
async def test_an_order_that_arrives_after_it_was_given_up_is_cancelled_and_what_it_traded_is_booked(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    under_way: list[tuple[Post, bytes]] = []

    def slow(post: Post) -> Post:
        async def send(payload: bytes) -> Reply:
            under_way.append((post, payload))
            raise VenueUnknown("placing an order: the venue did not answer (timed out)")

        return send

    sabotage(fleet, slow)
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    await until(lambda: fleet.ended(placed.order_id, "expired"))
    (post, payload), *again = under_way
    assert {sent for _, sent in again} <= {payload}
    assert (await post(payload)).order_id == placed.order_id
    Rival(fleet.served).take(record.tokens[0], Side.SELL, "0.4", "4")

    async def cancelled() -> bool:
        return open_ids(fleet) == []

    await until(cancelled)
    await until(lambda: fleet.filled("a", market.tokens[0], 4 * ONE))
    assert (await fleet.order_states(placed.order_id))[-1] == "expired"
    await fleet.agreed()


async def test_a_broker_whose_successor_lives_stops_acting(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    old = fleet.broker
    fleet.broker = fleet._new_broker()
    await fleet.broker.start()
    await fleet.until_ready()
    [placed] = await old.execute("a", 1, [fleet.intent(market, "buy", "0.4", "10", quote=True)])
    assert placed.order_id is None
    assert "another life" in placed.reason
    assert open_ids(fleet) == []
    await until(lambda: _not(old.ready))
    with pytest.raises(Unavailable, match="this one has ended"):
        await old.execute("a", 1, [fleet.intent(market, "buy", "0.4", "10", quote=True)])
    await old.stop()


async def _not(condition: Callable[[], Awaitable[bool]]) -> bool:
    return not await condition()


async def test_without_the_ledger_no_order_is_sent(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    append = fleet.ledger.append

    async def away(events: Sequence[Event], signed: Mapping[str, bytes] = {}) -> list[int]:
        raise Unavailable("the ledger is not running now")

    fleet.ledger.append = away  # type: ignore[method-assign]
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert (placed.status, placed.reason) == ("rejected", "the ledger is not running now")
    assert open_ids(fleet) == []
    fleet.ledger.append = append  # type: ignore[method-assign]
    [later] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert later.status == "live"
    await until(lambda: fleet.cash("a", 996 * ONE))
    await fleet.agreed()


def payout_of(market: Market, first: int) -> tuple[int, int]:
    return (first, ONE - first)


async def _holding(fleet: Fleet) -> Market:
    """Let two agents hold odd amounts of both outcomes of a market, settled."""
    await fleet.start(a="1000", b="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    rival = Rival(fleet.served)
    rival.rest(record.tokens[0], Side.SELL, "0.5", "100")
    rival.rest(record.tokens[1], Side.SELL, "0.52", "100")
    [first] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20.02"))
    second, third = await fleet.place(
        "b", fleet.intent(market, "buy", "0.5", "10.02"), fleet.intent(market, "buy", "0.52", "7.25", outcome=1)
    )
    assert {placed.status for placed in (first, second, third)} <= {"matched", "confirmed"}
    return market


async def test_a_resolved_market_is_paid_out_to_those_who_held_it(fleet: Fleet) -> None:
    market = await _holding(fleet)
    before = {agent: (await fleet.broker.account(agent)).cash for agent in "ab"}
    fleet.served.run(lambda exchange: exchange.resolve(market.condition_id, (ONE, 0)))
    await until(lambda: _paid(fleet, 1), 40)
    a, b = await fleet.broker.account("a"), await fleet.broker.account("b")
    assert (a.cash, a.holdings) == (before["a"] + 20_020_000, {})
    assert (b.cash, b.holdings) == (before["b"] + 10_020_000, {})
    report = await fleet.agreed()
    assert report["positions"] == []


async def test_fractional_payouts_are_split_exactly_and_the_rest_is_nobodys(fleet: Fleet) -> None:
    market = await _holding(fleet)
    third = 333_333
    before = {agent: (await fleet.broker.account(agent)).cash for agent in "ab"}
    nobody = fleet.broker._desk.book("").cash
    fleet.served.run(lambda exchange: exchange.resolve(market.condition_id, payout_of(market, third)))
    await until(lambda: _paid(fleet, 1), 40)
    paid = 30_040_000 * third // ONE + 7_250_000 * (ONE - third) // ONE
    a = 20_020_000 * third // ONE
    b = 10_020_000 * third // ONE + 7_250_000 * (ONE - third) // ONE
    assert (await fleet.broker.account("a")).cash == before["a"] + a
    assert (await fleet.broker.account("b")).cash == before["b"] + b
    assert fleet.broker._desk.book("").cash == nobody + paid - a - b
    await fleet.agreed()


@pytest.mark.parametrize("after", [False, True])
async def test_killed_around_a_payout_it_is_booked_once(fleet: Fleet, after: bool) -> None:
    market = await _holding(fleet)
    cash = (await fleet.broker.account("a")).cash
    venue = fleet.broker._desk.venue
    redeem, reached = venue.redeem, asyncio.Event()

    async def stuck(condition_id: str) -> str:
        if after:
            await redeem(condition_id)
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    venue.redeem = stuck  # type: ignore[method-assign]
    fleet.served.run(lambda exchange: exchange.resolve(market.condition_id, (ONE, 0)))
    async with asyncio.timeout(40):
        await reached.wait()
    await fleet.restart()
    await until(lambda: _paid(fleet, 1), 40)
    await fleet.restart()
    assert await _paid(fleet, 1)
    assert (await fleet.broker.account("a")).cash == cash + 20_020_000
    await fleet.agreed()


async def _paid(fleet: Fleet, number: int) -> bool:
    booked = sum("redeemed" in event.data for event in await fleet.events(Type.RESOLUTION))
    return booked == number and not fleet.broker._desk.redeeming


async def test_the_key_appears_nowhere(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    secret = fleet.key.removeprefix("0x")
    seen = [repr(event) for event in await fleet.events()] + [repr(fleet.broker), repr(vars(fleet.broker)), caplog.text]
    assert not any(secret in text for text in seen)

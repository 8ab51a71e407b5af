"""The broker against each named fault of the venue: unknown is not rejected, nothing is placed twice, the books stay exact."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from actors.brokerage import booking
from actors.sandbox.exchange import Exchange
from agents.errors import Unavailable
from agents.events import Type
from agents.model import Side
from agents.money import ONE
from agents.ports import Placed
from tests.contract.broker.fleet import Fleet, until
from tests.contract.broker.rival import Rival, fee_of
from tests.contract.sandbox.served import Served

Switch = Callable[..., None]


@pytest.fixture
def faults(served: Served) -> Iterator[Switch]:
    """Return what switches faults of the venue on (None: off); all are off in the end."""
    named = served.server.venue.faults

    def switch(**values: object) -> None:
        served.run(lambda _: named.switch({name.replace("_", "-"): value for name, value in values.items()}))

    yield switch
    served.run(lambda _: named.clear())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an order that the venue does not know be given up after a second."""
    monkeypatch.setattr(booking, "GRACE", 1.0)


def open_ids(fleet: Fleet) -> list[str]:
    return [order.order_id for order in fleet.served.run(lambda exchange: exchange.open_orders(fleet.address))]


def only_ours(fleet: Fleet) -> None:
    """Take off what others have on the books, so that a market in which somebody has orders is one of ours."""

    def clear(exchange: Exchange) -> None:
        for owner in exchange.addresses():
            if owner != fleet.address.lower():
                exchange.cancel_all(owner)

    fleet.served.run(clear)


async def ended(fleet: Fleet, placed: Placed) -> bool:
    """Whether it is known that the venue will not fill an order."""
    if placed.order_id is None:
        return placed.status == "rejected"
    order = await fleet.ledger.order(placed.order_id)
    return order is not None and order["status"] in ("rejected", "expired", "cancelled")


async def has_cash(fleet: Fleet, amount: int) -> bool:
    """Whether agent "a" has so much cash free; False while the broker is away."""
    try:
        return (await fleet.broker.account("a")).cash == amount
    except Unavailable:
        return False


@pytest.mark.parametrize(
    ("name", "value"),
    [("restart", "60"), ("cancel-only", "60"), ("forbidden", "1"), ("unavailable", "1"), ("timeout-before", "1")],
)
async def test_an_order_that_the_venue_does_not_take_ends_and_holds_nothing_back(
    fleet: Fleet, faults: Switch, name: str, value: str
) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    intent = fleet.intent(market, "buy", "0.4", "10", quote=True)
    faults(**{name: value})
    placing = asyncio.create_task(fleet.place("a", intent))
    await asyncio.wait({placing}, timeout=3)
    assert open_ids(fleet) == []
    faults(**{name: None})
    [placed] = await placing
    assert placed.status in ("rejected", "unknown", "live"), "live: it was sent again, the same one"
    assert placed.reason or placed.status == "live"
    if placed.status == "live":
        assert open_ids(fleet) == [placed.order_id]
        await fleet.broker.cancel_agent("a")
    await until(lambda: ended(fleet, placed))
    await until(lambda: has_cash(fleet, 1000 * ONE))
    assert open_ids(fleet) == []
    [later] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert later.status == "live"
    await fleet.agreed()


async def test_while_the_venue_is_post_only_quotes_rest_and_cancels_work(fleet: Fleet, faults: Switch) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "100")
    faults(post_only="60")
    [quote] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert quote.status == "live"
    taking = asyncio.create_task(fleet.place("a", fleet.intent(market, "buy", "0.5", "10")))
    await asyncio.wait({taking}, timeout=3)
    assert fleet.served.run(lambda exchange: exchange.trades(fleet.address)) == []
    assert await fleet.broker.cancel_agent("a") >= 1
    faults(post_only=None)
    [taker] = await taking
    assert taker.status in ("rejected", "matched", "unknown")
    await fleet.agreed()


async def test_an_order_that_was_taken_although_it_timed_out_is_found_by_its_id_and_never_twice(
    fleet: Fleet, faults: Switch
) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "100")
    faults(timeout_after="1")
    quote, taker = await fleet.place(
        "a", fleet.intent(market, "buy", "0.4", "10", quote=True), fleet.intent(market, "buy", "0.5", "20")
    )
    faults(timeout_after=None)
    assert "rejected" not in (quote.status, taker.status)
    await until(lambda: fleet.ended(quote.order_id, "live"))
    await until(lambda: fleet.ended(taker.order_id, "confirmed"))
    assert open_ids(fleet) == [quote.order_id]
    assert len(fleet.served.run(lambda exchange: exchange.trades(fleet.address))) == 1
    assert (await fleet.broker.account("a")).cash == 996 * ONE - 10 * ONE - fee_of("20", "0.5")
    await fleet.agreed()


async def test_an_order_whose_answer_never_comes_is_unknown_and_then_found(fleet: Fleet, faults: Switch) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    faults(hang_after="1")
    placing = asyncio.create_task(fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True)))
    await until(lambda: _resting(fleet))
    faults(hang_after=None)
    [order_id] = open_ids(fleet)
    await until(lambda: fleet.ended(order_id, "live"), 40)
    [placed] = await placing
    assert (placed.order_id, placed.status in ("unknown", "live")) == (order_id, True)
    assert open_ids(fleet) == [order_id]
    await fleet.agreed()


async def _resting(fleet: Fleet) -> bool:
    return bool(open_ids(fleet))


async def test_beyond_the_rate_limit_nothing_is_lost_and_nothing_is_placed_twice(fleet: Fleet, faults: Switch) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    faults(rate_limit="0.05")  # Two orders a second, and three at once.
    placed = await fleet.place("a", *(fleet.intent(market, "buy", "0.1", "10", quote=True) for _ in range(6)))
    faults(rate_limit=None)
    assert {outcome.status for outcome in placed} <= {"live", "rejected"}
    live = [outcome.order_id for outcome in placed if outcome.status == "live"]
    assert len(live) >= 3
    assert sorted(open_ids(fleet)) == sorted(map(str, live))
    await until(lambda: has_cash(fleet, (1000 - len(live)) * ONE))
    await fleet.agreed()


async def test_frames_that_come_twice_and_out_of_order_are_booked_once(fleet: Fleet, faults: Switch) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    faults(repeated="0.7", reordered="0.5")
    [quote] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    rival = Rival(fleet.served)
    for _ in range(5):
        rival.take(record.tokens[1], Side.BUY, "0.6", "2")
    await until(lambda: fleet.ended(quote.order_id, "confirmed"))
    assert len(await fleet.events(Type.TRADE)) == 5
    account = await fleet.broker.account("a")
    assert (account.cash, account.holdings[market.tokens[0]].size) == (996 * ONE, 10 * ONE)
    await asyncio.sleep(0.6)  # The last late frames.
    assert len(await fleet.events(Type.TRADE)) == 5
    await fleet.agreed()


async def test_a_trade_that_is_retried_stays_pending_until_it_is_confirmed(fleet: Fleet, faults: Switch) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.5", "20")
    faults(retrying="1")
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    assert placed.status == "matched"
    assert len((await fleet.agreed())["pending"]) == 1
    await until(lambda: fleet.ended(placed.order_id, "confirmed"))
    assert (await fleet.agreed())["pending"] == []


async def test_a_failed_settlement_takes_both_sides_back_to_the_last_millionth(fleet: Fleet, faults: Switch) -> None:
    await fleet.start(a="1000", b="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    faults(failed="1")
    [quote] = await fleet.place("a", fleet.intent(market, "buy", "0.37", "33", quote=True))
    rival = Rival(fleet.served)
    rival.take(record.tokens[1], Side.BUY, "0.63", "33")
    rival.rest(record.tokens[1], Side.SELL, "0.61", "17")
    [taker] = await fleet.place("b", fleet.intent(market, "buy", "0.61", "17", outcome=1))
    await until(lambda: fleet.ended(quote.order_id, "failed"))
    await until(lambda: fleet.ended(taker.order_id, "failed"))
    for agent_id in "ab":
        account = await fleet.broker.account(agent_id)
        assert (account.cash, account.holdings) == (1000 * ONE, {})
    report = await fleet.agreed()
    assert (report["positions"], report["pending"]) == ([], [])


async def test_a_user_channel_gone_silent_is_noticed_and_replaced(fleet: Fleet, faults: Switch) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    first, second = await fleet.place(
        "a",
        fleet.intent(market, "buy", "0.4", "10", quote=True),
        fleet.intent(market, "buy", "0.3", "10", quote=True),
    )
    channel = fleet.broker._channel
    faults(silent_user="")
    await asyncio.sleep(0.1)
    rival = Rival(fleet.served)
    rival.take(record.tokens[0], Side.SELL, "0.4", "10")
    await until(lambda: fleet.ended(first.order_id, "confirmed"))
    await until(lambda: _is(lambda: channel.renewals == 1))
    assert await fleet.broker.ready(), "other orders go on meanwhile"
    rival.take(record.tokens[0], Side.SELL, "0.3", "10")
    await until(lambda: fleet.ended(second.order_id, "confirmed"))
    await asyncio.sleep(6.5)  # The next reconciliation, and its doubt.
    assert channel.renewals == 1, "the new connection tells"
    await fleet.agreed()


async def _is(condition: Callable[[], bool]) -> bool:
    return condition()


async def test_revoked_keys_are_derived_again_and_fills_of_older_orders_are_booked(fleet: Fleet, faults: Switch) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    [quote] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    owner = fleet.broker._desk.venue.owner
    faults(revoked="")
    await until(lambda: _is(lambda: fleet.broker._desk._venue is not None and fleet.broker._desk._venue.owner != owner))
    await fleet.until_ready()
    Rival(fleet.served).take(record.tokens[0], Side.SELL, "0.4", "10")
    await until(lambda: fleet.ended(quote.order_id, "confirmed"))
    [later] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert later.status == "live"
    await fleet.agreed()


async def test_a_market_that_closes_under_an_order_cancels_it_and_pays_fractions(fleet: Fleet, faults: Switch) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    market = await fleet.market(record)
    Rival(fleet.served).rest(record.tokens[0], Side.SELL, "0.3", "7")
    bought, quote = await fleet.place(
        "a", fleet.intent(market, "buy", "0.3", "7"), fleet.intent(market, "buy", "0.2", "10", quote=True)
    )
    await until(lambda: fleet.ended(bought.order_id, "confirmed"))
    fleet.served.run(
        lambda exchange: [exchange.cancel_all(owner) for owner in exchange.addresses() if owner != fleet.address.lower()]
    )
    faults(close="", split="1", unannounced="1")
    await until(lambda: fleet.ended(quote.order_id, "cancelled"))
    await until(lambda: has_cash(fleet, 1000 * ONE - 2_100_000 - fee_of("7", "0.3") + 3_500_000), 40)
    assert (await fleet.broker.account("a")).orders == ()
    [resolution] = [event for event in await fleet.events(Type.RESOLUTION) if event.source == "feed"]
    assert resolution.data["payouts"] == dict.fromkeys(record.tokens, "0.5")
    await fleet.agreed()


async def test_a_finer_tick_is_used_and_an_order_on_the_old_grid_is_refused_or_put_on_the_new_one(
    fleet: Fleet, faults: Switch
) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    old = await fleet.market(record)
    await fleet.place("a", fleet.intent(old, "buy", "0.4", "10", quote=True))
    fleet.served.run(
        lambda exchange: [exchange.cancel_all(owner) for owner in exchange.addresses() if owner != fleet.address.lower()]
    )
    faults(tick_change="")

    async def finer() -> bool:
        return (await fleet.market(record)).tick == 1_000

    await until(finer)
    new = await fleet.market(record)
    [placed] = await fleet.place("a", fleet.intent(new, "buy", "0.401", "10", quote=True))
    assert placed.status == "live"
    fleet.served.run(lambda exchange: exchange.change_tick(exchange.floor.listings[record.condition_id], 10_000))
    [stale] = await fleet.place("a", fleet.intent(new, "buy", "0.402", "10", quote=True))
    assert stale.status in ("rejected", "live")
    await fleet.agreed()

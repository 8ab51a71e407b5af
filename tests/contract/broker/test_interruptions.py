"""What goes on while the feed, the connection or an answer is lost: nothing is booked twice, and nothing forgotten."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from polymarket.errors import UnexpectedResponseError

from actors.brokerage import watch
from actors.event_source import EventSource
from agents import facts
from agents.errors import Unavailable, VenueUnknown
from agents.events import Type
from agents.limits.state import Rule, Stop, stop_data
from agents.model import Side
from agents.money import ONE
from tests.contract.broker.fleet import Fleet, until
from tests.contract.broker.rival import Rival
from tests.contract.broker.test_risk import blocked, limit

STOP = Stop(Rule.DAILY_LOSS, "4", "5", "agent a lost too much", 0)


async def away(*_: Any, **__: Any) -> Any:
    raise Unavailable("the feed is away")


def running(name: str) -> int:
    """Return how many tasks run a coroutine of that name."""
    return sum(name in repr(task.get_coro()) for task in asyncio.all_tasks())


async def test_a_lost_connection_does_not_tear_the_booking_of_a_fill(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    await fleet.start(a="1000")
    record = fleet.served.market()
    [quote] = await fleet.place("a", fleet.intent(await fleet.market(record), "buy", "0.4", "20", quote=True))
    session = fleet.broker._desk._venue
    broker, stored, deaf, told = fleet.broker, asyncio.Event(), asyncio.Event(), asyncio.Event()
    book, append, settle_unknown = broker._booking.trades, fleet.ledger.append, broker._recovery.settle_unknown

    async def late(trades: Any) -> int:
        task = asyncio.current_task()
        if task and "UserChannel.book" in repr(task.get_coro()):
            await told.wait()
        return await book(list(trades))

    async def slow(events: Any, *signed: Any) -> list[int]:
        seqs = await append(events, *signed)
        if any(event.type is Type.TRADE for event in events) and not stored.is_set():
            stored.set()
            await deaf.wait()
        return seqs

    async def lost() -> None:
        monkeypatch.setattr(broker._recovery, "settle_unknown", settle_unknown)
        deaf.set()
        raise Unavailable("asking for an order: the venue cannot be reached")

    async def nothing() -> list[str]:
        return []

    monkeypatch.setattr(broker._booking, "trades", late)
    monkeypatch.setattr(broker._recovery, "reconcile", nothing)
    monkeypatch.setattr(fleet.ledger, "append", slow)
    Rival(fleet.served).take(record.tokens[0], Side.SELL, "0.4", "8")
    # A stop has the watch cancel the quote, so it learns of the fill and logs it; before the ledger answers the venue is lost.
    broker._watch_risk._limits.coming["agent:a"] = STOP
    async with asyncio.timeout(15):
        await stored.wait()
    monkeypatch.setattr(broker._recovery, "settle_unknown", lost)
    async with asyncio.timeout(15):
        await deaf.wait()
    told.set()
    await until(lambda: _is(broker._desk._venue not in (None, session)))
    await until(broker.ready)
    await until(partial(fleet.ended, quote.order_id, "cancelled"))
    assert len(await fleet.events(Type.TRADE)) == 1
    assert (await fleet.ledger.snapshot()).portfolio.book("main", "a").positions[record.tokens[0]].size == 8 * ONE
    await fleet.agreed()


async def test_an_order_that_the_venue_takes_after_the_kill_switch_is_cancelled(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    venue: Any = fleet.broker._desk.venue
    post, arrived = venue.post, asyncio.Event()

    async def arrive(payload: bytes) -> None:
        await arrived.wait()
        await post(payload)

    sent: list[asyncio.Task[None]] = []

    async def timed_out(payload: bytes) -> Any:
        if not sent:
            sent.append(asyncio.create_task(arrive(payload)))
        raise VenueUnknown("placing an order: the venue did not answer")

    venue.post = timed_out
    placing = asyncio.create_task(fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True)))
    await until(lambda: _is(bool(sent)))
    await fleet.throw("stop everything")
    [placed] = await placing
    assert placed.status == "unknown"
    arrived.set()
    await sent[0]
    await until(partial(fleet.ended, placed.order_id, "cancelled"), 20)


async def test_what_may_still_buy_is_withdrawn_while_the_feed_is_silent(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    await fleet.start(a="1000")
    await limit(fleet, breakers={"maxFeedAge": 1})
    [quote] = await fleet.place("a", fleet.intent(await fleet.market(fleet.served.market()), "buy", "0.4", "10", quote=True))
    monkeypatch.setattr(fleet.feed, "snapshot", away)
    await until(lambda: blocked(fleet))
    await until(partial(fleet.ended, quote.order_id, "cancelled"))


async def test_an_order_s_time_runs_on_while_the_feed_is_away(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.broker._desk.clock._ask = fleet._venue_now
    await fleet.start(a="1000")
    market, now = await fleet.market(fleet.served.market()), await fleet.feed.now()
    [quote] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True, expires=now + 4 * 60_000))
    for name in ("snapshot", "now", "market", "markets"):
        monkeypatch.setattr(fleet.feed, name, away)
    await until(partial(fleet.ended, quote.order_id, "expired"), 20)


async def test_a_stop_counts_until_it_has_come_back_from_the_log(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    await fleet.start(a="1000")
    monkeypatch.setattr(watch, "_FOLLOWED", 0.2)
    market = await fleet.market(fleet.served.market())
    desk, poll, behind = fleet.broker._desk, fleet.ledger.poll, asyncio.Event()

    async def late(*args: Any, **kwargs: Any) -> Any:
        await behind.wait()
        return await poll(*args, **kwargs)

    monkeypatch.setattr(fleet.ledger, "poll", late)
    # The question that is under way is answered with this.
    seq = (await fleet.supervisor.store([fleet.supervisor.event(Type.INFO, {"kind": "x", "message": "x"})]))[0]
    assert await desk.follower.reached(seq, 5.0)
    event = desk.source.event(Type.RISK, stop_data("agent:a", STOP, 0), "a")
    storing = asyncio.create_task(fleet.broker._watch_risk._store([event], {"agent:a": STOP}))
    await asyncio.sleep(0.5)
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert (placed.status, placed.reason) == ("rejected", STOP.message)
    behind.set()
    await storing


async def test_a_start_that_is_tried_again_follows_the_log_once(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, snapshot, read = fleet.broker._desk, fleet.ledger.snapshot, asyncio.Event()
    reached, tries = desk.follower.reached, 0

    async def soon(seq: int, timeout: float) -> bool:
        nonlocal tries
        tries += 1
        if tries == 2:
            read.set()
        return await reached(seq, 0.1 if tries == 1 else timeout)

    async def slow() -> Any:
        await read.wait()
        return await snapshot()

    monkeypatch.setattr(desk.follower, "reached", soon)
    monkeypatch.setattr(fleet.ledger, "snapshot", slow)
    await fleet.start()
    assert tries > 1
    other = EventSource("broker:other", await fleet.ledger.open_source("broker:other"), fleet.ledger)
    data = facts.deposit_data(wallet="other", address="0xbb", cash=100 * ONE, shares={}, reason="x", owner="", transactions=[])
    [seq] = await other.store([other.event(Type.INFO, data)])
    assert await reached(seq, 5.0)
    assert desk.portfolio.cash("other") == 100 * ONE


async def test_a_frame_that_cannot_be_read_leaves_nothing_running(fleet: Fleet) -> None:
    await fleet.start()
    for _ in range(2):
        session: Any = fleet.broker._desk.venue

        async def torn() -> AsyncIterator[Any]:
            raise UnexpectedResponseError("an order that cannot be read")
            yield

        session.updates = torn
        fleet.broker._channel._renew.set()
        await until(lambda old=session: _is(fleet.broker._desk._venue not in (None, old)))  # type: ignore[misc]
        await until(fleet.broker.ready)
    assert (running("Watch.run"), running("Heartbeat.run")) == (1, 1)


async def _is(true: bool) -> bool:
    return true

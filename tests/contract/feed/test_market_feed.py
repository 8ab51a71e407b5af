"""The market feed against the real wire of the simulated venue."""

import asyncio
from collections.abc import Callable

import pytest

from actors.feed import books as upkeep
from actors.polymarket.schema import Frame
from actors.polymarket.stream import MarketStream
from actors.sandbox.records import MarketRecord
from agents.errors import Unavailable
from agents.model import Side
from agents.money import ONE, micro
from agents.ports import Snapshot
from tests.contract.broker.rival import Rival
from tests.contract.feed.feeds import Feeds, until


def ids(snapshot: Snapshot) -> set[str]:
    return {view.market.condition_id for view in snapshot.changed}


async def test_books_are_the_venues_own_after_any_number_of_changes(feeds: Feeds) -> None:
    record = feeds.served.market()
    feed = await feeds.start()
    rival = Rival(feeds.served)
    for n in range(1, 30):
        rival.rest(record.tokens[n % 2], Side.BUY, f"0.{n:02d}", f"{n + 5}")
    rival.take(record.tokens[0], Side.SELL, "0.20", "80")

    async def same() -> bool:
        view = await feed.market(record.condition_id)
        return view is not None and view.books == feeds.books(view) and len(view.books[0].bids) > 5

    await until(same)


async def test_every_open_market_has_its_book_prices_and_the_size_of_its_event(feeds: Feeds) -> None:
    feed = await feeds.start()

    async def full() -> bool:
        views = [view for view in (await feed.snapshot()).changed if not view.market.slug.startswith("quiet")]
        sizes = {view.market.event_size > 1 for view in views if view.market.neg_risk}
        return bool(views) and all(view.prices and view.books[0].bids for view in views) and sizes <= {True}

    await until(full)
    for view in (await feed.snapshot()).changed:
        assert view.age < 20
        assert list(view.prices) == sorted(view.prices)
        assert len(view.prices) <= 200


async def test_only_changes_are_told_and_what_ended_once(feeds: Feeds) -> None:
    record = feeds.served.market()
    feed = await feeds.start()
    first = await feed.snapshot([record.slug])
    assert ids(first) == {record.condition_id}
    again = await feed.snapshot([record.slug], first.version)
    assert (again.version >= first.version, again.changed, again.gone) == (True, (), ())
    Rival(feeds.served).rest(record.tokens[0], Side.BUY, "0.3", "10")
    await until(lambda: _told(feeds, record, first.version))
    second = await feed.snapshot([record.slug], first.version)
    feeds.served.run(lambda exchange: exchange.resolve(record.condition_id, (ONE, 0)))
    await until(lambda: _gone(feeds, record, second.version))
    third = await feed.snapshot([record.slug], second.version)
    assert (ids(third), third.gone) == (set(), (record.condition_id,))
    assert (await feed.snapshot([record.slug], third.version)).gone == ()


async def _told(feeds: Feeds, record: MarketRecord, version: int) -> bool:
    assert feeds.feed is not None
    return record.condition_id in ids(await feeds.feed.snapshot([record.slug], version))


async def _gone(feeds: Feeds, record: MarketRecord, version: int) -> bool:
    assert feeds.feed is not None
    return record.condition_id in (await feeds.feed.snapshot([record.slug], version)).gone


async def test_a_resolution_is_reported_once_in_all_lives_of_the_feed(feeds: Feeds) -> None:
    seen, missed = feeds.served.market(), feeds.served.market()
    feed = await feeds.start()
    feeds.served.run(lambda exchange: exchange.resolve(seen.condition_id, (250_000, 750_000)))
    await until(lambda: _reported(feeds, seen, 1))
    await asyncio.sleep(5.5)  # It keeps on record what it follows every five seconds.
    await feeds.stop()
    feeds.served.run(lambda exchange: exchange.resolve(missed.condition_id, (0, ONE)))
    feed = await feeds.restart()
    await until(lambda: _reported(feeds, missed, 1))
    assert await _reported(feeds, seen, 1)
    [event] = [event for event in await feeds.resolutions() if event.data["conditionId"] == seen.condition_id]
    assert event.source == "feed"
    assert event.data["payouts"] == dict(zip(seen.tokens, ("0.25", "0.75"), strict=True))
    assert {seen.condition_id, missed.condition_id} <= set((await feed.snapshot((), 1)).gone), (
        "agents of an earlier life hear it"
    )
    view = await feed.market(seen.condition_id)
    assert view is not None
    assert view.market.payouts == (250_000, 750_000)


async def _reported(feeds: Feeds, record: MarketRecord, times: int) -> bool:
    events = await feeds.resolutions()
    return [event.data["conditionId"] for event in events].count(record.condition_id) == times


async def test_a_market_that_opens_is_shown_at_once(feeds: Feeds) -> None:
    feed = await feeds.start()
    record = feeds.served.market()
    await until(lambda: _told(feeds, record, 0), 5)
    view = await feed.market(record.tokens[1])
    assert view is not None
    assert view.market.condition_id == record.condition_id


async def test_a_finer_tick_is_taken_over(feeds: Feeds) -> None:
    record = feeds.served.market()
    feed = await feeds.start()
    feeds.served.run(lambda exchange: exchange.change_tick(exchange.floor.listings[record.condition_id], 1000))

    async def finer() -> bool:
        view = await feed.market(record.condition_id)
        return view is not None and view.market.tick == 1000

    await until(finer, 5)


async def test_a_market_is_found_by_every_name_and_an_unknown_one_is_none(feeds: Feeds) -> None:
    feed = await feeds.start()
    record = feeds.served.market()
    for name in (record.condition_id, record.id, record.slug, *record.tokens):
        view = await feed.market(name)
        assert view is not None
        assert view.market.condition_id == record.condition_id
    for name in ("no-such-market", "0x" + "0" * 64, "9" * 77, "1"):
        assert await feed.market(name) is None
    assert await feed.rules(record.condition_id) == record.description
    assert await feed.rules("no-such-market") == ""


async def test_upstream_cost_does_not_grow_with_those_who_ask(feeds: Feeds) -> None:
    record = feeds.served.market()
    feed = await feeds.start()
    before = feeds.served.server.wire.stats()
    for _ in range(200):
        await asyncio.gather(feed.snapshot(), feed.snapshot([record.slug]), feed.market(record.id), feed.markets(), feed.now())
    after = feeds.served.server.wire.stats()
    assert after["marketConnections"] == before["marketConnections"]
    spent = sum(after["requests"].values()) - sum(before["requests"].values())
    assert spent < 20, "only what it would have asked anyway"


async def test_a_book_that_went_wrong_is_repaired(feeds: Feeds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "RESYNC", 0.5)
    record = feeds.served.market()
    feed = await feeds.start()
    Rival(feeds.served).rest(record.tokens[0], Side.BUY, "0.3", "10")
    await until(lambda: _best(feeds, record, micro("0.3")))
    tracked = feed._catalogue.get(record.condition_id)
    assert tracked is not None
    tracked.book._bids.clear()
    tracked.book._built = None
    assert not await _best(feeds, record, micro("0.3"))
    await until(lambda: _best(feeds, record, micro("0.3")))


async def _best(feeds: Feeds, record: MarketRecord, bid: int) -> bool:
    assert feeds.feed is not None
    view = await feeds.feed.market(record.condition_id)
    return view is not None and view.books[0].bid == bid


async def test_a_frozen_market_socket_is_noticed_by_its_age_and_replaced(feeds: Feeds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "RESYNC", 0.5)
    monkeypatch.setattr(upkeep, "_FROZEN", 1.0)
    streams: list[MarketStream] = []

    def make(url: str, take: Callable[[list[Frame]], None], *, loopback: bool) -> MarketStream:
        streams.append(MarketStream(url, take, loopback=loopback))
        return streams[-1]

    monkeypatch.setattr(upkeep, "MarketStream", make)
    record = feeds.served.market()
    await feeds.start()
    [shard] = streams[0].shards
    connects = shard.connects
    # Its sockets stay open and answer pings, and tell nothing any more.
    named = feeds.served.server.venue.faults
    feeds.served.run(lambda _: named.switch({"frozen-market": ""}))
    await asyncio.sleep(1.5)
    Rival(feeds.served).rest(record.tokens[0], Side.BUY, "0.3", "10")

    async def replaced() -> bool:
        return shard.connects > connects and shard.connected

    await until(replaced)
    Rival(feeds.served).rest(record.tokens[0], Side.BUY, "0.31", "10")
    await until(lambda: _best(feeds, record, micro("0.31")))
    feeds.served.run(lambda _: named.clear())


async def test_before_it_has_read_anything_it_is_unavailable(feeds: Feeds) -> None:
    feed = await feeds.start()
    feed._discovered = False
    with pytest.raises(Unavailable, match="has not read the venue's markets yet"):
        await feed.snapshot()

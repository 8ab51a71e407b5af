import asyncio
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select, update

from actors.follower import Follower
from actors.ledger import LedgerService
from actors.ledger.retention import Retention, retention_from
from actors.storage.engine import connect
from actors.storage.schema import events, fills, orders, signed, snapshots
from agents.errors import InvalidInput
from agents.events import Event, Type
from agents.fleet import FleetState
from tests.unit.actors.ledger.conftest import Make, Open
from tests.unit.actors.ledger.test_ledger_service import created, order

#: A wall second at which everything that the tests log is long past.
LATE = 1e9

KEEP_20 = Retention(events=20)


def trade(make: Make, n: int, order_id: str, *, agent: str = "a", at: int = 1000) -> Event:
    data: dict[str, Any] = {
        "id": f"t{n}/{order_id}",
        "timestamp": at,
        "tradeId": f"t{n}",
        "orderId": order_id,
        "wallet": "main",
        "tokenId": f"token{n % 3}",
        "side": "BUY" if n % 4 else "SELL",
        "size": "2.5",
        "exactPrice": "0.31",
        "fee": "0.000007",
    }
    return make(Type.TRADE, source="broker:main", agent=agent, at=at, **data)


def settled(make: Make, n: int, order_id: str, status: str, trade_status: str, *, at: int = 1000) -> Event:
    return make(
        Type.ORDER,
        **{"source": "broker:main", "at": at, "orderId": order_id, "wallet": "main", "status": status, "decisionId": "d"},
        tradeId=f"t{n}",
        tradeStatus=trade_status,
    )


def life(make: Make, chance: random.Random, count: int) -> Iterator[Event]:
    """Yield a fleet's log of all kinds, among it what cannot be folded."""
    yield make(Type.INFO, source="broker:main", agent=None, kind="deposit", wallet="main", address="0xa", cash="9", message="")
    yield from (created(make, agent) for agent in "ab")
    for n in range(count):
        agent = chance.choice("ab")
        match chance.randrange(8):
            case 0 | 1:
                yield make(Type.DECISION, source=f"agent:{agent}", agent=agent, n=n)
            case 2 | 3:
                yield trade(make, n, f"o{n}", agent=agent)
            case 4:
                yield settled(make, n - 1, f"o{n - 1}", "confirmed", chance.choice(["confirmed", "failed"]))
            case 5:
                payout = {"agentId": agent, "tokenId": "token1", "size": "0.5", "payout": "0.5"}
                yield make(Type.RESOLUTION, source="broker:main", wallet="main", redeemed=[payout], txHash=f"0x{n}")
            case 6:
                yield make(Type.RISK, agent=agent, blocked=chance.choice([None, "stale data"]))
            case 7:
                yield make(Type.AGENT, agent=agent, change="state")


async def all_of(ledger: LedgerService) -> list[Event]:
    found, after = [], 0
    while batch := (await ledger.poll(after)).events:
        found += batch
        after = batch[-1].seq
    return found


async def fill_up(ledger: LedgerService, make: Make, count: int, **data: Any) -> None:
    await ledger.append([make(source="filler", agent=None, at=2000, **data) for _ in range(count)])


@pytest.mark.parametrize("seed", range(3))
async def test_snapshot_and_tail_give_the_state_of_the_whole_log(open_ledger: Open, make: Make, seed: int) -> None:
    chance = random.Random(seed)
    ledger = await open_ledger(every=10**9)
    expected = FleetState()
    written = list(life(make, chance, 400))
    for start in range(0, len(written), 50):
        await ledger.append(written[start : start + 50])
        if start in (100, 250):
            await ledger._upkeep.keep()
    for event in await all_of(ledger):
        try:
            expected.apply(event)
        except KeyError:
            assert event.data == {"change": "state"}
    totals = {kind: (await ledger.history(kind)).total for kind in ("events", "decisions", "trades", "orders")}
    again = await open_ledger()
    assert again._folded_to == 300
    assert await again.snapshot() == expected == await ledger.snapshot()
    assert {kind: (await again.history(kind)).total for kind in totals} == totals
    assert (await again.snapshot()).payouts["main"]


async def test_a_ledger_that_stops_leaves_a_snapshot_of_all(open_ledger: Open, make: Make) -> None:
    ledger = await open_ledger()
    await ledger.append([created(make, "a"), make(Type.DECISION)])
    await ledger.stop()
    again = await open_ledger()
    assert (again._folded_to, await again.head()) == (2, 2)
    assert (await again.snapshot()).agents["a"].total_decisions == 1
    assert (await again.append([make()])) == [3]


async def test_it_keeps_so_many_events_and_says_where_the_log_begins(open_ledger: Open, make: Make) -> None:
    ledger = await open_ledger(retention=KEEP_20)
    await fill_up(ledger, make, 500)
    await ledger._upkeep.keep()
    await fill_up(ledger, make, 30)
    await ledger._upkeep.keep()
    batch = await ledger.poll(0)
    # The older snapshot is at 500: what comes after it must stay, so that either of the two is a beginning.
    assert ([event.seq for event in batch.events], batch.floor, batch.next) == (list(range(501, 531)), 501, 530)
    assert (await ledger.history("events")).total == 530
    again = await open_ledger(retention=KEEP_20)
    assert (await again.poll(0)).floor == 501
    assert (await again.history("events", limit=5)).total == 530
    assert await again.append([make()]) == [531]
    assert (await again.snapshot()).seq == 531


async def test_upkeep_runs_by_itself_every_so_many_events(open_ledger: Open, make: Make) -> None:
    ledger = await open_ledger(retention=KEEP_20, every=50)
    for _ in range(8):
        await fill_up(ledger, make, 50)
        for _ in range(200):
            await asyncio.sleep(0.005)
            if not ledger._upkeep._events:
                break
    async with asyncio.timeout(10):
        while (await ledger.poll(0, limit=1)).floor < 200:
            await asyncio.sleep(0.01)


async def test_the_database_is_closed_after_what_the_upkeep_reads(
    open_ledger: Open, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await open_ledger(retention=KEEP_20, every=50)
    reading, go_on, order = asyncio.Event(), threading.Event(), list[str]()
    loop, close = asyncio.get_running_loop(), ledger._reader.close

    def size() -> int:
        loop.call_soon_threadsafe(reading.set)
        go_on.wait(10)
        order.append("read")
        return 0

    def closed() -> None:
        order.append("closed")
        close()

    monkeypatch.setattr(ledger._reader, "size", size)
    monkeypatch.setattr(ledger._reader, "close", closed)
    await fill_up(ledger, make, 50)
    await reading.wait()
    threading.Timer(0.05, go_on.set).start()
    await ledger.stop()
    assert order == ["read", "closed"]


async def test_the_head_stays_whatever_the_retention(open_ledger: Open, make: Make) -> None:
    ledger = await open_ledger(retention=Retention(days=1))
    await fill_up(ledger, make, 10)
    await ledger._upkeep.keep()
    assert [event.seq for event in await all_of(ledger)] == [10]
    await ledger.stop()
    assert await (await open_ledger()).append([make()]) == [11]


async def test_events_go_by_their_age(open_ledger: Open, make: Make) -> None:
    ledger = await open_ledger(retention=Retention(days=10), wall=lambda: 20 * 86_400.0)
    day = 86_400_000
    await ledger.append([make(at=at * day) for at in (3, 5, 9, 11, 8, 19)])
    await ledger._upkeep.keep()
    assert [event.seq for event in await all_of(ledger)] == [4, 5, 6]


async def test_the_database_is_kept_below_its_size(open_ledger: Open, make: Make, database: str) -> None:
    cap = 6_000_000
    ledger = await open_ledger(retention=Retention(bytes=cap), every=10**9)
    for _ in range(80):
        await fill_up(ledger, make, 100, text="x" * 1000)
        await ledger._upkeep.keep()
        assert ledger._reader.size() < cap
    assert ledger._reader.size() > cap * 0.7
    floor = (await ledger.poll(0, limit=1)).floor
    assert 3000 < floor < 6000
    if database.startswith("sqlite"):
        await ledger.stop()
        with open(database.removeprefix("sqlite:///"), "rb") as file:
            assert file.seek(0, 2) < cap


async def test_followers_below_the_floor_start_from_the_snapshot(open_ledger: Open, make: Make) -> None:
    ledger = await open_ledger(retention=KEEP_20)
    await ledger.append([created(make, "a"), make(Type.DECISION)])
    follower = Follower(ledger, "slow")
    follower.state = FleetState(seq=1)
    await fill_up(ledger, make, 100)
    await ledger._upkeep.keep()
    follower.start()
    assert await follower.reached(102, 5)
    assert follower.state.agents["a"].total_decisions == 1
    await follower.stop()


async def test_open_orders_and_their_bytes_outlive_their_events(open_ledger: Open, make: Make, database: str) -> None:
    ledger = await open_ledger(retention=KEEP_20, wall=lambda: LATE)
    await ledger.append(
        [
            created(make, "a"),
            order(make, "resting", "live", at=5),
            order(make, "ended", "cancelled"),
            order(make, "paid", "confirmed"),
            trade(make, 1, "filled"),
            order(make, "filled", "cancelled"),
        ],
        {"resting": b"signed", "ended": b"old", "filled": b"x"},
    )
    await fill_up(ledger, make, 100)
    await ledger._upkeep.keep()
    assert (await ledger.poll(0, limit=1)).floor > 6
    assert [(data["orderId"], data["created"], payload) for data, payload in await ledger.unsettled_orders("main")] == [
        ("resting", 5, b"signed")
    ]
    # The fill of a cancelled order is not settled yet: its end must find it.
    assert (await ledger.order("filled") or {})["status"] == "cancelled"
    assert await ledger.order("ended") is None
    page = await ledger.history("orders")
    assert ([item["orderId"] for item in page.items], page.total) == (["filled", "resting"], 4)
    assert (await ledger.history("orders", "a")).total == 4
    assert await rows(database, signed) == 2
    await ledger.append([settled(make, 1, "filled", "cancelled", "confirmed"), order(make, "resting", "cancelled", at=6)])
    await fill_up(ledger, make, 100)
    await ledger._upkeep.keep()
    await fill_up(ledger, make, 100)
    await ledger._upkeep.keep()
    assert (await ledger.history("orders")).items == []
    assert (await (await open_ledger()).history("orders", "a")).total == 4
    assert await rows(database, orders) == await rows(database, signed) == 0


async def test_an_order_that_ended_just_now_stays_for_late_fills(open_ledger: Open, make: Make) -> None:
    ledger = await open_ledger(retention=KEEP_20, wall=lambda: 3600.0)
    await ledger.append([order(make, "ended", "cancelled", at=1000)])
    await fill_up(ledger, make, 100)
    await ledger._upkeep.keep()
    assert (await ledger.poll(0, limit=1)).floor > 1
    assert await ledger.order("ended") is not None


async def test_fills_that_the_venue_may_report_again_are_known_below_the_floor(
    open_ledger: Open, make: Make, database: str
) -> None:
    hour = 3_600_000
    ledger = await open_ledger(retention=KEEP_20, wall=lambda: LATE)
    await ledger.append(
        [
            created(make, "a"),
            trade(make, 1, "long-ago", at=hour),
            settled(make, 1, "long-ago", "confirmed", "confirmed", at=hour),
            order(make, "resting", "live", at=9 * hour),
            trade(make, 2, "resting", at=10 * hour),
            trade(make, 3, "resting", at=30 * hour),
        ]
    )
    assert await ledger.dropped_fills("main") == {}
    await fill_up(ledger, make, 100)
    await ledger._upkeep.keep()
    assert await ledger.dropped_fills("main") == {"t2/resting": 10 * hour, "t3/resting": 30 * hour}
    assert await ledger.dropped_fills("other") == {}
    await ledger.append([settled(make, n, "resting", "confirmed", "confirmed", at=31 * hour) for n in (2, 3)])
    await fill_up(ledger, make, 100)
    await ledger._upkeep.keep()
    # Nothing is open: only the newest tells from when on the venue is asked.
    assert await ledger.dropped_fills("main") == {"t3/resting": 30 * hour}
    assert await rows(database, fills) == 1


async def test_the_older_snapshot_serves_where_the_newest_is_damaged(open_ledger: Open, make: Make, database: str) -> None:
    ledger = await open_ledger(retention=KEEP_20)
    await ledger.append([created(make, "a"), make(Type.DECISION)])
    for _ in range(2):
        await fill_up(ledger, make, 100)
        await ledger._upkeep.keep()
    expected = await ledger.snapshot()
    engine = connect(database)
    with engine.begin() as connection:
        newest = select(func.max(snapshots.c.seq)).scalar_subquery()
        connection.execute(update(snapshots).where(snapshots.c.seq == newest).values(state="{broken"))
    again = await open_ledger()
    assert again._folded_to == 102
    assert await again.snapshot() == expected
    with engine.begin() as connection:
        connection.execute(update(snapshots).values(state="{broken"))
    engine.dispose()
    with pytest.raises(InvalidInput, match="the log begins at 103 and has no snapshot that can be read; restore it"):
        await open_ledger()


@pytest.mark.parametrize("dropped", [False, True])
async def test_a_snapshot_of_another_version_counts_only_below_the_floor(
    open_ledger: Open, make: Make, database: str, dropped: bool
) -> None:
    ledger = await open_ledger(retention=KEEP_20 if dropped else Retention())
    await ledger.append([created(make, "a"), make(Type.DECISION)])
    await fill_up(ledger, make, 100)
    await ledger._upkeep.keep()
    expected = await ledger.snapshot()
    engine = connect(database)
    with engine.begin() as connection:
        connection.execute(update(snapshots).values(version="0-old"))
    engine.dispose()
    again = await open_ledger()
    assert again._folded_to == (102 if dropped else 0)
    assert await again.snapshot() == expected


async def rows(database: str, table: Any) -> int:
    engine = connect(database)
    with engine.connect() as connection:
        count = connection.scalar(select(func.count()).select_from(table))
    engine.dispose()
    return int(count or 0)


async def test_no_event_is_given_that_is_told_to_be_gone(open_ledger: Open, make: Make) -> None:
    ledger = await open_ledger()
    await fill_up(ledger, make, 100)
    ledger._raise_floor(61)
    assert [event.seq for event in (await ledger.poll(0, limit=2)).events] == [61, 62]
    assert await rows(ledger._config.database_url, events) == 100


def test_settings_come_from_the_environment() -> None:
    assert retention_from({}) == Retention(2_000_000, 2_000_000_000, None)
    given = {"POLYFLEET_RETENTION_EVENTS": "50000", "POLYFLEET_RETENTION_BYTES": "1e8", "POLYFLEET_RETENTION_DAYS": "0.5"}
    assert retention_from(given) == Retention(50_000, 100_000_000, 0.5)
    for name, value in (("EVENTS", "9999"), ("BYTES", "1000"), ("DAYS", "-1"), ("EVENTS", "many"), ("BYTES", "nan")):
        with pytest.raises(InvalidInput, match=f"POLYFLEET_RETENTION_{name}: '{value}' is not possible"):
            retention_from({f"POLYFLEET_RETENTION_{name}": value})

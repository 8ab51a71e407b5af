import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import PoolProxiedConnection, update
from sqlalchemy import event as sqlalchemy_event

from actors.ledger import LedgerService
from actors.storage.engine import connect
from actors.storage.schema import meta
from agents.errors import InvalidInput, StaleIncarnation, Unavailable
from agents.events import Event, Type
from agents.fleet import AgentRecord, agent_data
from agents.spec import AgentSpec
from tests.unit.actors.ledger.conftest import Make, Open


def created(make: Make, agent: str) -> Event:
    record = AgentRecord(AgentSpec(id=agent, strategy="momentum"))
    data = agent_data(record, "created", with_spec=True)
    return make(Type.AGENT, source="supervisor", agent=agent, **data)


def order(make: Make, id: str, status: str, *, agent: str | None = "a", at: int = 1000, wallet: str = "main") -> Event:
    return make(
        Type.ORDER, source="broker:main", agent=agent, at=at, orderId=id, wallet=wallet, status=status, decisionId=f"d-{id}"
    )


async def seqs(ledger: LedgerService, after: int = 0, **filters: Any) -> list[int]:
    return [event.seq for event in (await ledger.poll(after, **filters)).events]


async def test_events_are_numbered_in_the_order_in_which_they_came(ledger: LedgerService, make: Make) -> None:
    first, second, third = make(), make(), make()
    assert await ledger.append([first, second]) == [1, 2]
    assert await ledger.append([third]) == [3]
    batch = await ledger.poll(0)
    assert batch.events == [first.numbered(1), second.numbered(2), third.numbered(3)]
    assert (batch.next, batch.floor, batch.head) == (3, 1, 3)


async def test_a_retried_event_keeps_its_seq(ledger: LedgerService, make: Make) -> None:
    first, second = make(), make()
    assert await ledger.append([first]) == [1]
    assert await ledger.append([first, second, second, first]) == [1, 2, 2, 1]
    again, with_more = await asyncio.gather(ledger.append([second]), ledger.append([make(), second]))
    assert (again, with_more) == ([2], [3, 2])
    assert await ledger.head() == 3


async def test_nothing_is_appended_for_nothing(ledger: LedgerService) -> None:
    assert await ledger.append([]) == []
    assert await ledger.head() == 0


async def test_an_earlier_life_is_refused_and_told_which_it_is(ledger: LedgerService, make: Make) -> None:
    assert await ledger.open_source("agent:a") == 1
    stored = make(life=1)
    await ledger.append([stored])
    assert await ledger.open_source("agent:a") == 2
    with pytest.raises(StaleIncarnation, match=r"agent:a is in its life 2; an event of its life 1 comes too late"):
        await ledger.append([make(life=2), make(life=1)])
    with pytest.raises(StaleIncarnation):
        await ledger.append([stored])
    assert await ledger.append([make(life=2)]) == [2]


async def test_a_new_life_and_an_old_ones_event_in_one_commit_cannot_race(ledger: LedgerService, make: Make) -> None:
    early, late, other = make(), make(), make(source="agent:b")
    results = await asyncio.gather(
        ledger.append([early]),
        ledger.open_source("agent:a"),
        ledger.open_source("agent:a"),
        ledger.append([late]),
        ledger.append([other]),
        return_exceptions=True,
    )
    assert [results[0], results[1], results[2], results[4]] == [[1], 2, 3, [2]]
    assert isinstance(results[3], StaleIncarnation)


async def test_a_life_that_was_never_opened_begins_with_its_first_event(ledger: LedgerService, make: Make) -> None:
    await ledger.append([make(life=7)])
    with pytest.raises(StaleIncarnation):
        await ledger.append([make(life=6)])
    assert await ledger.open_source("agent:a") == 8


@pytest.mark.parametrize("id", ["agent:b/1/1", "agent:a/2/1", "1", "agent:a/11/1"])
async def test_an_id_that_is_not_its_sources_is_refused(ledger: LedgerService, id: str) -> None:
    with pytest.raises(InvalidInput, match="must have an id agent:a/1/n"):
        await ledger.append([Event(id, Type.INFO, "agent:a", "a", 1, 0, {})])


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"bytes"])
async def test_data_that_are_not_json_are_refused(ledger: LedgerService, make: Make, value: object) -> None:
    with pytest.raises(InvalidInput, match="the data of event 'agent:a/1/1' is not JSON"):
        await ledger.append([make(value=value)])
    assert await ledger.head() == 0


async def test_an_order_without_its_fields_is_refused(ledger: LedgerService, make: Make) -> None:
    with pytest.raises(InvalidInput, match="an order without orderId, wallet or status"):
        await ledger.append([make(Type.ORDER, orderId="o", status="sent")])


async def test_text_of_any_kind_comes_back_as_it_was(ledger: LedgerService, make: Make, open_ledger: Open) -> None:
    event = make(text="é \u0000 😀", big=2**70, nested={"list": [1, None, True, 0.1]})
    await ledger.append([event])
    again = await open_ledger()
    assert (await again.poll(0)).events == [event.numbered(1)]


async def test_half_a_character_is_stored_as_a_question_mark(ledger: LedgerService, make: Make) -> None:
    await ledger.append([make(text="cut \ud83d", nested={"whole \ud83d": ["😀", 1.5]})])
    [stored] = (await ledger.poll(0)).events
    assert stored.data == {"text": "cut ?", "nested": {"whole ?": ["😀", 1.5]}}


async def test_what_the_database_does_not_take_fails_alone(ledger: LedgerService, make: Make) -> None:
    good, other = make(source="agent:b"), make(source="agent:c")
    bad = Event("agent:a/1/1", Type.INFO, "agent:a", "a", 1, 2**80, {})
    unsigned = ledger.append([make(source="agent:d")], {"no-such-order": b"payload"})
    results = await asyncio.gather(
        ledger.append([good]), ledger.append([bad]), unsigned, ledger.append([other]), return_exceptions=True
    )
    assert [results[0], results[3]] == [[1], [2]]
    assert isinstance(results[1], InvalidInput)
    assert isinstance(results[2], InvalidInput)
    assert await seqs(ledger) == [1, 2]


async def test_concurrent_appends_share_a_commit(ledger: LedgerService, make: Make) -> None:
    commits: list[object] = []
    sqlalchemy_event.listen(ledger._writer._engine, "commit", commits.append)
    stored = await asyncio.gather(*(ledger.append([make(), make()]) for _ in range(300)))
    assert sorted(seq for pair in stored for seq in pair) == list(range(1, 601))
    assert 1 <= len(commits) <= 2


async def test_a_poll_is_filtered_and_its_cursor_passes_what_was_left_out(ledger: LedgerService, make: Make) -> None:
    await ledger.append([make(), make(Type.RISK), make(agent="b"), make(Type.RISK, agent="b"), make()])
    assert await seqs(ledger, agent="a") == [1, 2, 5]
    assert await seqs(ledger, types=["risk"]) == [2, 4]
    assert await seqs(ledger, types=[Type.RISK], agent="b") == [4]
    assert await seqs(ledger, types=[]) == [1, 2, 3, 4, 5]
    assert (await ledger.poll(0, types=["risk"], limit=2)).next == 4
    assert (await ledger.poll(0, types=["risk"], limit=3)).next == 5
    assert (await ledger.poll(0, types=["trade"])).next == 5
    with pytest.raises(InvalidInput, match="'rick' is no type of event"):
        await ledger.poll(0, types=["rick"])


async def test_a_poll_is_cut_at_its_limit_and_goes_on_there(ledger: LedgerService, make: Make) -> None:
    await ledger.append([make() for _ in range(1500)])
    batch = await ledger.poll(0, limit=5000)
    assert (len(batch.events), batch.next) == (1000, 1000)
    batch = await ledger.poll(batch.next)
    assert (len(batch.events), batch.next) == (500, 1500)
    batch = await ledger.poll(batch.next)
    assert (batch.events, batch.next) == ([], 1500)
    assert (await ledger.poll(9999)).next == 9999


async def test_a_waiting_poll_wakes_at_the_commit_that_it_is_for(ledger: LedgerService, make: Make) -> None:
    waiting = asyncio.create_task(ledger.poll(0, wait=20, types=["risk"]))
    await ledger.append([make()])
    await ledger.append([make()])
    assert not waiting.done()
    await ledger.append([make(Type.RISK)])
    batch = await asyncio.wait_for(waiting, 5)
    assert [event.seq for event in batch.events] == [3]


async def test_a_poll_that_waits_in_vain_answers_with_the_cursor_moved_on(ledger: LedgerService, make: Make) -> None:
    await ledger.append([make()])
    assert (await ledger.poll(1, wait=0.01)).events == []
    assert (await ledger.poll(0, wait=0.01, types=["risk"])).next == 1


async def test_what_has_left_memory_is_read_from_disk_the_same(open_ledger: Open, make: Make, ledger: LedgerService) -> None:
    written = [make(Type.RISK if n % 3 == 0 else Type.INFO, agent="ab"[n % 2], n=n) for n in range(60)]
    await ledger.append(written)
    small = await open_ledger()
    small._recent._most = 10
    await small.append([make(agent="b", n=60)])
    assert not small._recent.reaches(0)
    for filters in ({}, {"agent": "a"}, {"types": ["risk"]}, {"agent": "b", "types": ["risk", "info"]}, {"limit": 7}):
        here, there = await ledger.poll(0, **filters), await small.poll(0, **filters)
        assert [event for event in there.events if event.seq <= 60] == here.events
    assert (await small.poll(0, limit=7)).next == 7
    assert (await small.poll(0, types=["forecast"])).next == 61


async def test_history_is_newest_first_in_pages_with_a_total(ledger: LedgerService, make: Make) -> None:
    await ledger.append([make(Type.DECISION, n=n) for n in range(5)] + [make(Type.DECISION, agent="b", n=9), make(Type.TRADE)])
    page = await ledger.history("decisions", "a", limit=2)
    assert page.items == [{"n": 4, "seq": 5, "agentId": "a"}, {"n": 3, "seq": 4, "agentId": "a"}]
    assert (page.total, page.next) == (5, 4)
    page = await ledger.history("decisions", "a", limit=3, before=page.next)
    assert ([item["n"] for item in page.items], page.total, page.next) == ([2, 1, 0], 5, None)
    assert [item["n"] for item in (await ledger.history("decisions")).items] == [9, 4, 3, 2, 1, 0]
    assert (await ledger.history("trades", "b")).items == []
    assert (await ledger.history("forecasts")).total == 0


async def test_the_history_of_events_shows_them_as_clients_see_them(ledger: LedgerService, make: Make) -> None:
    first, second = make(Type.TRADE, n=1), make(agent=None, n=2)
    await ledger.append([first, second])
    assert (await ledger.history("events")).items == [second.numbered(2).json(), first.numbered(1).json()]
    page = await ledger.history("events", "a")
    assert (page.items, page.total) == ([first.numbered(1).json()], 1)


async def test_there_is_no_other_history(ledger: LedgerService) -> None:
    kinds = "orders, decisions, trades, forecasts, telegram, events"
    with pytest.raises(InvalidInput, match=f"there is no 'prices'; expected {kinds}"):
        await ledger.history("prices")


async def test_an_order_has_its_latest_state_and_the_time_of_its_first(ledger: LedgerService, make: Make) -> None:
    await ledger.append([order(make, "x", "intended", at=5), order(make, "x", "signed", at=6)], {"x": b"bytes of x"})
    await ledger.append([order(make, "y", "intended", at=7, agent="b")])
    late = order(make, "x", "live", at=9)
    await ledger.append([late])
    expected = late.data | {"agentId": "a", "created": 5, "seq": 1}
    assert await ledger.order("x") == expected
    assert await ledger.order("z") is None
    page = await ledger.history("orders")
    assert [(item["orderId"], item["status"]) for item in page.items] == [("y", "intended"), ("x", "live")]
    page = await ledger.history("orders", "a")
    assert (page.items, page.total, page.next) == ([expected], 1, None)
    page = await ledger.history("orders", limit=1)
    assert (page.total, page.next) == (2, 3)
    assert [item["orderId"] for item in (await ledger.history("orders", before=3)).items] == ["x"]


async def test_a_repeated_event_does_not_take_an_order_back(ledger: LedgerService, make: Make) -> None:
    intended, live = order(make, "x", "intended"), order(make, "x", "live")
    await ledger.append([intended], {"x": b"bytes"})
    await ledger.append([live])
    await ledger.append([intended], {"x": b"bytes"})
    assert (await ledger.order("x") or {})["status"] == "live"


async def test_unsettled_orders_come_with_their_signed_bytes(ledger: LedgerService, make: Make, open_ledger: Open) -> None:
    states = ["intended", "unknown", "live", "matched", "pending", "confirmed", "cancelled", "rejected"]
    events = [order(make, state, state) for state in states]
    await ledger.append(events, {"unknown": b"\x00signed", "confirmed": b"old"})
    await ledger.append([order(make, "elsewhere", "live", wallet="other")])
    for service in (ledger, await open_ledger()):
        found = await service.unsettled_orders("main")
        assert [(data["orderId"], payload) for data, payload in found] == [
            ("intended", None),
            ("unknown", b"\x00signed"),
            ("live", None),
            ("matched", None),
            ("pending", None),
        ]
        assert found[0][0] == events[0].data | {"agentId": "a", "created": 1000, "seq": 1}


async def test_documents_are_stored_by_name(ledger: LedgerService, open_ledger: Open) -> None:
    assert await ledger.document("settings") is None
    await ledger.put_document("settings", {"theme": "dark"})
    await asyncio.gather(ledger.put_document("settings", {"theme": "light"}), ledger.put_document("other", [1]))
    again = await open_ledger()
    assert await again.document("settings") == {"theme": "light"}
    assert await again.document("other") == [1]
    with pytest.raises(InvalidInput, match="document 'settings' is not JSON"):
        await again.put_document("settings", {"at": object()})


async def test_the_snapshot_is_folded_to_the_head_and_the_callers_own(ledger: LedgerService, make: Make) -> None:
    assert (await ledger.snapshot()).seq == 0
    await ledger.append([created(make, "a"), make(Type.DECISION)])
    first, second = await ledger.snapshot(), await ledger.snapshot()
    assert (first.seq, first.agents["a"].total_decisions) == (2, 1)
    assert first == second
    first.agents.clear()
    await ledger.append([make(Type.DECISION)])
    assert second.agents["a"].total_decisions == 1
    assert (await ledger.snapshot()).agents["a"].total_decisions == 2


async def test_an_event_that_cannot_be_folded_stops_nothing(ledger: LedgerService, make: Make, open_ledger: Open) -> None:
    await ledger.append([created(make, "a"), make(Type.AGENT, change="state"), make(Type.DECISION)])
    for service in (ledger, await open_ledger()):
        state = await service.snapshot()
        assert (state.seq, state.agents["a"].total_decisions) == (3, 1)


async def test_after_a_crash_everything_goes_on_where_it_was(ledger: LedgerService, make: Make, open_ledger: Open) -> None:
    await ledger.open_source("agent:a")
    retried = make(Type.DECISION)
    await ledger.append([created(make, "a"), retried])
    before = await ledger.snapshot()
    again = await open_ledger()
    assert await again.snapshot() == before
    assert await again.head() == 2
    assert (await again.poll(0)).events == (await ledger.poll(0)).events
    assert (await again.history("decisions", "a")).total == 1
    assert await again.append([retried, make()]) == [2, 3]
    assert await again.open_source("agent:a") == 2
    with pytest.raises(StaleIncarnation):
        await again.append([make()])


async def test_a_ledger_that_was_replaced_can_store_nothing(ledger: LedgerService, make: Make, open_ledger: Open) -> None:
    await ledger.append([make()])
    successor = await open_ledger()
    with pytest.raises(Unavailable, match="another process has opened the log"):
        await ledger.append([make()])
    assert await successor.append([make()]) == [2]


async def test_a_locked_database_is_unavailable_and_then_goes_on(ledger: LedgerService, make: Make, database: str) -> None:
    first, second, third = make(), order(make, "x", "intended"), make()
    await ledger.append([first])
    other = connect(database)
    with other.connect() as lock, lock.begin():
        lock.execute(update(meta).values(value=meta.c.value))
        with pytest.raises(
            Unavailable, match=r"cannot be used now: (database is locked|canceling statement due to lock timeout)"
        ):
            await ledger.append([second, third], {"x": b"bytes"})
        assert (await ledger.poll(0)).head == 1
    other.dispose()
    assert await ledger.order("x") is None
    assert await ledger.append([third]) == [2]
    await ledger._telling
    (error,) = (await ledger.poll(0, types=["error"])).events
    assert (error.seq, error.source, error.agent_id, error.data["code"]) == (3, "ledger", None, "store")
    assert re.match(r"nothing could be logged for \d\.\d s, and nobody traded: the log at .* now: ", error.data["message"])
    assert "secret" not in error.data["message"]
    assert await ledger.append([second, third], {"x": b"bytes"}) == [4, 2]
    assert await seqs(ledger) == [1, 2, 3, 4]


async def test_a_commit_that_came_through_unseen_is_found_by_the_next_one(
    ledger: LedgerService, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make(), make()
    await ledger.append([first])

    engine = ledger._writer._engine
    commit = engine.dialect.do_commit

    def committed_then_lost(connection: PoolProxiedConnection) -> None:
        commit(connection)
        raise engine.dialect.loaded_dbapi.OperationalError("the connection was lost after the commit")

    monkeypatch.setattr(engine.dialect, "do_commit", committed_then_lost)
    with pytest.raises(Unavailable, match="lost after the commit"):
        await ledger.append([second])
    monkeypatch.undo()
    assert await ledger.head() == 1
    assert await ledger.append([make(), second]) == [3, 2]
    await ledger._telling
    assert await seqs(ledger) == [1, 2, 3, 4]
    assert (await ledger.history("events")).total == 4


async def test_stop_stores_what_was_asked_for_and_leaves_one_file(
    make: Make, open_ledger: Open, tmp_path: Path, database: str
) -> None:
    ledger = await open_ledger()
    asked = [asyncio.create_task(ledger.append([make()])) for _ in range(20)]
    await asyncio.sleep(0)
    await ledger.stop()
    assert [task.result() for task in asked] == [[n] for n in range(1, 21)]
    assert [file.name for file in tmp_path.iterdir()] == (["ledger.db"] if database.startswith("sqlite") else [])
    with pytest.raises(Unavailable, match="the ledger has stopped"):
        await ledger.append([make()])

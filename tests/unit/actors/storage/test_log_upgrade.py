import json
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, text

from actors.ledger import LedgerService
from actors.storage.engine import connect
from actors.storage.migration import upgrade
from actors.system import SystemConfig
from agents.events import Event, Type

SPEC = {"id": "a", "strategy": "momentum", "budget": 100.0, "wallet": "main"}
AGENT = {
    **{"change": "created", "state": "running", "desired": "running", "reason": "created", "incarnation": 1, "pid": 7},
    **{"restarts": 0, "restartTimes": [], "failures": 0, "startedAt": 1, "lastError": None, "spec": SPEC},
}
DEPOSIT = {"kind": "deposit", "wallet": "main", "address": "0xabc", "cash": "500", "shares": {}, "message": ""}
TRADE = {
    **{"id": "t1/o1", "timestamp": 3000, "tradeId": "t1", "orderId": "o1", "wallet": "main", "tokenId": "5"},
    **{"side": "BUY", "size": "10", "exactPrice": "0.4", "fee": "0.02"},
}
ORDER = {"orderId": "o1", "wallet": "main", "status": "live", "decisionId": "d1"}
PAID = {"wallet": "main", "redeemed": [{"agentId": "a", "tokenId": "5", "size": "4", "payout": "4"}], "txHash": "0x99"}

#: The log of a fleet as version 0001 wrote it: type, source, agent, data.
LOG: list[tuple[str, str, str | None, dict[str, Any]]] = [
    ("info", "broker:main", None, DEPOSIT),
    ("agent", "supervisor", "a", AGENT),
    ("decision", "agent:a", "a", {"id": "d1", "action": "buy"}),
    ("order", "broker:main", "a", ORDER),
    ("trade", "broker:main", "a", TRADE),
    ("resolution", "broker:main", None, PAID),
]


def insert(connection: Connection, table: str, **row: Any) -> None:
    names = ", ".join(row)
    connection.execute(text(f"insert into {table} ({names}) values ({', '.join(f':{name}' for name in row)})"), row)


def old_log(url: str) -> None:
    """Make a database with the first migration alone and write it with plain SQL."""
    config = Config()
    config.set_main_option("script_location", "actors.storage:migrations")
    engine = connect(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        assert "snapshots" not in inspect(connection).get_table_names()
        for n, (type, source, agent, data) in enumerate(LOG, 1):
            row = {"seq": n, "id": f"{source}/1/{n}", "type": type, "source": source, "agent_id": agent, "incarnation": 1}
            insert(connection, "events", **row, timestamp=n * 1000, data=json.dumps(data))
        order = {"order_id": "o1", "wallet": "main", "agent_id": "a", "status": "live", "created": 4000, "seq": 4}
        insert(connection, "orders", **order, data=json.dumps(ORDER))
        insert(connection, "signed", order_id="o1", payload=b"signed bytes")
        for source in ("supervisor", "agent:a", "broker:main"):
            insert(connection, "sources", name=source, incarnation=1)
        insert(connection, "documents", name="settings", content='{"maxTradeAmount":5}')
        insert(connection, "meta", name="writer", value="3")
    engine.dispose()


@pytest.mark.parametrize("written", [True, False])
async def test_a_log_of_the_first_version_opens_and_serves_everything(tmp_path: Path, database: str, written: bool) -> None:
    old_log(database)
    ledger = LedgerService(SystemConfig(str(tmp_path)))
    await ledger.start()
    events = (await ledger.poll(0)).events
    assert [(event.seq, str(event.type), event.source, event.agent_id, event.data) for event in events] == [
        (n, *row) for n, row in enumerate(LOG, 1)
    ]
    state = await ledger.snapshot()
    assert (state.seq, state.agents["a"].spec.id, state.agents["a"].total_decisions) == (6, "a", 1)
    assert (state.portfolio.cash("main"), state.portfolio.shares("main")) == (499_980_000, {"5": 6_000_000})
    assert (state.payouts, state.addresses) == ({"main": {"0x99"}}, {"main": "0xabc"})
    ((order, payload),) = await ledger.unsettled_orders("main")
    assert (order, payload) == (ORDER | {"agentId": "a", "created": 4000, "seq": 4}, b"signed bytes")
    assert await ledger.document("settings") == {"maxTradeAmount": 5}
    assert (await ledger.history("trades", "a")).total == 1
    # A retry from before the upgrade is known, lives go on, and so do seqs.
    assert await ledger.append([Event("agent:a/1/3", Type.DECISION, "agent:a", "a", 1, 3000, LOG[2][3])]) == [3]
    assert await ledger.open_source("agent:a") == 2
    if written:
        assert await ledger.append([Event("agent:a/2/1", Type.INFO, "agent:a", "a", 2, 9, {})]) == [7]
        await ledger._upkeep.keep()
    await ledger.stop()
    again = LedgerService(SystemConfig(str(tmp_path)))
    await again.start()
    assert (await again.snapshot()).portfolio == state.portfolio
    await again.stop()


def test_orders_of_the_first_version_count_as_changed_at_the_end_of_its_log(tmp_path: Path, database: str) -> None:
    old_log(database)
    engine = connect(database)
    upgrade(engine)
    with engine.begin() as connection:
        assert connection.execute(text("select order_id, updated from orders")).all() == [("o1", 6000)]
    engine.dispose()

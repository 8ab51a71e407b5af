"""What leaves the log and what is kept of it, in steps of one transaction each: snapshots, old events, orders, fills."""

import json
from collections.abc import Callable, Collection
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from actors.storage import facts
from actors.storage.merge import Merge
from actors.storage.schema import events, fills, orders, signed, snapshots
from agents.events import Type
from agents.orders import UNSETTLED

#: The name in `meta` of how many orders were dropped by agent ("" for none), as JSON.
DROPPED_ORDERS = "dropped_orders"

#: Snapshots that are kept: the older one is for the day on which the newest cannot be read.
_SNAPSHOTS = 2

#: Milliseconds of fills that are kept beyond the oldest that the venue may report again.
_MARGIN = 3_600_000

#: Which orders may still change.
UNSETTLED_ORDERS = orders.c.status.in_([str(status) for status in UNSETTLED])
_merge_fills = Merge(fills.c.key)

#: One piece of work on the log, done in one transaction.
Step = Callable[[Connection], int]


class StoredSnapshot(NamedTuple):
    """The folded state up to a seq, as text: what it is made of is the ledger's matter."""

    seq: int
    version: str
    state: str
    counts: str


def put_snapshot(snapshot: StoredSnapshot) -> Step:
    """Store a snapshot, drop all but the newest, and return the seq of the oldest that is kept."""

    def step(connection: Connection) -> int:
        connection.execute(delete(snapshots).where(snapshots.c.seq == snapshot.seq))
        connection.execute(insert(snapshots), [snapshot._asdict()])
        newest = select(snapshots.c.seq).order_by(snapshots.c.seq.desc()).limit(_SNAPSHOTS)
        oldest: int = min(seq for (seq,) in connection.execute(newest))
        connection.execute(delete(snapshots).where(snapshots.c.seq < oldest))
        return oldest

    return step


def drop_events(until: int) -> Step:
    """Drop the events up to a seq, and keep the keys of the fills among them; return how many were dropped."""

    def step(connection: Connection) -> int:
        trades = select(events.c.timestamp, events.c.data).where(events.c.seq <= until, events.c.type == str(Type.TRADE))
        booked = [(timestamp, json.loads(text)) for timestamp, text in connection.execute(trades)]
        rows = [
            {"key": data["id"], "wallet": data["wallet"], "timestamp": data.get("timestamp", timestamp)}
            for timestamp, data in booked
            if data.keys() >= {"id", "wallet", "orderId"}
        ]
        _merge_fills(connection, {row["key"]: row for row in rows})
        return connection.execute(delete(events).where(events.c.seq <= until)).rowcount

    return step


def drop_orders(before: int, held: Collection[str], limit: int) -> Step:
    """Drop settled orders that have not changed since a time, but for those held; return how many were dropped."""

    def step(connection: Connection) -> int:
        query = select(orders.c.order_id, orders.c.agent_id).where(orders.c.updated < before, ~UNSETTLED_ORDERS)
        found = connection.execute(query.order_by(orders.c.updated).limit(limit + len(held))).all()
        old = [(order_id, agent_id) for order_id, agent_id in found if order_id not in held][:limit]
        if not old:
            return 0
        ids = [order_id for order_id, _ in old]
        connection.execute(delete(signed).where(signed.c.order_id.in_(ids)))
        connection.execute(delete(orders).where(orders.c.order_id.in_(ids)))
        text = connection.scalar(facts.value_of(DROPPED_ORDERS))
        dropped: dict[str, int] = json.loads(text or "{}")
        for _, agent_id in old:
            dropped[agent_id or ""] = dropped.get(agent_id or "", 0) + 1
        facts.put(connection, DROPPED_ORDERS, json.dumps(dropped))
        return len(old)

    return step


def drop_fills(held: Collection[str]) -> Step:
    """Drop the fills that are older than every order which may still be filled, or settled (`held`), but for the newest."""

    def step(connection: Connection) -> int:
        gone = 0
        newest = select(fills.c.wallet, func.max(fills.c.timestamp)).group_by(fills.c.wallet)
        for wallet, latest in connection.execute(newest).all():
            open_since = select(func.min(orders.c.created)).where(
                orders.c.wallet == wallet, UNSETTLED_ORDERS | orders.c.order_id.in_(list(held))
            )
            oldest = min(latest, connection.scalar(open_since) or latest)
            old = delete(fills).where(fills.c.wallet == wallet, fills.c.timestamp < oldest - _MARGIN)
            gone += connection.execute(old).rowcount
        return gone

    return step

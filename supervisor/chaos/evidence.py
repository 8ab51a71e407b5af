"""What is read after the kills: the fleet's log, folded to what the invariants need, and the venue's own records."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.money import Micro, micro
from supervisor.data_directory import DataDirectory

#: A fill: the venue's trade id, and the order that it filled.
Fill = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an agent's state; `at` is wall epoch milliseconds."""

    seq: int
    at: int
    agent_id: str
    state: str
    incarnation: int


@dataclass(slots=True)
class Log:
    """The fold of the log, from its beginning to its end."""

    seqs: list[int] = field(default_factory=list)
    ids: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    decisions: set[str] = field(default_factory=set)
    #: Every signed order, with how often it was, and every decision with the orders that were signed for it.
    signed: Counter[str] = field(default_factory=Counter)
    orders_of: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    fills: Counter[Fill] = field(default_factory=Counter)
    sizes: dict[Fill, Micro] = field(default_factory=dict)
    #: Who was told of a forecast, by agent, market and set of samples, and how often.
    told: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    #: Sets of samples with how often each was begun and settled.
    begun: Counter[str] = field(default_factory=Counter)
    settled: Counter[str] = field(default_factory=Counter)
    changes: list[Change] = field(default_factory=list)
    #: For each wallet, what was booked to nobody: its first balance, and whatever the broker could not explain since.
    deposits: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def take(self, event: Mapping[str, Any]) -> None:
        """Fold one event, as the API gives it."""
        data = event["data"]
        self.seqs.append(event["seq"])
        self.ids[event["id"]] += 1
        self.types[event["type"]] += 1
        match event["type"]:
            case "decision":
                self.decisions.add(event["id"])
            case "order" if data["status"] == "signed":
                self.signed[data["orderId"]] += 1
                self.orders_of[data["decisionId"]].add(data["orderId"])
            case "trade" if "orderId" in data:
                fill = (data["tradeId"], data["orderId"])
                self.fills[fill] += 1
                self.sizes[fill] = micro(data["size"])
            case "forecast" if data.get("kind") == "begun":
                self.begun[data["id"]] += 1
            case "forecast" if data.get("kind") == "samples":
                self.settled[data["id"]] += 1
            case "forecast":
                self.told[event["agentId"], data["conditionId"], data["samplesId"]] += 1
            case "info" if data.get("kind") == "deposit":
                self.deposits[data["wallet"]].append(f"seq {event['seq']}: {data['message']}")
            case "agent" if data["change"] != "deleted":
                change = Change(event["seq"], event["timestamp"], event["agentId"], data["state"], data["incarnation"])
                self.changes.append(change)


def read_log(events: Iterable[Mapping[str, Any]]) -> Log:
    """Fold events."""
    log = Log()
    for event in events:
        log.take(event)
    return log


@dataclass(slots=True)
class Venue:
    """What the venue has of the fleet's wallets: accepted orders, fills with their sizes, and which of them failed."""

    orders: Counter[str] = field(default_factory=Counter)
    sizes: dict[Fill, Micro] = field(default_factory=dict)
    failed: set[Fill] = field(default_factory=set)


def read_venue(data_dir: Path, addresses: Collection[str]) -> Venue:
    """Read the database of the venue of a fleet that has ended: while it runs, the venue alone may open it."""
    mine = {address.lower() for address in addresses}
    venue = Venue()
    with closing(sqlite3.connect(DataDirectory(data_dir).venue)) as database:
        for order_id, text in database.execute("SELECT order_id, record FROM orders ORDER BY n"):
            if json.loads(text)["owner"] in mine:
                venue.orders[order_id] += 1
        for (text,) in database.execute("SELECT record FROM trades ORDER BY n"):
            trade = json.loads(text)
            for side in (trade["taker"], trade["maker"]):
                if side["owner"] in mine:
                    fill = (trade["trade_id"], side["order_id"])
                    venue.sizes[fill] = venue.sizes.get(fill, 0) + trade["size"]
                    if trade["status"] == "FAILED":
                        venue.failed.add(fill)
    return venue

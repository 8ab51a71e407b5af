"""Random decisions of twenty agents on a venue where everything goes wrong: in the end the books are the venue's own.

The suite runs a short form; `make soak` runs ten thousand decisions.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from actors import broker as broker_actor
from actors.sandbox.named_faults import KNOWN
from actors.sandbox.records import Change, OrderRecord, TradeRecord
from actors.sandbox.venue import VenueConfig
from agents.errors import PolyfleetError, Unavailable
from agents.events import Event, Type
from agents.model import Account, MarketView
from agents.money import ONE, floor_to, text
from agents.ports import Intent, Placed
from tests.contract.broker.at_risk import AtRisk
from tests.contract.broker.fleet import Fleet, until
from tests.contract.broker.test_check import Lively
from tests.contract.broker.test_risk import limit

DECISIONS = int(os.environ.get("SOAK_DECISIONS", "200"))
SEED = int(os.environ.get("SOAK_SEED", "6"))
AGENTS = tuple(f"a{n:02d}" for n in range(20))

#: Every fault that there is.
FAULTS = {
    "restart": "1/40",
    "post-only": "2/45",
    "cancel-only": "1/50",
    "rate-limit": "1",
    "unavailable": "0.01",
    "timeout-before": "0.02",
    "timeout-after": "0.05",
    "forbidden": "0.01",
    "hang": "0.002",
    "hang-after": "0.003",
    "failed": "0.1",
    "retrying": "0.1",
    "repeated": "0.2",
    "reordered": "0.2",
    "other-token": "0.5",
    "silent-user": "20",
    "frozen-market": "30",
    "tick-change": "5",
    "close": "8",
    "split": "0.3",
    "unannounced": "0.5",
    "revoked": "25",
}


#: The limits of the wallet, in pUSD and orders; narrow enough to be met.
MOST_OF_TRADE, MOST_OF_MARKET, MOST_OF_EVENT, MOST, MOST_OPEN = 15, 40, 60, 350, 40


@dataclass
class Outcome:
    """What came of a soak: the fleet, what its agents asked for and were told, what the venue has, and all that it said."""

    fleet: Fleet
    asked: list[str]
    answered: dict[str, Placed]
    orders: dict[str, OrderRecord]
    trades: list[TradeRecord]
    events: list[Event]
    changes: list[Change]


async def books_are_the_venues(outcome: Outcome) -> None:
    """To the micro-unit, with nothing in flight, and nothing explained away."""
    report = await outcome.fleet.agreed()
    assert report["pending"] == []
    assert all(row["venue"] == row["ledger"] for row in report["positions"])
    assert report["blocked"] is None
    deposits = [event for event in outcome.events if event.data.get("kind") == "deposit"]
    assert [event.data["message"].endswith("held when the fleet began") for event in deposits] == [True]


async def no_order_was_accepted_twice(outcome: Outcome) -> None:
    """Whatever timed out, hung or was refused: a decision is one order at the venue, or none."""
    decided = {event.data["orderId"]: event.data["decisionId"] for event in outcome.events if event.type is Type.ORDER}
    assert outcome.orders.keys() <= decided.keys(), "the venue has no order that the log has not"
    assert max(Counter(decided[order_id] for order_id in outcome.orders).values()) == 1


async def every_order_is_accounted_for(outcome: Outcome) -> None:
    """The log's last word on each order agrees with the venue's, fill by fill."""
    assert set(outcome.asked) == outcome.answered.keys()
    last = {event.data["orderId"]: event.data for event in outcome.events if event.type is Type.ORDER}
    for order_id, data in last.items():
        found = outcome.orders.get(order_id)
        if found is None:
            assert data["status"] in ("rejected", "expired"), data
        else:
            assert data["filled"] == text(found.matched), (data, found)
            # An order to take that found nothing in the end, as after a delay, counts as rejected.
            ends = {"cancelled", "expired", "confirmed", "failed"} | ({"rejected"} if not found.matched else set())
            assert data["status"] in ends, (data, found)
    sides = {
        f"{trade.trade_id}/{side.order_id}": str(trade.status)
        for trade in outcome.trades
        for side in (trade.taker, trade.maker)
        if side.owner == outcome.fleet.address.lower()
    }
    booked = Counter(event.data["id"] for event in outcome.events if event.type is Type.TRADE)
    assert max(booked.values(), default=1) == 1
    assert booked.keys() == sides.keys()
    assert set(sides.values()) <= {"CONFIRMED", "FAILED"}


async def no_limit_was_exceeded_at_the_venue(outcome: Outcome) -> None:
    """At no moment at which the venue accepted an order was more at risk than the limits allow; and they were met."""
    owner = outcome.fleet.address.lower()
    agents = {event.data["orderId"]: str(event.agent_id) for event in outcome.events if event.type is Type.ORDER}
    places = {each.condition_id: each.event for each in outcome.fleet.broker._desk.known_markets.values()}
    moments = list(AtRisk(owner, agents, places).moments(outcome.changes))
    assert len(moments) > DECISIONS // 20, "or the test says nothing"
    for each in moments:
        assert each.cost <= MOST_OF_TRADE * ONE, each
        assert each.market <= MOST_OF_MARKET * ONE, each
        assert each.event <= MOST_OF_EVENT * ONE, each
        assert each.total <= MOST * ONE, each
        assert each.open_orders <= MOST_OPEN, each
    refused = "\n".join(placed.reason for placed in outcome.answered.values() if placed.status == "rejected")
    assert "maxTrade of wallet:main" in refused
    assert "maxMarketExposure of wallet:main" in refused


#: What must hold of every soak.
INVARIANTS: tuple[Callable[[Outcome], Awaitable[None]], ...] = (
    books_are_the_venues,
    no_order_was_accepted_twice,
    every_order_is_accounted_for,
    no_limit_was_exceeded_at_the_venue,
)


def wish(fleet: Fleet, views: list[MarketView], account: Account, random: Random) -> Intent | None:
    """Return a random order: a sale of what is held, one that takes, or a quote."""
    view = random.choice(views)
    if account.holdings and random.random() < 0.4:
        token = random.choice(list(account.holdings))
        view = next((view for view in views if token in view.market.tokens), view)
    market, outcome = view.market, random.randint(0, 1)
    book = view.books[outcome]
    held = account.holdings.get(market.tokens[outcome])
    if book.bid is None or book.ask is None:
        return None
    size = text(random.randint(5, 25) * ONE)
    if held is not None and held.size >= 5 * ONE and random.random() < 0.7:
        size = text(floor_to(held.size, 10_000))
        if random.random() < 0.5:
            return fleet.intent(market, "sell", text(book.bid), size, outcome=outcome)
        return fleet.intent(market, "sell", text(book.ask), size, outcome=outcome, quote=True)
    if random.random() < 0.5:
        return fleet.intent(market, "buy", text(book.ask), size, outcome=outcome)
    return fleet.intent(market, "buy", text(book.bid), size, outcome=outcome, quote=True)


async def act(fleet: Fleet, agent_id: str, decisions: int, random: Random, outcome: Outcome) -> None:
    """Let one agent decide so many times, whatever it is told."""
    while decisions > 0:
        try:
            views = [view for view in (await fleet.feed.snapshot()).changed if view.market.accepting_orders]
            account = await fleet.broker.account(agent_id)
        except PolyfleetError:
            views = []
        if not views:
            await asyncio.sleep(0.2)
            continue
        intents = [intent for _ in range(random.randint(1, 3)) if (intent := wish(fleet, views, account, random))]
        cancels = [order.order_id for order in account.orders if random.random() < 0.3]
        decisions -= len(intents)
        outcome.asked += [intent.id for intent in intents]
        while True:
            # As an agent does: what it was not told of it asks for again, under the same id.
            try:
                placed = await fleet.broker.execute(agent_id, 1, intents, cancels)
            except Unavailable:
                await asyncio.sleep(0.2)
            else:
                outcome.answered.update((each.intent_id, each) for each in placed)
                break
        await asyncio.sleep(random.uniform(0.0, 0.1))


async def at_rest(fleet: Fleet) -> bool:
    """Whether nothing is open, in flight or to be paid out."""
    try:
        await fleet.broker.cancel_all()
    except PolyfleetError:
        return False
    desk = fleet.broker._desk
    if list(desk.orders.open()) or desk.pending() or fleet.broker._redemption.due():
        return False
    trades = fleet.served.run(lambda exchange: exchange.trades(fleet.address))
    return all(trade.status in ("CONFIRMED", "FAILED") for trade in trades)


async def test_whatever_goes_wrong_the_books_are_the_venues_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_actor, "_COMPARE", 3.0)
    assert FAULTS.keys() == KNOWN.keys()
    fleet = Fleet(Lively(VenueConfig(seed=SEED, speed=60.0)), tmp_path)
    await fleet.start(**dict.fromkeys(AGENTS, "450"))
    narrow = {
        "maxTrade": MOST_OF_TRADE,
        "maxMarketExposure": MOST_OF_MARKET,
        "maxEventExposure": MOST_OF_EVENT,
        "maxExposure": MOST,
        "maxOpenOrders": MOST_OPEN,
    }
    await limit(fleet, wallet=narrow)
    outcome = Outcome(fleet, [], {}, {}, [], [], [])
    fleet.served.run(lambda exchange: exchange.subscribe(outcome.changes.append))
    named = fleet.served.server.venue.faults
    fleet.served.run(lambda _: named.switch(FAULTS))
    each = -(-DECISIONS // len(AGENTS))
    await asyncio.gather(*(act(fleet, agent_id, each, Random(f"{SEED}/{agent_id}"), outcome) for agent_id in AGENTS))
    fleet.served.run(lambda _: named.clear())
    await until(lambda: at_rest(fleet), 120)
    owner = fleet.address.lower()
    outcome.orders = fleet.served.run(
        lambda exchange: {id: record for id, record in exchange.floor.closed.items() if record.owner == owner}
    )
    outcome.trades = fleet.served.run(lambda exchange: exchange.trades(owner))
    outcome.events = await fleet.events()
    for invariant in INVARIANTS:
        await invariant(outcome)
    assert fleet.served.run(lambda exchange: exchange.imbalance()) == 0
    counts = f"{len(outcome.asked)} decisions, {len(outcome.orders)} orders, {len(outcome.trades)} trades"
    print(f"{counts}; struck: {dict(named.struck)}")
    assert len(outcome.trades) > DECISIONS // 40, "or the test says nothing"
    await fleet.stop()
    fleet.served.stop()

"""A small fleet in one loop: a real ledger, feed and broker against a served venue."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.broker import BrokerService
from actors.event_source import EventSource
from actors.ledger import LedgerService
from actors.market_feed import MarketFeedService
from actors.polymarket.trading import Reply
from actors.polymarket.wallets import Kind, wallet_of
from actors.sandbox.api.relayer_keys import relayer_key
from actors.sandbox.faults import Faults
from actors.sandbox.records import MarketRecord
from actors.system import SystemConfig
from agents.errors import Unavailable
from agents.events import Event, Type
from agents.fleet import AgentRecord, agent_data
from agents.model import Decision, Market
from agents.money import ONE, micro
from agents.ports import Broker, Endpoints, Intent, Placed, Wallet
from agents.spec import AgentSpec, AgentState
from tests.contract.broker.rival import Rival
from tests.contract.sandbox.served import Served

#: What an agent's spec says where a test is about something else than limits.
FREE: dict[str, Any] = {
    "maxTradeAmount": 100_000,
    "risk": {"maxMarketExposure": "off", "maxEventExposure": "off", "maxPriceDistance": 1, "maxBargain": 1},
}


@contextmanager
def injected(served: Served, faults: Faults) -> Iterator[None]:
    """Let the venue have these faults, and after that those that it had before."""
    before = served.run(lambda exchange: exchange.faults)
    served.run(lambda exchange: setattr(exchange, "faults", faults))
    yield
    served.run(lambda exchange: setattr(exchange, "faults", before))


class Fleet:
    """One wallet's broker with what it needs. A broker can be killed and started again; the ledger and the venue live on."""

    def __init__(self, served: Served, path: Path, kind: Kind = "eoa", **keys: Any) -> None:
        """Make the wallet, of a kind, with a key file that holds these keys beside the private one."""
        self.served = served
        self.path = path
        self.config = SystemConfig(str(path))
        self.ledger = LedgerService(self.config)
        self.feed = MarketFeedService(self.config, ledger=self.ledger, where=self.where, venue_now=self._venue_now)
        key = served.wallet(0)
        self.key, self.signer, self.address = key.key, key.address, wallet_of(key.key, kind)
        served.run(lambda exchange: exchange.fund(self.address, 10_000 * ONE))
        file = path / "wallet.json"
        self.wallet = Wallet("main", self.address, str(file))
        self.write_keys(**keys)
        self.broker = self._new_broker()
        self._intents = 0

    def write_keys(self, **keys: Any) -> None:
        """Write the wallet's key file anew, with these keys beside the private one."""
        file = Path(self.wallet.key_file)
        file.write_text(json.dumps({"privateKey": self.key, "address": self.address} | keys))
        os.chmod(file, 0o600)

    def relayer_key(self) -> dict[str, str]:
        """Return the key for the venue's relayer as the key file has it."""
        key = self.served.run(lambda _: relayer_key(self.served.server.venue, self.signer))
        return {"key": key, "address": self.signer}

    async def start(self, **budgets: str) -> None:
        """Start all, with agents of these budgets, and wait until the broker is ready and the feed has read the markets."""
        await self.ledger.start()
        await self.feed.start()
        self.supervisor = EventSource("supervisor", await self.ledger.open_source("supervisor"), self.ledger)
        for agent_id, budget in budgets.items():
            await self.create_agent(agent_id, budget)
        await self.broker.start()
        await self.until_ready()
        await until(self._sees_markets)

    async def _sees_markets(self) -> bool:
        try:
            await self.feed.markets()
        except Unavailable:
            return False
        return True

    async def stop(self) -> None:
        """Stop all."""
        await self.broker.stop()
        await self.feed.stop()
        await self.ledger.stop()

    def die_over_the_next_order(self) -> asyncio.Event:
        """Let the venue take the next order and the broker never hear of it; the event tells when that has happened."""
        venue: Any = self.broker._desk.venue
        post, sent = venue.post, asyncio.Event()

        async def die(payload: bytes) -> Reply:
            await post(payload)
            sent.set()
            await asyncio.Event().wait()
            raise AssertionError

        venue.post = die
        return sent

    async def create_agent(self, agent_id: str, budget: str, **changes: Any) -> None:
        """Log an agent in its first life, and let it trade; its spec has fields other than those of `FREE`."""
        seq = await self.change_agent(agent_id, "created", budget, **changes)
        if self.broker._desk.follower.state is not None:
            await self.broker.admit(agent_id, 1, seq)

    async def change_agent(
        self, agent_id: str, change: str, budget: str, state: AgentState = AgentState.PENDING, **changes: Any
    ) -> int:
        """Log a change of an agent, whose spec has fields other than those of `FREE`, and return its seq."""
        spec = AgentSpec.model_validate({"id": agent_id, "strategy": "none", "budget": budget, **FREE, **changes})
        record = replace(AgentRecord(spec), incarnation=1, state=state)
        event = self.supervisor.event(Type.AGENT, agent_data(record, change, with_spec=True), agent_id)
        [seq] = await self.supervisor.store([event])
        return seq

    async def throw(self, reason: str, *, flatten: bool = False) -> None:
        """Throw the kill switch as the supervisor does: the log, the halt, the cancellation."""
        await self._switch(on=True, reason=reason, flatten=flatten)
        await self.broker.halt(reason)
        await self.broker.cancel_all()

    async def lift(self) -> None:
        """Lift the kill switch as the supervisor does."""
        await self._switch(on=False, reason="lifted", flatten=False)
        await self.broker.halt(None)

    async def _switch(self, **data: Any) -> None:
        event = self.supervisor.event(Type.RISK, {"kind": "kill_switch", "by": "operator"} | data)
        [seq] = await self.supervisor.store([event])
        await self.broker._desk.follower.reached(seq, 5.0)

    async def where(self) -> Endpoints:
        """Return where the venue is."""
        return self.served.endpoints

    async def _venue_now(self) -> int:
        return self.served.server.venue.now

    def _new_broker(self) -> BrokerService:
        return BrokerService(self.config, self.wallet, ledger=self.ledger, feed=self.feed, where=self.where)

    async def until_ready(self) -> None:
        """Wait until the broker is ready."""
        await until(self.broker.ready)

    async def restart(self) -> None:
        """Kill the broker and start its next life."""
        await self.broker.stop()
        self.broker = self._new_broker()
        await self.broker.start()
        await self.until_ready()

    async def market(self, record: MarketRecord) -> Market:
        """Return a market as the feed has it."""
        view = await self.feed.market(record.condition_id)
        assert view is not None
        return view.market

    def intent(self, market: Market, side: str, price: str, size: str, *, outcome: int = 0, **changes: Any) -> Intent:
        """Return a new intent; it takes at once unless `quote=True`."""
        self._intents += 1
        decision = Decision(market, market.tokens[outcome], side, micro(price), micro(size), 0.9, "a test", **changes)
        return Intent(f"agent:a/1/{self._intents}", decision)

    async def place(self, agent_id: str, *intents: Intent, incarnation: int = 1) -> list[Placed]:
        """Hand intents to the broker."""
        broker: Broker = self.broker
        return await broker.execute(agent_id, incarnation, intents)

    async def events(self, *types: Type) -> list[Event]:
        """Return the log, of some types only if named."""
        found: list[Event] = []
        while True:
            batch = await self.ledger.poll(found[-1].seq if found else 0, types=types or None)
            if not batch.events:
                return found
            found += batch.events

    async def ended(self, order_id: str | None, state: str) -> bool:
        """Whether the log says that an order is in a state."""
        order = await self.ledger.order(order_id or "")
        return order is not None and order["status"] == state

    async def filled(self, agent_id: str, token_id: str, size: int) -> bool:
        """Whether an agent holds so many shares."""
        holding = (await self.broker.account(agent_id)).holdings.get(token_id)
        return holding is not None and holding.size == size

    async def cash(self, agent_id: str, amount: int) -> bool:
        """Whether an agent has so much cash free."""
        return (await self.broker.account(agent_id)).cash == amount

    async def count(self, type: Type, number: int) -> bool:
        """Whether the log has so many events of a type."""
        return len(await self.events(type)) == number

    def outsider(self) -> Rival:
        """Return somebody who trades with the wallet's own key, beside the fleet."""
        return Rival(self.served, address=self.address, api_key=self.broker._desk.venue.owner)

    async def order_states(self, order_id: str | None) -> list[str]:
        """Return the states that an order went through in the log."""
        events = await self.events(Type.ORDER)
        states = [event.data["status"] for event in events if event.data["orderId"] == order_id]
        return [state for n, state in enumerate(states) if n == 0 or state != states[n - 1]]

    async def agreed(self) -> dict[str, Any]:
        """Return the broker's comparison of its books with the venue; it must find no difference."""
        report = await self.broker.check()
        assert report["differences"] == []
        assert report["venueCash"] == report["ledgerCash"]
        return report


async def until(done: Callable[[], Awaitable[object]], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not await done():
            await asyncio.sleep(0.02)

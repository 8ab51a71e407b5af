"""One agent in one process, with no fleet and no Ray: the same ledger, feed, broker and agent, put together in place."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import httpx
from eth_account import Account as Keys
from pydantic.alias_generators import to_camel

from actors.agent import AgentService
from actors.broker import BrokerService
from actors.config import SystemConfig
from actors.event_source import EventSource
from actors.ledger import LedgerService
from actors.market_feed import MarketFeedService
from actors.private_file import write_private
from actors.sandbox.api.server import Server, listen
from actors.sandbox.service import FUNDS
from actors.sandbox.venue import Venue, VenueConfig
from actors.venue_clock import wall_time
from agents.errors import InvalidInput, NotFound, Unavailable
from agents.events import Event, Type
from agents.fleet import AgentRecord, agent_data
from agents.model import Account
from agents.money import Micro
from agents.orders import OrderStatus
from agents.ports import Beat, Broker, Endpoints, Intent, Ledger, Placed, Supervisor, Wallet
from agents.spec import AgentSpec

#: Seconds that the services have to become ready, and that the agent and its orders have to end.
_START, _END = 60.0, 1.0
_LOOK = 0.05
#: Seconds that one question to the log waits.
_WAIT = 0.5

#: The addresses that every venue has.
_ADDRESSES = [part.name for part in fields(Endpoints) if part.name.endswith("_url") and part.default is MISSING]

#: What takes a decision or a trade.
Say = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Place:
    """A venue to trade at; `key` is the private key of a wallet there, empty if there is none to trade with."""

    endpoints: Endpoints
    key: str
    now: Callable[[], Awaitable[int]]


async def run(spec: AgentSpec, *, venue: str, trades: bool, say: Say, stopping: asyncio.Event) -> None:
    """Run an agent until it is told to stop, and hand its decisions and trades to `say`.

    `venue` is what `polyfleet sandbox` prints, or empty: then a simulated venue is started here, and ends with this call.
    Unless it `trades`, nothing is ordered.

    Raises:
        InvalidInput: if the venue cannot be used, or has no simulated wallet to trade with.
        Unavailable: if it does not answer.
    """
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="polyfleet-agent-"))
        place = await (_known(venue) if venue else stack.enter_async_context(_own_venue()))
        if trades and not (place.key and place.endpoints.simulated):
            raise InvalidInput("AUTO_TRADE: there is no simulated wallet to trade with; see what `polyfleet sandbox` prints")
        # An empty file: whatever database the environment names, this log is its own.
        (Path(folder) / "database_url").touch(mode=0o600)
        config = SystemConfig(folder)
        ledger = LedgerService(config)
        stack.push_async_callback(ledger.stop)
        await ledger.start()
        where = _always(place.endpoints)
        feed = MarketFeedService(config, ledger=ledger, where=where, venue_now=place.now)
        stack.push_async_callback(feed.stop)
        await feed.start()
        broker: Broker = _Onlooker(spec.budget_micro)
        if trades:
            service = BrokerService(config, _wallet(folder, place.key), ledger=ledger, feed=feed, where=where)
            stack.push_async_callback(service.stop)
            await service.start()
            broker = service
        seq, life = await _announce(spec, ledger)
        await _ready(broker, stopping)
        if stopping.is_set():
            return
        await broker.admit(spec.id, life, seq)
        agent = AgentService(
            config, spec.wire(), life, ledger=ledger, feed=feed, broker=broker, supervisor=cast(Supervisor, _Alone())
        )
        await _live(agent, ledger, say, stopping)
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_END):
                await broker.cancel_agent(spec.id)


async def _live(agent: AgentService, ledger: Ledger, say: Say, stopping: asyncio.Event) -> None:
    """Let the agent decide until it is told to stop; raises what made it fail."""
    await agent.begin()
    tasks = [asyncio.create_task(work) for work in (stopping.wait(), agent.run(), _tell(ledger, say))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        await agent.stop()
        await asyncio.wait(tasks[1:2], timeout=_END)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _tell(ledger: Ledger, say: Say) -> None:
    after = 0
    while True:
        batch = await ledger.poll(after, wait=_WAIT, types=[Type.DECISION, Type.TRADE])
        for event in batch.events:
            await say(event)
        after = batch.next


async def _announce(spec: AgentSpec, ledger: Ledger) -> tuple[int, int]:
    """Log that there is this agent, as a supervisor would; return the seq of that, and the agent's incarnation."""
    source = EventSource("supervisor", await ledger.open_source("supervisor"), ledger)
    life = await ledger.open_source(f"agent:{spec.id}")
    record = replace(AgentRecord(spec), incarnation=life)
    [seq] = await source.store([source.event(Type.AGENT, agent_data(record, "created", with_spec=True), spec.id)])
    return seq, life


async def _ready(broker: Broker, stopping: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_START):
            while not await broker.ready() and not stopping.is_set():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(_LOOK)
    except TimeoutError:
        raise Unavailable(f"the broker has not settled with the venue within {_START:g} s") from None


@contextlib.asynccontextmanager
async def _own_venue() -> AsyncIterator[Place]:
    """Serve a simulated venue in this process, in memory."""
    key = Keys.create()
    venue = Venue(VenueConfig(wallets=((key.address, FUNDS),)))
    server = Server(venue, listen(0))
    await server.start()

    async def now() -> int:
        return venue.now

    try:
        yield Place(server.endpoints, key.key.to_0x_hex(), now)
    finally:
        server.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END):
                await server.finished()
        venue.close()


async def _known(text: str) -> Place:
    """Read what `polyfleet sandbox` prints. A venue that is not simulated is only looked at: no key of it is taken."""
    try:
        said = json.loads(text)
        urls = {name: str(said[to_camel(name)]) for name in _ADDRESSES}
        key = str(said["wallets"][0]["privateKey"]) if said.get("wallets") else ""
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InvalidInput(
            f"POLYFLEET_VENUE: expected the JSON that `polyfleet sandbox` prints, or a file of it ({error!r})"
        ) from None
    stats = urls["clob_url"].removesuffix("/clob") + "/sandbox/stats"
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as http:
            simulated = (await http.get(stats)).status_code == httpx.codes.OK
    except httpx.HTTPError as error:
        raise Unavailable(f"POLYFLEET_VENUE: {urls['clob_url']} does not answer ({error!r})") from None
    endpoints = Endpoints(**urls, simulated=simulated)
    return Place(endpoints, key if simulated else "", _time_of(stats) if simulated else wall_time)


def _time_of(stats: str) -> Callable[[], Awaitable[int]]:
    async def now() -> int:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=5.0) as http:
                return int((await http.get(stats)).json()["venueTime"])
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise Unavailable(f"the simulated venue does not tell its time ({error!r})") from error

    return now


def _wallet(folder: str, key: str) -> Wallet:
    address = str(Keys.from_key(key).address)
    file = Path(folder) / "wallet.json"
    write_private(file, json.dumps({"privateKey": key, "address": address}))
    return Wallet("main", address, str(file))


def _always(endpoints: Endpoints) -> Callable[[], Awaitable[Endpoints]]:
    async def where() -> Endpoints:
        return endpoints

    return where


class _Alone:
    """The supervisor of an agent that has none: its lease never ends."""

    async def beat(self, agent_id: str, incarnation: int, beat: Beat) -> float:
        return float("inf")


class _Onlooker:
    """A broker that orders nothing: the agent has its budget, and what it decides stays a decision."""

    def __init__(self, budget: Micro) -> None:
        self._budget = budget

    async def admit(self, agent_id: str, incarnation: int, seq: int) -> None:
        return

    async def account(self, agent_id: str) -> Account:
        return Account(self._budget)

    async def execute(
        self, agent_id: str, incarnation: int, intents: Sequence[Intent], cancels: Sequence[str] = ()
    ) -> list[Placed]:
        return [
            Placed(intent.id, None, OrderStatus.REJECTED, "AUTO_TRADE is not true, so nothing is ordered") for intent in intents
        ]

    async def cancel(self, *, order_id: str | None = None, agent_id: str | None = None, condition_id: str | None = None) -> int:
        return 0

    async def decide(self, approval_id: str, approve: bool, by: str) -> list[Placed]:
        raise NotFound("Nothing is ordered here, so nothing waits to be approved")

    async def cancel_agent(self, agent_id: str) -> int:
        return 0

    async def cancel_all(self) -> int:
        return 0

    async def halt(self, reason: str | None) -> None:
        return

    async def check(self) -> dict[str, Any]:
        return {}

    async def adjust(self, cash: Micro, shares: Mapping[str, Micro], reason: str, agent_id: str | None = None) -> None:
        return

    async def examine(self) -> list[dict[str, Any]]:
        return []

    async def ready(self) -> bool:
        return True

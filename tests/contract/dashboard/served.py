"""The dashboard on loopback in a thread of the test process, on a real ledger with the API tests' stand-ins.

NiceGUI is one for each process and belongs to one loop, so all tests share that loop; each gets a fleet, a dashboard and a
port of its own. The browser is driven from the test's own thread.
"""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import uvicorn

from actors.ledger import LedgerService
from actors.system import SystemConfig
from agents.events import Type
from agents.money import micro, text
from supervisor.api.access import Access
from supervisor.api.context import wall_clock
from supervisor.dashboard.app import dashboard_app
from supervisor.dashboard.watch import Watch
from tests.unit.supervisor.api.stand import AgentStand, Stand, lifespan, market_view

T = TypeVar("T")

STRATEGIES = ("momentum", "market_maker", "favourite_longshot", "llm", "neg_risk_arbitrage")


class Loop:
    """A running event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 60.0) -> T:
        """Return what work gives that is done in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def stop(self) -> None:
        """End what still runs, and the loop."""
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        """Cancel what servers of sockets leave behind: tasks that wait for the next ping."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class Dashboard:
    """One fleet and its dashboard at `url`. `run` does things in its loop."""

    def __init__(self, loop: Loop, folder: Path, access: Access, mode: str = "sandbox") -> None:
        self.run = loop.run
        self._folder = folder
        self.access = access
        self._mode = mode
        self.url = ""
        self.agents: dict[str, AgentStand] = {}
        self._random = Random(1)
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._port = 0

    async def open(self) -> None:
        """Make the fleet and serve it."""
        self.ledger = LedgerService(SystemConfig(str(self._folder)))
        await self.ledger.start()
        self.stand = Stand(self.ledger, {"POLYFLEET_RATE_LIMIT_CONTROL": "off"})
        self.watch = Watch()
        self.context = self.stand.context("dashboard", wall_clock, self.watch.take)
        self.context.mode = self._mode
        self._app = dashboard_app(self.watch, self.context, self.access)
        self._living = lifespan(self._app)
        await self._living.__aenter__()
        await self.listen()
        await self.context.follower.reached(0, 10.0)

    async def listen(self) -> None:
        """Listen, on the same port as before if it did."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/dashboard/"
        config = uvicorn.Config(self._app, lifespan="off", log_level="critical", timeout_graceful_shutdown=0)
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server.serve([listener]))
        while not self._server.started:
            await asyncio.sleep(0.01)

    async def hang_up(self) -> None:
        """Stop listening; all connections break."""
        assert self._server is not None
        assert self._serving is not None
        self._server.should_exit = self._server.force_exit = True
        await self._serving

    async def close(self) -> None:
        """End everything."""
        await self.hang_up()
        await self._living.__aexit__(None, None, None)
        await self.ledger.stop()

    async def fill(self, count: int = 20, trades: int = 12) -> None:
        """Create agents that have decided and traded."""
        self.stand.feed.views = [market_view(n, f"0.{20 + 3 * n}", f"0.{22 + 3 * n}") for n in range(1, 9)]
        for n in range(count):
            agent_id = "default" if n == 0 else f"agent-{n:02d}"
            await self.stand.supervisor.create({"id": agent_id, "strategy": STRATEGIES[n % len(STRATEGIES)]})
            self.agents[agent_id] = AgentStand(self.ledger, agent_id)
        await self.stand.supervisor.settled()
        for _ in range(trades):
            for agent in self.agents.values():
                await self.trade(agent)
        await self.settled()

    async def settled(self) -> None:
        """Wait until the dashboard has seen all that was logged."""
        await self.context.follower.reached(await self.ledger.head(), 10.0)

    async def trade(self, agent: AgentStand, **decision: Any) -> None:
        """Let an agent decide and trade, by chance."""
        number = self._random.randint(1, 8)
        price = f"{self._random.uniform(0.1, 0.9):.2f}"
        side = self._random.choice(("BUY", "SELL"))
        market = {"conditionId": f"0xc{number}", "marketQuestion": f"Will it rain on day {number}?", "tokenId": f"{number}01"}
        now = wall_clock()
        about = {"timestamp": now, "side": side, "action": side.lower(), "price": float(price), "venueTime": now}
        chance = self._random.uniform(0.6, 0.95)
        key = f"{agent.id}-{self._random.getrandbits(40):x}"
        events = agent.events(Type.DECISION, **market, **about, **({"confidence": chance} | decision))
        events += agent.events(
            Type.TRADE, **market, **about, tradeId=key, orderId=key, id=f"{key}/{key}", exactPrice=text(micro(price)),
            profit=self._random.uniform(-1, 1),
        )  # fmt: skip
        events += agent.events(Type.ORDER, **market, **about | {"price": price}, orderId=key, status="confirmed", outcome="Yes")
        if agent.id.endswith("3"):
            said = [{"source": "news", "title": "Clouds", "summary": "They gather.", "url": "http://news.example/1"}]
            events += agent.events(Type.FORECAST, **market, **about | {"id": key}, evidence=said, reasoning="wet", event=key)
        await self.ledger.append([replace(event, timestamp=now) for event in events])


@contextmanager
def served(loop: Loop, folder: Path, access: Access | None = None, mode: str = "sandbox") -> Iterator[Dashboard]:
    """Serve a dashboard of an empty fleet."""
    dashboard = Dashboard(loop, folder, access or Access(), mode)
    loop.run(dashboard.open())
    try:
        yield dashboard
    finally:
        loop.run(dashboard.close())

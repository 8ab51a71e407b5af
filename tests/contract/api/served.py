"""REST and hub on one port of loopback, served by uvicorn on a real ledger in the test's own loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from actors.ledger import LedgerService
from actors.system import SystemConfig
from supervisor.api.access import Access
from supervisor.api.asgi import HubApp, hub_app, rest_app
from supervisor.api.context import FleetContext, wall_clock
from supervisor.api.hub_server import HubProtocol
from supervisor.api.places import Places
from tests.unit.supervisor.api.stand import AgentStand, Stand, lifespan


class Served:
    """One fleet's API. The hub can be stopped and started again, as Serve does with its replica."""

    def __init__(self, ledger: LedgerService, access: Access, places: Places) -> None:
        self.ledger = ledger
        self.stand = Stand(ledger, {"POLYFLEET_RATE_LIMIT_READ": "off", "POLYFLEET_RATE_LIMIT_CONTROL": "off"})
        self.context: FleetContext = self.stand.context(clock=wall_clock)
        self.agent = AgentStand(ledger)
        self.url = ""
        self._access = access
        self._places = places
        self._rest = rest_app(self.context, access)
        self.hub: HubApp = hub_app(ledger, access, places=places)
        self._hub_runs = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        app: ASGIApp = self.hub if scope["path"].startswith("/ws") else self._rest
        await app(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the log with both applications."""
        async with lifespan(self._rest):
            await self.start_hub()
            await self.context.follower.reached(0, 10.0)
            yield
            await self.stop_hub()

    async def start_hub(self) -> None:
        """Run a fresh hub."""
        self.hub = hub_app(self.ledger, self._access, places=self._places)
        await self._hub_runs.enter_async_context(lifespan(self.hub))
        await self.hub.hub.started()

    async def stop_hub(self) -> None:
        """Send all clients away."""
        await self._hub_runs.aclose()


@asynccontextmanager
async def listening(app: ASGIApp, ping: float = 20.0) -> AsyncIterator[str]:
    """Serve an application on a free port and yield its URL. `ping` is seconds between pings, and for their answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app,
            ws=HubProtocol,
            ws_ping_interval=ping,
            ws_ping_timeout=ping,
            lifespan="off",
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


@asynccontextmanager
async def served(
    folder: Path, access: Access | None = None, places: Places | None = None, ping: float = 20.0
) -> AsyncIterator[Served]:
    """Serve one fleet's API."""
    ledger = LedgerService(SystemConfig(str(folder)))
    await ledger.start()
    fleet = Served(ledger, access or Access(), places or Places())
    async with listening(fleet, ping) as fleet.url, fleet.running():
        yield fleet
    await ledger.stop()

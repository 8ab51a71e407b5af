"""Keeps the shared actors (ledger, venue, feed, brokers) running and says in the log when one was away.

Ray restarts them by itself and at once; what is left to do is to notice, to create again one that Ray has given up, and to
tell the world.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import RayActorError

from actors import naming
from actors.system import SystemConfig, spawn
from agents.fleet import ServiceRecord

log = logging.getLogger(__name__)

#: Seconds between looks at a service that does not work yet.
_LOOK = 0.25
_PROBE_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A shared actor: its name, the dotted path of what runs in it, and the arguments of that."""

    name: str
    path: str
    arguments: dict[str, Any]


SUPERVISOR = ServiceSpec(naming.SUPERVISOR, "supervisor.runtime:SupervisorService", {})
LEDGER = ServiceSpec(naming.LEDGER, "actors.ledger:LedgerService", {})


def services_of(config: SystemConfig) -> list[ServiceSpec]:
    """Return what a fleet shares besides the ledger, in the order in which it is started."""
    venue = [ServiceSpec(naming.SANDBOX, "actors.sandbox.service:SandboxService", {})] if config.mode == "sandbox" else []
    feed = ServiceSpec(naming.MARKET_FEED, "actors.market_feed:MarketFeedService", {})
    brokers = [
        ServiceSpec(naming.broker(wallet.name), "actors.broker:BrokerService", {"wallet": wallet}) for wallet in config.wallets
    ]
    research = ServiceSpec(naming.LIBRARIAN, "actors.librarian:LibrarianService", {})
    forecasts = ServiceSpec(naming.FORECASTER, "actors.forecaster:ForecasterService", {})
    notices = ServiceSpec(naming.NOTIFIER, "actors.notifier:NotifierService", {})
    return [*venue, feed, *brokers, research, forecasts, notices]


def launch_supervisor(config: SystemConfig) -> None:
    """Create the supervisor on this node if there is none, and let a fleet that was stopped run again."""
    config = replace(config, home=ray.get_runtime_context().get_node_id())
    handle = spawn(SUPERVISOR.name, SUPERVISOR.path, config, SUPERVISOR.arguments)
    handle.call.remote("begin")


class ServiceKeeper:
    """Keeps one shared actor. `report` logs how it is."""

    def __init__(
        self,
        spec: ServiceSpec,
        config: SystemConfig,
        record: ServiceRecord,
        report: Callable[[str, ServiceRecord], Awaitable[None]],
    ) -> None:
        self._spec = spec
        self._config = config
        self._record = record
        self._report = report

    async def keep(self) -> None:
        """Go on for ever."""
        while True:
            with contextlib.suppress(RayActorError):
                handle = await asyncio.to_thread(spawn, self._spec.name, self._spec.path, self._config, self._spec.arguments)
                pid = await self._working(handle)
                if (self._record.state, self._record.pid) != ("running", pid):
                    known = self._record.pid not in (None, pid)
                    await self._say("running", self._record.restarts + known, pid)
                await handle.watch.remote()
            log.warning("%s is gone; it is started again", self._spec.name)
            if self._record.state != "restarting":
                await self._say("restarting", self._record.restarts, self._record.pid)

    async def _working(self, handle: Any) -> int:
        """Wait until the service in the actor has started, and return the process id."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PROBE_TIMEOUT):
                    found = await handle.probe.remote()
                    if found["started"]:
                        return int(found["pid"])
            await asyncio.sleep(_LOOK)

    async def _say(self, state: str, restarts: int, pid: int | None) -> None:
        self._record = ServiceRecord(state, restarts, pid)
        await self._report(self._spec.name, self._record)

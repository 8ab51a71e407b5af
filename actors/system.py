"""One light Ray actor class for every process role, and the configuration that all roles share.

Ray imports an actor's class wherever its handle is taken, so the class imports nothing: the real service, named by its
dotted path ("actors.ledger:LedgerService"), is built in its own process as `Class(config, **arguments)`. Services hold
no truth in memory and do nothing in their constructors that can fail; `start` does the work and is retried.
"""

import asyncio
import logging
import os
import pkgutil
import sys
import threading
import traceback
from dataclasses import dataclass, field
from typing import Any

import ray

from actors.naming import NAMESPACE
from agents.ports import Wallet

log = logging.getLogger(__name__)

#: Seconds between attempts to start a service whose surroundings are not ready.
_RETRY = 0.5


@dataclass(frozen=True, slots=True)
class SystemConfig:
    """What every service of one fleet is told. It holds no secret: keys stay in files that only their owner opens."""

    data_dir: str
    mode: str = "sandbox"
    wallets: tuple[Wallet, ...] = ()
    markets_file: str | None = None
    start: str | None = None
    speed: float | None = None
    seed: int = 0
    #: Where the fleet file's agents come from on the first start.
    fleet_file: str | None = None
    #: Serve application names whose deletion stops the agents.
    applications: tuple[str, ...] = field(default=("polyfleet", "hub"))

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the log."""
        return os.environ.get("DATABASE_URL") or f"sqlite:///{self.data_dir}/ledger.db"


class Service:
    """The process of one role. `call` runs a method of the service; the control group answers even if that loop hangs."""

    def __init__(self, name: str, path: str, config: SystemConfig, arguments: dict[str, Any] | None = None) -> None:
        self._name = name
        self._path = path
        self._config = config
        self._arguments = arguments or {}
        self._loop_thread = threading.get_ident()
        self._service: Any = None
        self._starting: asyncio.Task[Any] | None = None

    def __repr__(self) -> str:
        return self._name

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Run a public method of the service, once it has started."""
        if method.startswith("_"):
            raise AttributeError(f"{self._name} has no public method {method}")
        service = self._service or await self._started()
        return await getattr(service, method)(*args, **kwargs)

    async def _started(self) -> Any:
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start())
        return await asyncio.shield(self._starting)

    async def _start(self) -> Any:
        while True:
            try:
                service = pkgutil.resolve_name(self._path)(self._config, **self._arguments)
                await service.start()
            except Exception:
                log.exception("%s could not start; trying again", self._name)
                await asyncio.sleep(_RETRY)
            else:
                self._service = service
                return service

    async def watch(self) -> None:
        """Never return: a pending call fails the moment that the process dies, which is how its supervisor notices."""
        await asyncio.Event().wait()

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def probe(self) -> dict[str, Any]:
        """Return process id and the stack of the main loop, from the control thread."""
        frame = sys._current_frames().get(self._loop_thread)
        stack = "".join(traceback.format_stack(frame)) if frame else ""
        return {"name": self._name, "pid": os.getpid(), "stack": stack, "started": self._service is not None}

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def control(self, method: str, *args: Any) -> Any:
        """Run a `control_*` method of the service on the control thread, even while the main loop is stuck."""
        return await getattr(self._service, f"control_{method}")(*args)


def spawn(
    name: str,
    path: str,
    config: SystemConfig,
    arguments: dict[str, Any] | None = None,
    *,
    max_restarts: int = -1,
    max_task_retries: int = 0,
) -> ray.actor.ActorHandle:
    """Create the named, detached actor of a service, or return the one that exists."""
    actor = ray.remote(Service).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        max_restarts=max_restarts,
        max_task_retries=max_task_retries,
        num_cpus=0,
        max_concurrency=10_000,
        concurrency_groups={"control": 2},
    )
    return actor.remote(name, path, config, arguments)

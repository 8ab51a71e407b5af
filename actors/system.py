"""One light Ray actor class for every process role.

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
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors import forkserver, process_log
from actors.config import SystemConfig
from actors.naming import NAMESPACE
from agents.errors import Unavailable

__all__ = ["Service", "SystemConfig", "spawn"]

log = logging.getLogger(__name__)

#: Seconds between attempts to start a service whose surroundings are not ready.
_RETRY = 0.5


class Service:
    """The process of one role. `call` runs a method of the service; the control group answers even if that loop hangs."""

    def __init__(self, name: str, path: str, config: SystemConfig, arguments: dict[str, Any] | None = None) -> None:
        self._name = name
        self._path = path
        self._config = config
        self._arguments = arguments or {}
        self._loop_thread = threading.get_ident()
        process_log.begin(config.data_dir, name, os.getpid(), self._arguments.get("incarnation"))
        self._service: Any = None
        # Ray runs this constructor on the actor's loop; so a service that Ray restarts starts without being called.
        self._starting = asyncio.get_running_loop().create_task(self._start())

    def __repr__(self) -> str:
        return self._name

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Run a public method of the service, once it has started."""
        if method.startswith("_"):
            raise AttributeError(f"{self._name} has no public method {method}")
        if self._service is None:
            await asyncio.shield(self._starting)
        return await getattr(self._service, method)(*args, **kwargs)

    async def _start(self) -> None:
        while True:
            try:
                service = pkgutil.resolve_name(self._path)(self._config, **self._arguments)
                await service.start()
            except Exception:
                log.exception("%s could not start; trying again", self._name)
                await asyncio.sleep(_RETRY)
            else:
                self._service = service
                return

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
    async def logged(self, name: str, limit: int) -> list[dict[str, Any]]:
        """Return the newest lines of an actor's log on the machine of this one, oldest first."""
        return await asyncio.to_thread(process_log.newest, self._config.data_dir, name, limit)

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def control(self, method: str, *args: Any) -> Any:
        """Run a `control_*` method of the service on the control thread, even while the main loop is stuck."""
        if self._service is None:
            raise Unavailable(f"{self._name} is starting")
        return await getattr(self._service, f"control_{method}")(*args)


def spawn(
    name: str,
    path: str,
    config: SystemConfig,
    arguments: dict[str, Any] | None = None,
    *,
    max_restarts: int = -1,
    get_if_exists: bool = True,
    spread: bool = False,
) -> ray.actor.ActorHandle:
    """Create the named, detached actor of a service, or return the one that exists.

    It runs on the node that has the data directory or, `spread`, on any node of the cluster.

    Raises:
        ValueError: if there is one of that name and it was not asked for.
    """
    home = NodeAffinitySchedulingStrategy(config.home, soft=False) if config.home else "DEFAULT"
    actor = ray.remote(concurrency_groups={"control": 2})(Service).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=get_if_exists,
        max_restarts=max_restarts,
        num_cpus=0,
        scheduling_strategy="SPREAD" if spread else home,
        max_concurrency=10_000,
        runtime_env=forkserver.runtime_env(),
    )
    return actor.remote(name, path, config, arguments)

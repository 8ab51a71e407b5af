"""Agents' processes: how they are started, found, asked and ended through Ray."""

import asyncio
import logging
import re
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayActorError, RayError, RayTaskError

from actors import naming
from actors.system import SystemConfig, spawn
from agents.errors import InvalidInput, Unavailable
from agents.spec import AgentSpec
from supervisor.core.signals import Failed, Failure

log = logging.getLogger(__name__)

_PATH = "actors.agent:AgentService"

#: How Ray tells of a worker's death: the type, and a detail that goes over into advice.
_EXIT = re.compile(r"Worker exit type: (\w+) Worker exit detail: (.*?)(?: Some common causes| *$)")

#: What it says of one that ended and gave no reason, and what that means.
_SILENT = re.compile(r"Worker unexpectedly exits with a connection error code 2\. End of file\.")
_ENDED = "it ended without a word, killed or crashed below Python"

_NODE_DIED = re.compile(r"NODE_DIED|node (it was running on )?(has )?(died|is dead|was terminated)|node failure", re.IGNORECASE)
_OUT_OF_MEMORY = re.compile(r"OUT_OF_MEMORY|out of memory|low on memory|\bOOM\b", re.IGNORECASE)

#: Ray colours the texts of errors for a terminal.
_COLOUR = re.compile(r"\x1b\[\d+m")

#: Seconds for one question to an agent's control thread.
PROBE_TIMEOUT = 2.0
#: Seconds for the name of a killed actor to become free.
_NAME_TIMEOUT = 10.0


class AgentFailed(Exception):
    """Raised by `AgentActor` when the agent's process failed; `failed` is what its keeper is told."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.cause)
        self.failed = failed


class AgentActor:
    """One agent's process. Every method raises AgentFailed when it is dead or what it runs has failed."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def begin(self, paused: bool) -> int:
        """Let it begin to decide, and return its process id."""
        pid: int = await self._call(Failure.STARTUP, "begin", paused)
        return pid

    async def run(self) -> None:
        """Wait until it has stopped."""
        await self._call(Failure.EXCEPTION, "run")

    async def stop(self) -> None:
        """Let it finish its round, then stop."""
        await self._call(Failure.EXCEPTION, "stop")

    async def pause(self, paused: bool) -> None:
        """Let it stop or go on deciding."""
        await self._call(Failure.EXCEPTION, "pause", paused)

    async def configure(self, spec: AgentSpec) -> None:
        """Give it a changed spec."""
        await self._call(Failure.EXCEPTION, "configure", spec.wire())

    async def lives_as(self, incarnation: int) -> bool:
        """Whether it is alive and this life; one that is too slow to say so is believed, and its heartbeat tells."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                described = await self._handle.control.remote("describe")
        except RayActorError:
            return False
        except (RayError, TimeoutError):
            return True
        return bool(described["incarnation"] == incarnation)

    async def stack(self) -> str:
        """Return where its main loop is, for the record of a hung one."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                return str((await self._handle.probe.remote())["stack"])
        except (RayError, TimeoutError):
            return "its control thread does not answer either"

    async def kill(self) -> None:
        """End the process at once."""
        await asyncio.to_thread(ray.kill, self._handle)

    async def _call(self, failure: Failure, method: str, *args: Any) -> Any:
        try:
            return await self._handle.call.remote(method, *args)
        except RayActorError as error:
            raise AgentFailed(_death(error)) from error
        except RayError as error:
            # Not always a RayTaskError: what a strategy raises need not survive the way here, its text does.
            final = isinstance(error, RayTaskError) and isinstance(error.cause, InvalidInput)
            raise AgentFailed(Failed(failure, _COLOUR.sub("", str(error)).strip(), final)) from error


class AgentActors:
    """Starts and finds agents' processes."""

    def __init__(self, config: SystemConfig) -> None:
        self._config = config

    async def launch(self, spec: AgentSpec, incarnation: int) -> AgentActor:
        """Start a process for this life of an agent; one that is left of an earlier life is ended first."""
        name = naming.agent(spec.id)
        arguments = {"spec": spec.wire(), "incarnation": incarnation}
        try:
            async with asyncio.timeout(_NAME_TIMEOUT):
                while True:
                    try:
                        return AgentActor(await asyncio.to_thread(_spawn, name, self._config, arguments))
                    except ValueError:
                        await self._end(name)
        except TimeoutError:
            raise Unavailable(f"an earlier process of agent {spec.id} does not end") from None

    async def find(self, agent_id: str) -> AgentActor | None:
        """Return the agent's process if there is one."""
        try:
            return AgentActor(await asyncio.to_thread(ray.get_actor, naming.agent(agent_id), naming.NAMESPACE))
        except ValueError:
            return None

    async def _end(self, name: str) -> None:
        try:
            await asyncio.to_thread(lambda: ray.kill(ray.get_actor(name, naming.NAMESPACE)))
        except ValueError:
            return
        await asyncio.sleep(0.05)


def _spawn(name: str, config: SystemConfig, arguments: dict[str, Any]) -> Any:
    return spawn(name, _PATH, config, arguments, max_restarts=0, get_if_exists=False, spread=True)


def _death(error: RayActorError) -> Failed:
    """Return what Ray says of a death, without its advice."""
    text = " ".join(str(error).split())
    if not isinstance(error, ActorDiedError):
        return Failed(Failure.CRASH, f"it is not reachable: {text}")
    if _NODE_DIED.search(text):
        return Failed(Failure.NODE_LOST, "the node that it ran on was lost")
    detail = _EXIT.search(text)
    # The advice names a lack of memory as one of the causes that any death may have.
    cause = f"its process died: {_SILENT.sub(_ENDED, detail[2])} ({detail[1]})" if detail else text
    return Failed(Failure.OOM if _OUT_OF_MEMORY.search(cause) else Failure.CRASH, cause)

"""The program that a strategy decides by, if it has one: started with the agent, ended with it, and the other way round."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from agents.process_protocol import Command
from agents.spec import AgentSpec

if TYPE_CHECKING:
    from actors.child_process import ChildProcess


class Program:
    """One agent's program. `on_end` is called when it has ended by itself."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._child: ChildProcess | None = None
        self._watch: asyncio.Task[None] | None = None

    async def begin(self, spec: AgentSpec, command: Command | None) -> None:
        """Start it, in place of the one before: it knows its limits from its environment alone.

        Raises InvalidInput if it cannot be started.
        """
        await self.stop()
        self._child = None
        if command is None:
            return
        # Most agents have none.
        from actors.child_process import ChildProcess, environment

        self._child = ChildProcess(command, environment(spec, command))
        await self._child.start()
        self._watch = asyncio.create_task(self._follow(self._child))

    def lines(self) -> tuple[str, ...]:
        """Return what it has written since the last call."""
        return self._child.lines() if self._child else ()

    async def stop(self) -> None:
        """End it."""
        if self._child is not None:
            await self._child.stop()

    def check(self) -> None:
        """Raise what it failed with, if it has ended so."""
        if self._child is not None and self._child.failure is not None:
            raise self._child.failure

    async def _follow(self, child: "ChildProcess") -> None:
        from actors.child_process import ChildFailed

        with contextlib.suppress(ChildFailed):
            await child.ended()
        if child is self._child:
            self._on_end()

"""When an agent has decided for the first time in a life: a round that holds leaves no event, so its process is asked."""

import asyncio
from collections.abc import AsyncIterator, Collection

import ray
from ray.exceptions import RayActorError, RayTaskError

from actors import naming, remote
from agents.events import Event, Type

#: Seconds between two looks, and for the whole.
_LOOK = 0.02
_TIMEOUT = 120.0


async def changes(agents: Collection[str], after: int) -> AsyncIterator[Event]:
    """Yield the changes of these agents' states that come after a seq, as soon as they are in the log."""
    ledger = remote.ledger()
    async with asyncio.timeout(_TIMEOUT):
        while True:
            batch = await ledger.poll(after, wait=10.0, types=[Type.AGENT])
            after = batch.next
            for event in batch.events:
                if event.agent_id in agents:
                    yield event


async def decided(agent_id: str, incarnation: int) -> None:
    """Return when a running life of an agent has finished its first round."""
    async with asyncio.timeout(_TIMEOUT):
        while True:
            try:
                actor = await asyncio.to_thread(ray.get_actor, naming.agent(agent_id), naming.NAMESPACE)
                while True:
                    found = await actor.control.remote("describe")
                    if found["incarnation"] >= incarnation and found["rounds"]:
                        return
                    await asyncio.sleep(_LOOK)
            except (ValueError, RayActorError, RayTaskError):
                # It died; its next life is another actor.
                await asyncio.sleep(_LOOK)

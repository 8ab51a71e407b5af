"""A typed client of a fleet: `FleetClient` blocks, `AsyncFleetClient` is awaited; both have the same methods.

It needs httpx and websockets and loads nothing else. What the API refuses is raised as one of `agents.errors`, with the
API's own sentence. `supervisor.client.answers` has the types of the answers.
"""

from supervisor.client.awaited import AsyncFleetClient
from supervisor.client.blocking import FleetClient
from supervisor.client.following import Gap

__all__ = ["AsyncFleetClient", "FleetClient", "Gap"]

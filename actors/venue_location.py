"""Where the fleet's venue answers, and what time it is there."""

from typing import cast

from actors.naming import SANDBOX
from actors.remote import Remote
from actors.system import SystemConfig
from actors.venue_clock import wall_time
from agents.ports import Endpoints


async def locate(config: SystemConfig) -> Endpoints:
    """Return where the venue answers now; a sandbox that was restarted may have moved. Raises Unavailable."""
    if config.mode == "sandbox":
        return cast(Endpoints, await Remote(SANDBOX).endpoints())
    if config.venue is not None:
        return config.venue
    # It loads the venue's library, which costs every process that only asks where the sandbox is a second.
    from actors.polymarket.environment import POLYMARKET

    return POLYMARKET


async def venue_time(config: SystemConfig) -> int:
    """Return the venue's time in epoch milliseconds: the sandbox's, or the wall's. Raises Unavailable."""
    if config.mode == "sandbox":
        return cast(int, await Remote(SANDBOX).now())
    return await wall_time()

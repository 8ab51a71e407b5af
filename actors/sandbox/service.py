"""The simulated venue as a service of the fleet."""

import asyncio
import logging
import os
import socket
from typing import Any

from actors.sandbox.api.server import Server, listen
from actors.sandbox.venue import Venue, VenueConfig
from actors.system import SystemConfig
from agents.money import ONE, Micro
from agents.ports import Endpoints

log = logging.getLogger(__name__)

#: What each wallet of the fleet has on a new data directory: 100,000 pUSD.
FUNDS: Micro = 100_000 * ONE

_FOLDER = "venue"
_PORT = "port"


class SandboxService:
    """Serves a venue on loopback. Its process ends at once if the venue fails, so that a supervisor starts it again."""

    def __init__(self, config: SystemConfig) -> None:
        self._config = config
        self._server: Server | None = None
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the venue where it stopped and serve it, on the port that it had before if that is free."""
        config = self._config
        venue = Venue(
            VenueConfig(
                data_dir=os.path.join(config.data_dir, _FOLDER),
                markets_file=config.markets_file,
                start=config.start,
                seed=config.seed,
                speed=config.speed,
                wallets=tuple((wallet.address, FUNDS) for wallet in config.wallets),
            )
        )
        try:
            listener = _listen_again(venue)
            venue.put_document(_PORT, str(listener.getsockname()[1]))
            venue.commit()
        except BaseException:
            venue.close()
            raise
        for note in venue.notes:
            log.info("%s", note)
        server = Server(venue, listener)
        await server.start()
        self._server = server
        self._running = asyncio.create_task(_watch(server))

    async def endpoints(self) -> Endpoints:
        """Return where the venue answers."""
        return self._started().endpoints

    async def now(self) -> int:
        """Return the venue's time in epoch milliseconds."""
        return self._started().venue.now

    async def stats(self) -> dict[str, Any]:
        """Return what the venue was asked, who is connected, and how it stands."""
        return self._started().wire.stats()

    async def stop(self) -> None:
        """Stop serving and let go of the data directory; a process that is killed instead loses nothing."""
        if self._server is not None and self._running is not None:
            self._server.stop()
            await self._running
            self._server.venue.close()

    def _started(self) -> Server:
        assert self._server is not None, "the simulated venue has not been started"
        return self._server


async def _watch(server: Server) -> None:
    try:
        await server.finished()
    except Exception:
        log.critical("the simulated venue failed; its process ends", exc_info=True)
        logging.shutdown()
        os._exit(1)


def _listen_again(venue: Venue) -> socket.socket:
    """Listen on the port that clients know, or on another one if somebody else has it."""
    known = venue.get_document(_PORT)
    if known is not None:
        try:
            return listen(int(known))
        except OSError as error:
            log.info("the venue's former port %s is not free (%s); it takes another", known, error)
    return listen(0)

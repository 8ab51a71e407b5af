"""A venue served on loopback: the socket, the HTTP server and the loop that keeps the venue moving."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn

from actors.sandbox.api.app import Wire
from actors.sandbox.venue import Venue
from agents.ports import Endpoints

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
#: Wall seconds between two ticks of the venue, and the least between the end of one and the next.
_TICK = 0.025
_PAUSE = 0.005
#: Seconds that open requests get to end.
_GRACE = 2


class _Uvicorn(uvicorn.Server):
    """The HTTP server without its signal handlers: whoever runs the process owns those."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, and say so."""
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def listen(port: int) -> socket.socket:
    """Return a socket that listens on loopback; port 0 takes any free one. Raises OSError if it cannot."""
    # With the protocol named, asyncio sends what it is given at once; without, answers wait 40 ms for the peer's receipt.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def endpoints(port: int) -> Endpoints:
    """Return where the venue answers."""
    http, ws = f"http://{HOST}:{port}", f"ws://{HOST}:{port}"
    return Endpoints(
        gamma_url=f"{http}/gamma",
        clob_url=f"{http}/clob",
        data_url=f"{http}/data",
        relayer_url=f"{http}/relayer",
        rpc_url=f"{http}/rpc",
        market_ws_url=f"{ws}/ws/market",
        user_ws_url=f"{ws}/ws/user",
        news_url=f"{http}/news",
        openai_url=f"{http}/openai/v1",
        simulated=True,
    )


class Server:
    """Serves a venue from a listening socket, and ticks it, until it is stopped or fails."""

    def __init__(self, venue: Venue, listener: socket.socket) -> None:
        self.venue = venue
        self.wire = Wire(venue)
        self.endpoints = endpoints(listener.getsockname()[1])
        self._listener = listener
        config = uvicorn.Config(
            self.wire,
            ws="websockets-sansio",
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_GRACE,
        )
        self._http = _Uvicorn(config)
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def start(self) -> None:
        """Begin to serve and to tick; returns once the venue answers, or failed to: see `finished`."""
        serving = asyncio.create_task(self._http.serve([self._listener]))
        self._tasks = (serving, asyncio.create_task(self._tick()))
        ready = asyncio.create_task(self._http.ready.wait())
        await asyncio.wait({ready, serving}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()

    def stop(self) -> None:
        """Let it end; `finished` says when it has."""
        self._http.should_exit = True

    async def finished(self) -> None:
        """Return once it was stopped. Raises what else ended it: a venue that stands still must not look alive."""
        ticking = self._tasks[1]
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        stopped = self._http.should_exit
        self._http.should_exit = True
        ticking.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        if not stopped:
            raise RuntimeError("the HTTP server of the simulated venue ended by itself")

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self.venue.tick()
            if self.wire.commits.failure is not None:
                raise self.wire.commits.failure
            due = max(due + _TICK, loop.time() + _PAUSE)
            await asyncio.sleep(due - loop.time())

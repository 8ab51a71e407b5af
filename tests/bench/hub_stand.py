"""Serves what the bench's hub clients connect to, in a process of its own: the hub on a real log, or a bare broadcast.

`python -m tests.bench.hub_stand hub|bare` prints its port. `GET /write?events=N&batch=N&rate=N` makes events (0: as fast as
they are stored) and answers when all are stored, with the CPU seconds that this process has used so far.
"""

import asyncio
import json
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from actors.ledger import LedgerService
from actors.system import SystemConfig
from agents.events import Event, Type
from supervisor.api import hub_server
from supervisor.api.access import Access
from supervisor.api.asgi import hub_app
from tests.unit.supervisor.api.stand import AgentStand, lifespan


class Source:
    """Makes trades that carry the moment they were made, and hands them on."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._agent = AgentStand(store)

    async def write(self, request: Request) -> JSONResponse:
        """Make so many events."""
        wanted = {name: int(value) for name, value in request.query_params.items()}
        started = time.perf_counter()
        for done in range(0, wanted["events"], wanted["batch"]):
            if wanted["rate"]:
                await asyncio.sleep(max(0.0, started + done / wanted["rate"] - time.perf_counter()))
            events = self._agent.events(*[Type.TRADE] * wanted["batch"], at=time.perf_counter_ns())
            await self._store.append(events)
        return JSONResponse({"cpu": time.process_time(), "started": started})


class Bare:
    """What a broadcast is at its simplest: no log, no cursors, one JSON text, one send for each client."""

    def __init__(self) -> None:
        self._sockets: set[WebSocket] = set()
        self._seqs = count(1)

    async def append(self, events: list[Event]) -> None:
        """Send events to everybody."""
        for event in events:
            text = json.dumps({"op": "event", "event": event.numbered(next(self._seqs)).json()}, separators=(",", ":"))
            await asyncio.gather(*(socket.send_text(text) for socket in self._sockets))

    async def serve(self, websocket: WebSocket) -> None:
        """Keep one client."""
        await websocket.accept()
        await websocket.send_text('{"op":"hello"}')
        self._sockets.add(websocket)
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            self._sockets.discard(websocket)


def _bare() -> Starlette:
    bare = Bare()
    return Starlette(routes=[Route("/write", Source(bare).write), WebSocketRoute("/ws", bare.serve)])


def _hub(ledger: LedgerService) -> Starlette:
    hub = hub_app(ledger, Access())

    @asynccontextmanager
    async def follow(app: Starlette) -> AsyncIterator[None]:
        await ledger.start()
        async with lifespan(hub):
            await hub.hub.started()
            yield
        await ledger.stop()

    return Starlette(routes=[Route("/write", Source(ledger).write), Mount("/", hub)], lifespan=follow)


def main(kind: str) -> None:
    """Serve until the process is ended."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as listener:
        app = _bare() if kind == "bare" else _hub(LedgerService(SystemConfig(str(Path(folder)))))
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)
        print(listener.getsockname()[1], flush=True)
        if kind == "hub":
            # The bare one has what uvicorn has by itself.
            hub_server.install()
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        asyncio.run(uvicorn.Server(config).serve([listener]))


if __name__ == "__main__":
    main(*sys.argv[1:])

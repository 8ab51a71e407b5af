"""Socket.IO on the hub: the seed's contract, for an unmodified socket.io-client."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import engineio
import socketio
from starlette.types import Message, Receive, Scope, Send

from agents.events import Type
from agents.notifications import socket_event, socket_payload
from supervisor.api.access import Access, bearer
from supervisor.api.frames import Frame, send_frames
from supervisor.api.hub import Delivery, Hub, encode

log = logging.getLogger("polyfleet.socketio")
log.setLevel(logging.WARNING)

#: Packets that may wait for one client; one that is further behind is disconnected and comes back by itself.
CAPACITY = 1000

#: Bytes that a client may send at once.
_MAX_MESSAGE = 65_536

#: What Engine.IO's long-polling puts between packets.
_SEPARATOR = "\x1e"

#: Seconds for all clients to take their last packets at the end.
_DRAIN_TIMEOUT = 2.0


class _Clients(socketio.AsyncManager):  # type: ignore[misc]
    """Tells when a client is connected: its CONNECT packet is on the way, and nothing was sent to it before."""

    def __init__(self, connected: Callable[[str, str], None]) -> None:
        super().__init__()
        self._connected = connected

    async def connect(self, sid: str, namespace: str) -> None:
        await super().connect(sid, namespace)
        self._connected(sid, self.eio_sid_from_sid(sid, namespace))


class _Bundle(str):
    """The text of some packets as long-polling sends them at once; over a WebSocket each is a frame of its own."""

    frames: list[Frame]


class _Packets:
    """Some packets that wait for clients together, in Engine.IO's queues: encoded once for all of them."""

    packet_type = engineio.packet.MESSAGE
    data = ""

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def encode(self, b64: bool = False) -> str:
        """Return their text."""
        return self._bundle

    @cached_property
    def _bundle(self) -> _Bundle:
        bundle = _Bundle(_SEPARATOR.join(frame.text for frame in self._frames))
        bundle.frames = self._frames
        return bundle


class _Queue(asyncio.Queue[Any]):
    """What waits for one client; `waiting` counts packets, of which one entry may hold many."""

    waiting = 0

    def _put(self, item: Any) -> None:
        super()._put(item)
        self.waiting += len(item) if isinstance(item, _Packets) else 1

    def _get(self) -> Any:
        item = super()._get()
        self.waiting -= len(item) if isinstance(item, _Packets) else 1
        return item


class SocketIo:
    """All Socket.IO clients: `history` on connect, then `notification` and the typed event for each event but `audit`."""

    def __init__(self, hub: Hub, access: Access, clock: Callable[[], int]) -> None:
        self._hub = hub
        self._access = access
        self._clock = clock
        self._server: Any = socketio.AsyncServer(
            client_manager=_Clients(self._join),
            async_mode="asgi",
            cors_allowed_origins=[],  # the guard before it checks origins and answers CORS
            max_http_buffer_size=_MAX_MESSAGE,
            logger=log,
            engineio_logger=log,
        )
        self._server.eio.create_queue = _Queue
        #: Socket.IO id to Engine.IO id of those that have their history.
        self._clients: dict[str, str] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._server.on("connect", self._connect)
        self._server.on("disconnect", self._disconnect)
        self._server.on("ping", self._ping)
        self._server.on("notification-ack", self._acknowledge)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket of Engine.IO."""
        if scope["type"] != "websocket":
            await self._server.handle_request(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            text = message.get("text")
            if isinstance(text, _Bundle):
                await send_frames(scope, send, text.frames)
            else:
                await send(message)

        await self._server.handle_request(scope, receive, sending)

    @property
    def connected(self) -> list[Scope]:
        """The first requests of all who have a connection."""
        return [environ["asgi.scope"] for environ in self._server.environ.values()]

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Queue events for every client; they are encoded once."""
        deliveries = [delivery for delivery in deliveries if delivery.event.type is not Type.AUDIT]
        if not (self._clients and deliveries):
            return
        frames: list[Frame] = []
        for delivery in deliveries:
            if delivery.notification:
                frames.append(_packet("notification", delivery.notification))
            frames.append(_packet(socket_event(delivery.event), socket_payload(delivery.event)))
        packets = _Packets(frames)
        for sid, engine_id in list(self._clients.items()):
            if not self._put(engine_id, packets):
                del self._clients[sid]
                self._close(engine_id)

    async def drain(self) -> None:
        """Close every connection in the way that makes a client reconnect by itself."""
        for engine_id in self._clients.values():
            self._close(engine_id)
        self._clients.clear()
        if self._closing:
            await asyncio.wait(self._closing, timeout=_DRAIN_TIMEOUT)

    async def stop(self) -> None:
        """End the server's own tasks."""
        await self._server.shutdown()
        for task in self._closing:
            task.cancel()

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        token = token if isinstance(token, str) else bearer(environ.get("HTTP_AUTHORIZATION"))
        if not self._access.token_fits(token):
            raise socketio.exceptions.ConnectionRefusedError("This fleet needs a token; connect with auth: { token }")
        await self._hub.started()

    def _join(self, sid: str, engine_id: str) -> None:
        """Send the history, and from here on everything that follows it: no gap, nothing twice."""
        if self._put(engine_id, _Packets([_packet("history", self._hub.recent)])):
            self._clients[sid] = engine_id

    async def _disconnect(self, sid: str, reason: str = "") -> None:
        self._clients.pop(sid, None)

    async def _ping(self, sid: str, *ignored: Any) -> None:
        await self._server.emit("pong", {"timestamp": self._clock()}, to=sid)

    async def _acknowledge(self, sid: str, *ignored: Any) -> None:
        """Nothing is done with it; without a handler a client that waits for an answer would wait for ever."""

    def _put(self, engine_id: str, packets: _Packets) -> bool:
        """Queue packets for one connection; False if it is gone or too far behind."""
        socket = self._server.eio.sockets.get(engine_id)
        if socket is None or socket.closed or socket.queue.waiting >= CAPACITY:
            return False
        socket.queue.put_nowait(packets)
        return True

    def _close(self, engine_id: str) -> None:
        task = asyncio.get_running_loop().create_task(self._disconnect_transport(engine_id))
        self._closing.add(task)
        task.add_done_callback(self._closed)

    async def _disconnect_transport(self, engine_id: str) -> None:
        socket = self._server.eio.sockets.pop(engine_id, None)
        if socket is not None:
            # Engine.IO's farewell is for those that poll: over a WebSocket some clients take it as a wish not to come back.
            await socket.close(wait=False, abort=socket.upgraded, reason=self._server.reason.SERVER_DISCONNECT)
            # This ends the queue, and with it a WebSocket, which Engine.IO would leave open.
            socket.queue.put_nowait(None)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a Socket.IO connection could not be closed", exc_info=error)


def _packet(name: str, payload: Any) -> Frame:
    """Return an event of the default namespace: a message (4) of Engine.IO that is an event (2) of Socket.IO."""
    return Frame(f"42{encode([name, payload])}")

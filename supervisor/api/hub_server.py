"""What the hub needs of uvicorn's WebSockets beyond ASGI: shared frames, and a last word to clients that are slow or silent.

uvicorn by itself compresses and frames each message for each client, closes a client that does not answer a ping with 1011
before the hub can say where to resume, and keeps one that has vanished until the kernel gives up.
"""

from typing import Any

import uvicorn.config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from supervisor.api.frames import EXTENSION, WINDOW_BITS

#: The message by which the application hears that a client has not answered a ping in time.
UNANSWERED = "polyfleet.unanswered"

#: Seconds for a client to take what it was sent and its closing frame.
CLOSE_TIMEOUT = 30.0

#: Each message is deflated by itself, so that all clients can be sent the same bytes.
_DEFLATE = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    server_max_window_bits=WINDOW_BITS,
    client_max_window_bits=WINDOW_BITS,
    compress_settings={"memLevel": 5},
)


class HubProtocol(WebSocketsSansIOProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = CLOSE_TIMEOUT
        if self.conn.available_extensions:
            self.conn.available_extensions = (_DEFLATE,)

    def handle_connect(self, event: Any) -> None:
        """Offer the extension to the application."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][EXTENSION] = {}

    async def send(self, message: Any) -> None:
        """Send what the application says; a closing frame waits for nobody."""
        kind = message["type"]
        if kind == EXTENSION:
            await self.writable.wait()
            if self.disconnected or self.close_sent:
                raise ClientDisconnected
            deflated = bool(self.conn.extensions)
            self.transport.write(b"".join([frame.deflated if deflated else frame.plain for frame in message["frames"]]))
            return
        if kind == "websocket.close":
            self.writable.set()
        await super().send(message)
        if kind == "websocket.close" and self.close_timer is not None:
            # Not `close`, which waits for ever for a client that has vanished to take what it was sent.
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """Let the application close the connection; cut it if that does not happen."""
        self.pong_timer = None
        if not self.close_sent and not self.transport.is_closing():
            told: Any = {"type": UNANSWERED}
            self.queue.put_nowait(told)
            self.loop.call_later(self.close_timeout, self.transport.abort)


def install() -> None:
    """Make this process's uvicorn use it where it is left the choice: Ray Serve has no setting for that."""
    uvicorn.config.WS_PROTOCOLS["auto"] = f"{__name__}:{HubProtocol.__name__}"

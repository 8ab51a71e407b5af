"""One WebSocket of a client: frames out in order, through a bounded queue, and texts in."""

import asyncio
import contextlib
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

#: Frames that a client may be behind before it is cut off.
_BEHIND = 20_000
_TOO_SLOW = 1013


class Socket:
    """A connection. `send` never waits: a client that does not read is disconnected in the end."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._queue: asyncio.Queue[str | int] = asyncio.Queue()
        self._closing = False

    def send(self, text: str) -> None:
        """Send a text once those before it are sent."""
        if self._closing:
            return
        if self._queue.qsize() >= _BEHIND:
            self.close(_TOO_SLOW)
        else:
            self._queue.put_nowait(text)

    def close(self, code: int) -> None:
        """Close the connection once all is sent."""
        self._closing = True
        self._queue.put_nowait(code)

    async def run(self, on_text: Callable[[str], None]) -> None:
        """Accept the connection and hand over what the client sends until it is closed from either side."""
        await self._websocket.accept()
        sender = asyncio.create_task(self._send())
        try:
            while (text := await self._receive()) is not None:
                on_text(text)
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _receive(self) -> str | None:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        return text if text is not None else bytes(message.get("bytes") or b"").decode(errors="replace")

    async def _send(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):
            while True:
                item = await self._queue.get()
                if isinstance(item, int):
                    return await self._websocket.close(item)
                await self._websocket.send_text(item)

"""Text messages of WebSockets that many clients get: each form of one on the wire is made once, not once for each client.

A server that can send them as they are says so in the scope's extensions (`hub_server` does); any other gets plain text.
"""

import struct
import zlib
from collections.abc import Sequence
from functools import cached_property

from starlette.types import Scope, Send

#: The name of the ASGI extension, and the type of its message: {type, frames: sequence of Frame}.
EXTENSION = "polyfleet.frames"

#: The window in which a deflated message looks back, in bits; every client can take it that takes deflated messages at all.
WINDOW_BITS = 12

#: Shorter messages are not worth it: bytes.
_DEFLATED_FROM = 256

#: Bits of the first byte of a frame (RFC 6455, 7692): a whole text message, and that it is deflated.
_TEXT, _DEFLATED = 0x81, 0x40


class Frame:
    """One text message."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def plain(self) -> bytes:
        """The message as a frame."""
        return _frame(_TEXT, self.text.encode(errors="replace"))

    @cached_property
    def deflated(self) -> bytes:
        """The message as a frame for clients that take deflated ones, each by itself (no context takeover)."""
        content = self.text.encode(errors="replace")
        if len(content) < _DEFLATED_FROM:
            return self.plain
        deflate = zlib.compressobj(wbits=-WINDOW_BITS, memLevel=5)
        return _frame(_TEXT | _DEFLATED, (deflate.compress(content) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4])


async def send_frames(scope: Scope, send: Send, frames: Sequence[Frame]) -> None:
    """Send messages in order; waits until the server takes them."""
    if EXTENSION in scope.get("extensions", ()):
        await send({"type": EXTENSION, "frames": frames})
    else:
        for frame in frames:
            await send({"type": "websocket.send", "text": frame.text})


def _frame(first: int, content: bytes) -> bytes:
    length = len(content)
    if length < 126:
        return struct.pack("!BB", first, length) + content
    if length < 65_536:
        return struct.pack("!BBH", first, 126, length) + content
    return struct.pack("!BBQ", first, 127, length) + content

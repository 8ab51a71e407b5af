"""What waits to be sent to one client: a bounded queue between the hub, which never waits, and a socket, which may."""

import asyncio
from collections import deque

#: Frames that may wait for one client; a client that is further behind is sent away.
CAPACITY = 1000

#: A replay goes on when fewer frames than this wait.
_LOW = 250


class Outbox:
    """Frames that wait to be sent, each with the seq of its event (0: none), and at last a way to close."""

    def __init__(self) -> None:
        self._frames: deque[tuple[str, int]] = deque()
        self._news = asyncio.Event()
        self._low = asyncio.Event()
        self._low.set()
        #: Code and reason to close with; a reason of None is made of the seq to resume from.
        self.closing: tuple[int, str | None] | None = None

    @property
    def full(self) -> bool:
        """Whether the client is too far behind."""
        return len(self._frames) >= CAPACITY

    def put(self, frame: str, seq: int = 0) -> None:
        """Add a frame; one that is closing takes none. An empty frame is not sent: it says from where the client goes on."""
        if self.closing is None:
            self._frames.append((frame, seq))
            self._news.set()
            if len(self._frames) >= _LOW:
                self._low.clear()

    def close(self, code: int, reason: str | None, *, at_once: bool = False) -> None:
        """Send what waits now, or with `at_once` drop that too, then close."""
        if self.closing is None:
            self.closing = code, reason
            if at_once:
                self._frames.clear()
            self._news.set()
            self._low.set()

    async def low(self) -> None:
        """Wait until few frames are left."""
        await self._low.wait()

    async def take(self) -> tuple[str, int] | None:
        """Return the next frame, or None when it is time to close."""
        while not self._frames:
            if self.closing is not None:
                return None
            self._news.clear()
            await self._news.wait()
        item = self._frames.popleft()
        if len(self._frames) < _LOW:
            self._low.set()
        return item

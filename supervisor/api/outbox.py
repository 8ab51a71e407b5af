"""What waits to be sent to one client: a bounded queue between the hub, which never waits, and a socket, which may."""

import asyncio
from collections import deque

from supervisor.api.frames import Frame

#: Frames that may wait for one client; a client that is further behind is sent away.
CAPACITY = 1000

#: A replay goes on when fewer frames than this wait.
_LOW = 250

#: Frames that may be sent at once.
BATCH = 64


class Outbox:
    """Frames that wait to be sent, each with the seq of its event (0: none), and at last a way to close."""

    def __init__(self) -> None:
        self._frames: deque[tuple[Frame | None, int]] = deque()
        self._news = asyncio.Event()
        self._low = asyncio.Event()
        self._low.set()
        self.closing = False

    @property
    def full(self) -> bool:
        """Whether the client is too far behind."""
        return len(self._frames) >= CAPACITY

    def put(self, frame: Frame | None, seq: int = 0) -> None:
        """Add a frame; one that is closing takes none. Without a frame it only says from where the client goes on."""
        if not self.closing:
            self._frames.append((frame, seq))
            self._news.set()
            if len(self._frames) >= _LOW:
                self._low.clear()

    def close(self, *, at_once: bool = False) -> None:
        """Let what waits now be sent, or with `at_once` drop that too, and take no more."""
        if not self.closing:
            self.closing = True
            if at_once:
                self._frames.clear()
            self._news.set()
            self._low.set()

    async def low(self) -> None:
        """Wait until few frames are left."""
        await self._low.wait()

    async def take(self, most: int = BATCH) -> tuple[list[Frame], int] | None:
        """Return the next frames, so many at most, and the last seq among them, or None when it is time to close."""
        while not self._frames:
            if self.closing:
                return None
            self._news.clear()
            await self._news.wait()
        taken = [self._frames.popleft() for _ in range(min(len(self._frames), most))]
        if len(self._frames) < _LOW:
            self._low.set()
        return [frame for frame, _ in taken if frame], next((seq for _, seq in reversed(taken) if seq), 0)

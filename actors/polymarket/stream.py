"""The venue's market channel: sockets of a bounded number of assets each, which come back by themselves.

The official library's stream is not used for this: its queue drops the oldest frames when it is full, and a book made of
changes is wrong for good once one is missing; and it cannot replace one socket of several.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from actors.polymarket import schema
from actors.polymarket.schema import Frame, SchemaError

log = logging.getLogger(__name__)

#: Assets on one socket. Beyond about 750 the venue sends no snapshot, without an error.
ASSETS_PER_SOCKET = 300
_PING_EVERY = 10.0
#: Seconds without any message, PONG included, after which a socket is replaced.
_DEAD_AFTER = 30.0
_MAX_BACKOFF = 15.0


class Shard:
    """One socket and the assets that it follows."""

    def __init__(self, url: str, on_frames: Callable[["Shard", list[Frame]], None], *, loopback: bool) -> None:
        self.url = url
        self.assets: dict[str, None] = {}
        #: When data last came, and when the socket was opened, on the monotonic clock.
        self.last_data = time.monotonic()
        self.connects = 0
        self._on_frames = on_frames
        self._loopback = loopback
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the socket is open."""
        return self._socket is not None

    async def add(self, assets: Iterable[str]) -> None:
        """Follow more assets; the venue answers with a book of each."""
        new = [asset for asset in assets if asset not in self.assets]
        self.assets.update(dict.fromkeys(new))
        if self._task is None and self.assets:
            self._task = asyncio.create_task(self._run())
        elif new:
            await self._send({"operation": "subscribe", "assets_ids": new})

    async def remove(self, assets: Iterable[str]) -> None:
        """Follow some assets no longer."""
        old = [asset for asset in assets if self.assets.pop(asset, "") is None]
        if old:
            await self._send({"operation": "unsubscribe", "assets_ids": old})

    async def replace(self) -> None:
        """Drop the socket; a new one is opened at once. A frozen subscription is not healed by subscribing again."""
        if self._socket is not None:
            await self._socket.close()

    async def close(self) -> None:
        """End for good."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _send(self, message: object) -> None:
        if self._socket is not None:  # Otherwise the next connection subscribes to everything.
            with contextlib.suppress(WebSocketException):
                await self._socket.send(schema.dumps(message))

    async def _run(self) -> None:
        delay = 0.0
        while True:
            await asyncio.sleep(delay)
            started = time.monotonic()
            try:
                await self._serve()
            except (OSError, WebSocketException, TimeoutError) as error:
                log.info("market channel %s lost: %s", self.url, error or type(error).__name__)
            except Exception:
                log.exception("market channel %s failed", self.url)
            finally:
                self._socket = None
            settled = time.monotonic() - started > _DEAD_AFTER
            delay = random.uniform(0.05, 0.25 if settled else min(_MAX_BACKOFF, max(0.5, delay * 3)))

    async def _serve(self) -> None:
        # Pings are text frames of the venue's own, and books of many levels exceed the library's default size.
        options: dict[str, Any] = {"ping_interval": None, "max_size": 2**24, "max_queue": 1024, "close_timeout": 2}
        if self._loopback:  # No proxy of the environment may stand between.
            options["proxy"] = None
        async with connect(self.url, **options) as socket:
            assets = list(self.assets)
            await socket.send(schema.dumps({"assets_ids": assets, "type": "market", "custom_feature_enabled": True}))
            self._socket = socket
            self.connects += 1
            self.last_data = time.monotonic()
            if late := [asset for asset in self.assets if asset not in assets]:
                await self._send({"operation": "subscribe", "assets_ids": late})
            ping = asyncio.create_task(self._ping(socket))
            try:
                await self._receive(socket)
            finally:
                ping.cancel()

    async def _receive(self, socket: ClientConnection) -> None:
        while True:
            async with asyncio.timeout(_DEAD_AFTER):
                text = await socket.recv()
            if text == "PONG":
                continue
            self.last_data = time.monotonic()
            try:
                frames = schema.frames(text)
            except SchemaError as error:
                log.warning("market channel: %s", error)
                continue
            if frames:
                self._on_frames(self, frames)

    async def _ping(self, socket: ClientConnection) -> None:
        with contextlib.suppress(WebSocketException):
            while True:
                await asyncio.sleep(_PING_EVERY)
                await socket.send("PING")


class MarketStream:
    """All assets followed, spread over as few sockets as hold them."""

    def __init__(self, url: str, on_frames: Callable[[list[Frame]], None], *, loopback: bool = False) -> None:
        self._url = url
        self._on_frames = on_frames
        self._loopback = loopback
        self._shards: list[Shard] = []
        self._of: dict[str, Shard] = {}

    @property
    def shards(self) -> Sequence[Shard]:
        """The sockets."""
        return self._shards

    def shard_of(self, asset: str) -> Shard | None:
        """Return the socket that follows an asset."""
        return self._of.get(asset)

    async def follow(self, assets: Iterable[str]) -> None:
        """Follow assets that are not followed yet."""
        queue = [asset for asset in dict.fromkeys(assets) if asset not in self._of]
        while queue:
            shard = next((shard for shard in self._shards if len(shard.assets) < ASSETS_PER_SOCKET), None)
            if shard is None:
                shard = Shard(self._url, lambda _, frames: self._on_frames(frames), loopback=self._loopback)
                self._shards.append(shard)
            room = ASSETS_PER_SOCKET - len(shard.assets)
            batch, queue = queue[:room], queue[room:]
            self._of.update(dict.fromkeys(batch, shard))
            await shard.add(batch)

    async def drop(self, assets: Iterable[str]) -> None:
        """Follow assets no longer."""
        by_shard: dict[Shard, list[str]] = {}
        for asset in assets:
            if shard := self._of.pop(asset, None):
                by_shard.setdefault(shard, []).append(asset)
        for shard, gone in by_shard.items():
            await shard.remove(gone)

    async def close(self) -> None:
        """Close all sockets."""
        for shard in self._shards:
            await shard.close()

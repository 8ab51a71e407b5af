"""One plain WebSocket connection to the hub without a network: the ASGI messages of a server, and what a client does."""

import asyncio
import json
from typing import Any, Self

from starlette.types import ASGIApp, Message

#: Seconds for what is certain to come.
SOON = 10.0


class Closed(Exception):
    """The server closed the connection, or refused it with a status."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class PlainWire:
    """A client of the hub. It reads everything at once, unless it is made to `dawdle`."""

    def __init__(self, app: ASGIApp, path: str = "/ws", **headers: str) -> None:
        self._app = app
        self._scope = {
            "type": "websocket",
            "path": path,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in ({"host": "localhost"} | headers).items()],
            "extensions": {"websocket.http.response": {}},
        }
        self._up: asyncio.Queue[Message] = asyncio.Queue()
        self._down: asyncio.Queue[Message] = asyncio.Queue()
        self._reading = asyncio.Event()
        self._reading.set()
        self._status = 0

    async def __aenter__(self) -> Self:
        self._up.put_nowait({"type": "websocket.connect"})
        self._serving = asyncio.ensure_future(self._app(self._scope, self._up.get, self._send))
        first = await self._next()
        assert first["type"] == "websocket.accept", first
        return self

    async def __aexit__(self, *error: object) -> None:
        self._up.put_nowait({"type": "websocket.disconnect", "code": 1000})
        self._reading.set()
        await asyncio.wait_for(self._serving, SOON)

    def dawdle(self, slow: bool) -> None:
        """Take nothing off the wire, or go on."""
        if slow:
            self._reading.clear()
        else:
            self._reading.set()

    def say(self, op: str, **fields: Any) -> None:
        """Send one message."""
        self.say_text(json.dumps({"op": op} | fields))

    def say_text(self, text: str) -> None:
        """Send one frame as it is."""
        self._up.put_nowait({"type": "websocket.receive", "text": text})

    def say_bytes(self, content: bytes) -> None:
        """Send one binary frame."""
        self._up.put_nowait({"type": "websocket.receive", "bytes": content})

    async def hear(self) -> dict[str, Any]:
        """Return the next message; raises Closed."""
        message = await self._next()
        heard: dict[str, Any] = json.loads(message["text"])
        return heard

    async def events(self, count: int) -> list[int]:
        """Return the seqs of the next events, which come without anything else between."""
        seqs = []
        for _ in range(count):
            message = await self.hear()
            assert message["op"] == "event", message
            seqs.append(message["event"]["seq"])
        return seqs

    async def until_closed(self) -> tuple[list[dict[str, Any]], Closed]:
        """Return what comes until the server closes the connection, and how it closes it."""
        heard = []
        while True:
            try:
                heard.append(await self.hear())
            except Closed as closed:
                return heard, closed

    async def quiet(self) -> None:
        """Check that nothing is on the way: the answer to a ping comes next."""
        self.say("ping")
        assert await self.hear() == {"op": "pong"}

    async def _send(self, message: Message) -> None:
        await self._reading.wait()
        self._down.put_nowait(message)

    async def _next(self) -> Message:
        message = await asyncio.wait_for(self._down.get(), SOON)
        if message["type"] == "websocket.close":
            raise Closed(message.get("code", 1000), message.get("reason", ""))
        if message["type"] == "websocket.http.response.start":
            body = await asyncio.wait_for(self._down.get(), SOON)
            raise Closed(message["status"], json.loads(body["body"])["error"])
        return message

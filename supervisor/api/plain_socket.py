"""The plain WebSocket protocol of the hub: JSON frames, subscriptions with a cursor, nothing lost and nothing twice."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from agents.errors import InvalidInput, PolyfleetError, Unavailable
from supervisor.api.access import Access, bearer, header
from supervisor.api.errors import refuse_websocket
from supervisor.api.frames import EXTENSION, Frame, send_frames
from supervisor.api.hub import Delivery, Hub, encode
from supervisor.api.hub_server import CLOSE_TIMEOUT, UNANSWERED
from supervisor.api.outbox import BATCH, Outbox
from supervisor.api.subscription import Subscription, parsed, wanted_of

log = logging.getLogger(__name__)

#: Events that one read of a replay fetches.
_PAGE = 500

#: Seconds for the first `auth` frame, for a client that is subscribed to nothing to say something, and for all to take
#: their closing frames at the end.
_AUTH_TIMEOUT = 10.0
_IDLE_TIMEOUT = 300.0
_DRAIN_TIMEOUT = 2.0

#: Seconds in which a client that has fallen behind must take something, or it is sent away.
_PATIENCE = 10.0

#: Seconds between attempts to read the log while it is away.
_RETRY = 0.2

#: Codes of a closing frame (RFC 6455).
_POLICY, _FAILED, _RESTART, _TRY_LATER = 1008, 1011, 1012, 1013


class PlainClient:
    """One plain WebSocket client."""

    def __init__(self, socket: WebSocket, hub: Hub, access: Access, receive: Receive, send: Send) -> None:
        self._socket = socket
        #: The server's own: there are messages that Starlette does not know.
        self._socket_receive = receive
        self._send = send
        self._hub = hub
        self._access = access
        self._outbox = Outbox()
        self._subscription: Subscription | None = None
        self._replay: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._closer: asyncio.Task[None] | None = None
        #: Code and reason to close with; a reason of None is made of the seq to resume from.
        self._ending: tuple[int, str | None] = (1000, "")
        #: Whether what is sent at once is sent wholly or not at all, and a closing frame need not wait for it.
        self._whole = EXTENSION in socket.scope.get("extensions", ())
        self._sent = 0
        self._taken_at = 0.0

    async def run(self, admitted: bool) -> None:
        """Talk to the client until either side closes."""
        loop = asyncio.get_running_loop()
        self._writer = loop.create_task(self._write())
        reader = loop.create_task(self._read(admitted))
        try:
            await asyncio.wait({reader, self._writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.remove(self)
            if self._closer:
                await asyncio.wait({self._closer}, timeout=CLOSE_TIMEOUT)
            tasks = [task for task in (reader, self._writer, self._replay, self._closer) if task]
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                # An OSError is how a server says that the client has gone.
                if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect | OSError):
                    log.error("a connection to the hub failed", exc_info=result)

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Queue live events that are subscribed to; a client that is too far behind reads on from the log at its own pace."""
        subscription = self._subscription
        if subscription is None or not subscription.live:
            return
        for delivery in deliveries:
            event = delivery.event
            if event.seq <= subscription.cursor:
                continue
            if subscription.wants(event):
                if self._outbox.full:
                    self._fall_behind(subscription)
                    return
                self._outbox.put(delivery.frame, event.seq)
            subscription.cursor = event.seq

    async def drain(self) -> None:
        """Ask the client to reconnect, then close with 1012."""
        self._say(op="reconnect")
        self._end(_RESTART, "service restart")
        if self._writer:
            await asyncio.wait({self._writer}, timeout=_DRAIN_TIMEOUT)

    async def _write(self) -> None:
        while (taken := await self._outbox.take(BATCH if self._whole else 1)) is not None:
            frames, seq = taken
            if frames:
                await send_frames(self._socket.scope, self._send, frames)
            self._sent = seq or self._sent
            self._taken_at = asyncio.get_running_loop().time()
        if self._closer is None:
            await self._close()

    async def _close(self) -> None:
        code, reason = self._ending
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self._socket.close(code, reason if reason is not None else f"slow consumer; resume after {self._sent}")

    def _say(self, **message: Any) -> None:
        self._outbox.put(Frame(encode(message)))

    def _end(self, code: int, reason: str | None, *, at_once: bool = False) -> None:
        """Begin to close: what waits is sent first, or dropped. A client that does not take it in time is cut off."""
        if self._outbox.closing:
            return
        self._ending = code, reason
        self._outbox.close(at_once=at_once)
        if at_once and self._whole:
            self._closer = asyncio.get_running_loop().create_task(self._close())
        elif self._writer:
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self._writer.cancel)

    def _fall_behind(self, subscription: Subscription) -> None:
        if self._stuck:
            self._too_slow()
        else:
            subscription.live = False
            self._replay = asyncio.get_running_loop().create_task(self._catch_up(subscription))

    @property
    def _stuck(self) -> bool:
        return asyncio.get_running_loop().time() - self._taken_at >= _PATIENCE

    async def _low(self) -> bool:
        """Wait until little is left to send; False if the client takes nothing, and is sent away."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await self._outbox.low()
                    return True
            if self._stuck:
                self._too_slow()
                return False

    def _too_slow(self) -> None:
        self._subscription = None
        self._end(_TRY_LATER, None, at_once=True)

    async def _read(self, admitted: bool) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            if not admitted and not await self._authenticate():
                return
            await self._hub.started()
            self._say(op="hello", seq=self._hub.seq, floor=self._hub.floor)
            self._hub.add(self)
            if self._hub.draining:
                await self.drain()
            while True:
                try:
                    async with asyncio.timeout(_IDLE_TIMEOUT if self._subscription is None else None):
                        frame = await self._receive()
                except TimeoutError:
                    await self._turn_away(f"nothing was subscribed to or said for {_IDLE_TIMEOUT:g} s")
                    return
                await self._handle(frame)
                if self._outbox.full:
                    self._too_slow()

    async def _authenticate(self) -> bool:
        try:
            async with asyncio.timeout(_AUTH_TIMEOUT):
                message = parsed(await self._receive())
        except TimeoutError:
            return await self._turn_away(f"no auth frame came within {_AUTH_TIMEOUT:g} s")
        except InvalidInput as error:
            return await self._turn_away(str(error))
        token = message.get("token")
        if message.get("op") == "auth" and isinstance(token, str) and self._access.token_fits(token):
            return True
        return await self._turn_away('the token is missing or wrong; send {"op":"auth","token":"..."} first')

    async def _turn_away(self, reason: str) -> bool:
        self._say(op="error", error=reason)
        self._end(_POLICY, reason)
        if self._writer:
            await asyncio.wait({self._writer})
        return False

    async def _receive(self) -> str | None:
        """Return the next frame's text, or None if it was binary."""
        message = await self._socket_receive()
        if message["type"] == UNANSWERED:
            # It is gone, or so slow that the ping waits behind what it has not read: if it still reads, it is told.
            self._too_slow()
            await asyncio.Event().wait()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text: str | None = message.get("text")
        return text

    async def _handle(self, frame: str | None) -> None:
        try:
            message = parsed(frame)
            match message.get("op"):
                case "subscribe":
                    await self._subscribe(message)
                case "unsubscribe":
                    await self._unsubscribe()
                case "ping":
                    self._say(op="pong")
                case "auth":
                    pass
                case other:
                    raise InvalidInput(f"op is {str(other)[:60]!r}, expected subscribe, unsubscribe, ping or auth")
        except Unavailable as error:
            self._end(_TRY_LATER, f"{error}; try again later"[:120])
        except PolyfleetError as error:
            self._say(op="error", error=str(error))

    async def _subscribe(self, message: dict[str, Any]) -> None:
        wanted = wanted_of(message)
        await self._check_cursor(wanted.after or 0)
        await self._unsubscribe()
        # No wait from here on: what the hub hands out next is after `hub.seq`.
        after = self._hub.seq if wanted.after is None else wanted.after
        live = after == self._hub.seq
        subscription = Subscription(wanted.types or (), wanted.agents or (), after, live=live)
        self._subscription = subscription
        self._outbox.put(None, after)
        if not live:
            self._replay = asyncio.get_running_loop().create_task(self._catch_up(subscription))

    async def _check_cursor(self, after: int) -> None:
        if after > self._hub.seq and after > (head := await self._hub.ledger.head()):
            raise InvalidInput(f"after: {after} is beyond the newest event, {head}; is it a cursor of another fleet?")

    async def _unsubscribe(self) -> None:
        self._subscription = None
        if self._replay:
            self._replay.cancel()
            await asyncio.gather(self._replay, return_exceptions=True)
            self._replay = None

    async def _catch_up(self, subscription: Subscription) -> None:
        """Replay from the cursor until it has met the live stream; from there `deliver` goes on."""
        types = sorted(subscription.types) or None
        agent = next(iter(subscription.agents)) if len(subscription.agents) == 1 else None
        try:
            while subscription.cursor < self._hub.seq:
                if not await self._low():
                    return
                after = subscription.cursor
                try:
                    batch = await self._hub.ledger.poll(after, limit=_PAGE, agent=agent, types=types)
                except Unavailable as error:
                    # The live stream waits for the ledger too: the client misses nothing and need not come back.
                    log.info("a replay waits: %s", error)
                    await asyncio.sleep(_RETRY)
                    continue
                if after + 1 < batch.floor:
                    self._say(op="gap", **{"from": after + 1, "to": batch.floor - 1})
                for event in batch.events:
                    if subscription.wants(event):
                        self._outbox.put(self._hub.again(event).frame, event.seq)
                subscription.cursor = batch.next
            subscription.live = True
        except Exception:
            log.exception("a replay failed")
            self._end(_FAILED, f"replay failed; resume after {subscription.cursor}")


async def serve_plain(hub: Hub, access: Access, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one plain WebSocket connection; a wrong bearer token is refused before the handshake."""
    token = bearer(header(scope["headers"], b"authorization"))
    admitted = access.token_fits(token)
    if token is not None and not admitted:
        await refuse_websocket(scope, receive, send, 401, "The token is wrong")
        return
    socket = WebSocket(scope, receive, send)
    await socket.accept()
    await PlainClient(socket, hub, access, receive, send).run(admitted)

"""The hub's core: one subscription to the log, fanned out in this process to every kind of client."""

import asyncio
import json
import logging
from collections import OrderedDict, deque
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

from agents.errors import PolyfleetError
from agents.events import Event, parse_event
from agents.notifications import notification
from agents.ports import Batch, Ledger
from supervisor.api.frames import Frame

log = logging.getLogger(__name__)

#: Notifications that are remembered, and how many of them a new Socket.IO client is sent: the seed's figures.
RING = 100
HISTORY = 20

#: Seconds that one poll of the log waits for news, and between attempts when the log cannot be reached.
_WAIT = 20.0
_RETRY = 0.2

#: Events that are handed out before the clients' own tasks get their turn.
_CHUNK = 200

#: Deliveries that are remembered for replays: many clients that come back at once want the same.
_REMEMBERED = 2000


def encode(message: Any) -> str:
    """Write what a client gets as JSON."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


class Delivery:
    """One event on its way out; each form of it is made once, when the first client needs it."""

    def __init__(self, event: Event, note: dict[str, Any] | None) -> None:
        self.event = event
        self.notification = note

    @cached_property
    def frame(self) -> Frame:
        """The frame for plain WebSocket clients."""
        return Frame(encode({"op": "event", "event": self.event.json()}))


class Listener(Protocol):
    """One client, or all clients of one kind."""

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Take the next events at once; never wait."""

    async def drain(self) -> None:
        """Tell the client to come back, and close."""


class Hub:
    """Follows the log from its head and hands each event to all listeners, in order, once.

    `seq` is the newest event handed out, `floor` the oldest that the log can replay.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.seq = 0
        self.floor = 0
        self.draining = False
        self._ring: deque[dict[str, Any]] = deque(maxlen=RING)
        self._remembered: OrderedDict[int, Delivery] = OrderedDict()
        #: The plain clients, and all Socket.IO clients as one.
        self.listeners: set[Listener] = set()
        self._started = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def recent(self) -> list[dict[str, Any]]:
        """The last notifications, oldest first: what a new Socket.IO client is sent."""
        return list(self._ring)[-HISTORY:]

    def start(self) -> None:
        """Begin to follow; the log need not be there yet."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def started(self) -> None:
        """Wait until the ring is filled and the log is followed."""
        await self._started.wait()

    async def stop(self) -> None:
        """Send the clients away and stop following."""
        await self.drain()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def drain(self) -> None:
        """Tell all clients to reconnect elsewhere, and close them."""
        self.draining = True
        await asyncio.gather(*(listener.drain() for listener in list(self.listeners)), return_exceptions=True)

    def add(self, listener: Listener) -> None:
        """Deliver to this listener from now on."""
        self.listeners.add(listener)

    def remove(self, listener: Listener) -> None:
        """Deliver to it no more."""
        self.listeners.discard(listener)

    def again(self, event: Event) -> Delivery:
        """Return the delivery of an event that a replay has read: the same one as before, if it was not long ago."""
        return self._remembered.get(event.seq) or Delivery(event, None)

    async def _run(self) -> None:
        while True:
            try:
                if not self._started.is_set():
                    await self._fill()
                await self._follow()
            except PolyfleetError as error:
                log.warning("the log cannot be followed now: %s", error)
            except Exception:
                log.exception("following the log failed; trying again")
            await asyncio.sleep(_RETRY)

    async def _fill(self) -> None:
        """Read back through the log until the ring is full or the log ends."""
        before: int | None = None
        head = await self.ledger.head()
        found: deque[dict[str, Any]] = deque()
        while len(found) < RING:
            page = await self.ledger.history("events", limit=1000, before=before)
            events = (parse_event(item) for item in page.items)
            found.extendleft(note for event in events if event.seq <= head and (note := notification(event)))
            before = page.next
            if before is None:
                break
        self._ring.extend(list(found)[-RING:])
        self.floor = (await self.ledger.poll(head, limit=1)).floor
        self.seq = head
        self._started.set()

    async def _follow(self) -> None:
        """Poll for ever; the next poll is under way before what the last one brought is handed out."""
        poll = self._poll(self.seq)
        try:
            while True:
                batch = await poll
                poll = self._poll(batch.next)
                self.floor = batch.floor
                for start in range(0, len(batch.events), _CHUNK):
                    self._hand_out(batch.events[start : start + _CHUNK])
                    await asyncio.sleep(0)
                self.seq = max(self.seq, batch.next)
        finally:
            poll.cancel()

    def _poll(self, after: int) -> asyncio.Task[Batch]:
        return asyncio.get_running_loop().create_task(self._polled(after))

    async def _polled(self, after: int) -> Batch:
        return await self.ledger.poll(after, wait=_WAIT, reader="hub")

    def _hand_out(self, events: Sequence[Event]) -> None:
        self.seq = events[-1].seq
        deliveries = [self._remember(event) for event in events]
        self._ring.extend(delivery.notification for delivery in deliveries if delivery.notification)
        for listener in list(self.listeners):
            listener.deliver(deliveries)

    def _remember(self, event: Event) -> Delivery:
        delivery = self._remembered[event.seq] = Delivery(event, notification(event))
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return delivery

"""Tells one chat what the log says, in order, a burst as one message."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from actors.telegram.gateway import ChatGone, Flooded, Gateway, MarkupRefused, Refused, TokenRefused, Unreachable
from actors.telegram.outbox import Outbox, Pending, parse_outbox
from actors.telegram.pace import Pace
from actors.telegram.timing import Timing
from agents.alerts import texts
from agents.alerts.grouping import grouped
from agents.alerts.markup import unmarked
from agents.alerts.policy import SOURCE, AlertConfig, Level, Topic, topic
from agents.errors import PolyfleetError
from agents.events import Event, Type
from agents.fleet import FleetState
from agents.ports import Batch, Ledger

log = logging.getLogger(__name__)

#: Events looked at in one go, seconds after which the log is looked at unasked, and events after which the cursor is kept.
_BATCH = 300
_WAIT = 20.0
_KEEP = 1000

#: Milliseconds after which an alert is no longer told but counted.
_STALE = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class _Told:
    seq: int
    text: str
    silent: bool
    kind: str


class Delivery:
    """One chat's alerts.

    Before a message is sent it is stored, with the place in the log up to which it tells; once Telegram has taken it that is
    logged as a `telegram` event, and only then comes the next. So whenever the process is killed, nothing is lost, and at
    worst one message is sent twice: the one that Telegram had taken when nobody was left to log that. So is one that Telegram
    took without an answer in time.

    `config` and `state` return what counts now, `record` logs what became of a message, `report` an error.
    """

    def __init__(
        self,
        chat: str,
        *,
        ledger: Ledger,
        gateway: Gateway,
        pace: Pace,
        config: Callable[[], AlertConfig],
        state: Callable[[], FleetState | None],
        record: Callable[[dict[str, Any]], Awaitable[None]],
        report: Callable[[str], Awaitable[None]],
        timing: Timing,
    ) -> None:
        self._chat = chat
        self._ledger = ledger
        self._gateway = gateway
        self._pace = pace
        self._config = config
        self._state = state
        self._record = record
        self._report = report
        self._timing = timing
        self._kept = 0
        self._news = asyncio.Event()
        self._back = asyncio.Event()

    def wake(self) -> None:
        """Look at the log: something is there that is told."""
        self._news.set()

    def revive(self) -> None:
        """Try again if the chat could not be reached: it has written, or the settings were saved again."""
        self._back.set()

    async def run(self) -> None:
        """Go on for ever. Raises TokenRefused."""
        while True:
            try:
                outbox = await self._open()
                while True:
                    outbox = await self._step(outbox)
            except PolyfleetError as error:
                log.warning("alerts to a chat wait: %s", error)
            except TokenRefused:
                raise
            except Exception:
                log.exception("alerts to a chat failed; trying again")
            await self._timing.sleep(self._timing.retry)

    async def _open(self) -> Outbox:
        """Return what a former life has left."""
        stored = await self._ledger.document(self._name)
        if stored is None:
            return await self._save(Outbox(await self._ledger.head(), self._day(), self._totals()))
        outbox = parse_outbox(stored)
        if outbox.pending and await self._is_recorded(outbox.pending):
            return await self._save(outbox.settled())
        self._kept = outbox.cursor
        return outbox

    async def _step(self, outbox: Outbox) -> Outbox:
        if outbox.gone is not None:
            return await self._save(await self._wait_for_chat(outbox, outbox.gone))
        if outbox.pending is not None:
            return await self._save(await self._deliver(outbox, outbox.pending))
        found = self._summary(outbox) or await self._look(outbox)
        return await self._save(found) if found.pending or found.cursor - self._kept >= _KEEP else found

    async def _save(self, outbox: Outbox) -> Outbox:
        await self._ledger.put_document(self._name, outbox.wire())
        self._kept = outbox.cursor
        return outbox

    async def _look(self, outbox: Outbox) -> Outbox:
        """Return the outbox with the next message, or with its cursor further on if there is nothing to tell yet."""
        self._news.clear()
        batch = await self._read(outbox.cursor)
        if any(self._config().wants(event) is not Level.OFF for event in batch.events):
            await self._timing.sleep(self._timing.gather)
            batch = await self._read(outbox.cursor)
        if batch.head < outbox.cursor:
            log.error("a chat was told the log up to %d, and it ends at %d; going on there", outbox.cursor, batch.head)
            return replace(outbox, cursor=batch.head)
        told, stale = self._told(batch)
        notes = self._notes(outbox.cursor, batch, stale)
        if not told and not notes:
            if batch.next >= batch.head:
                await self._something_new()
            return replace(outbox, cursor=batch.next)
        text, count = grouped([*notes, *(each.text for each in _together(told))])
        shown = told[: count - len(notes)]
        through = batch.next if len(shown) == len(told) else shown[-1].seq if shown else outbox.cursor
        if not shown and told:
            # The notes alone fill the message: what follows them is told next.
            through = max(outbox.cursor, told[0].seq - 1)
        kinds = {each.kind for each in shown}
        kind = kinds.pop() if len(kinds) == 1 else "alerts"
        silent = bool(shown) and all(each.silent for each in shown)
        return replace(outbox, pending=Pending(f"{self._chat}/{through}", text, through, silent, kind))

    async def _read(self, cursor: int) -> Batch:
        return await self._ledger.poll(cursor, limit=_BATCH, types=self._config().types() or [Type.TELEGRAM])

    async def _something_new(self) -> None:
        """Wait for an event that is told, but not for ever: the day may end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_WAIT):
                await self._news.wait()

    def _told(self, batch: Batch) -> tuple[list[_Told], int]:
        """Return what is told of a batch, and how many alerts are too old for that."""
        config, oldest = self._config(), self._timing.now() - _STALE
        wanted = [(event, level) for event in batch.events if (level := config.wants(event)) is not Level.OFF]
        told = [self._one(event, level) for event, level in wanted if event.timestamp >= oldest]
        return told, len(wanted) - len(told)

    def _one(self, event: Event, level: Level) -> _Told:
        try:
            text = texts.alert(event)
        except Exception:
            # Data of a shape that nobody foresaw must not end the alerts.
            log.exception("event %s (seq %d) could not be put into words", event.id, event.seq)
            text = f"⚠️ Event {event.seq} could not be shown; /api/events?after={event.seq - 1} has it"
        return _Told(event.seq, text, level is Level.SILENT, str(topic(event)))

    def _notes(self, cursor: int, batch: Batch, stale: int) -> list[str]:
        notes = []
        if batch.floor > cursor + 1:
            notes.append(f"⚠️ Events {cursor + 1} to {batch.floor - 1} have left the log before they could be told.")
        if stale:
            notes.append(f"⚠️ {stale} alerts were more than a day old when they could be sent; the log has them.")
        return notes

    def _summary(self, outbox: Outbox) -> Outbox | None:
        """Return the outbox with the summary of the day that is over, if one is."""
        day, state = self._day(), self._state()
        if day == outbox.day or state is None:
            return None
        now = texts.totals(state)
        ended = replace(outbox, day=day, totals=now)
        level = self._config().effective(Topic.DAILY_SUMMARY)
        if level is Level.OFF or not outbox.totals:
            return ended
        text = texts.summary(self._day(-1), outbox.totals, now, state)
        name = str(Topic.DAILY_SUMMARY)
        return replace(ended, pending=Pending(f"{self._chat}/{name}/{day}", text, outbox.cursor, level is Level.SILENT, name))

    async def _deliver(self, outbox: Outbox, pending: Pending) -> Outbox:
        """Send, for as long as it takes, and log what came of it."""
        data = {"messageId": pending.id, "message": pending.text, "chatId": self._chat, "type": pending.kind}
        try:
            await self._send(pending)
        except TokenRefused:
            # Nothing is wrong with the message; it waits for the right token.
            raise
        except ChatGone as error:
            self._back.clear()
            await self._record(data | {"status": "failed", "error": str(error)})
            await self._report(
                f"Telegram chat {self._chat} cannot be reached: {error}; it gets no alerts until it writes again"
            )
            return replace(outbox.settled(), gone=self._timing.now())
        except Refused as error:
            await self._record(data | {"status": "failed", "error": str(error)})
        else:
            await self._record(data | {"status": "sent"})
        return outbox.settled()

    async def _send(self, pending: Pending) -> None:
        marked, text, attempt = True, pending.text, 0
        while True:
            await self._timing.sleep(self._pace.reserve(self._chat, self._timing.clock()))
            try:
                await self._gateway.send(self._chat, text, silent=pending.silent, marked=marked)
            except Flooded as error:
                self._pace.hold(self._chat, self._timing.clock() + error.seconds)
            except Unreachable as error:
                log.warning("message %s could not be sent, attempt %d: %s", pending.id, attempt + 1, error)
                await self._timing.back_off(attempt)
                attempt += 1
            except MarkupRefused as error:
                if not marked:
                    raise
                log.error("Telegram cannot read the markup of message %s; it goes without: %s", pending.id, error)
                marked, text = False, unmarked(text)
            else:
                return

    async def _wait_for_chat(self, outbox: Outbox, since: int) -> Outbox:
        """Wait until the chat is there again, and tell it that it has missed something."""
        await self._back.wait()
        head = await self._ledger.head()
        since_when = f"Alerts since {texts.local_time(since)} (UTC) were not sent"
        text = f"{since_when}, as this chat could not be reached; /status says how things are."
        pending = Pending(f"{self._chat}/back/{self._timing.now()}", text, head, False, "alerts")
        return replace(outbox, cursor=head, pending=pending, gone=None)

    async def _is_recorded(self, pending: Pending) -> bool:
        after = pending.through
        while True:
            batch = await self._ledger.poll(after, types=[Type.TELEGRAM])
            if any(event.source == SOURCE and event.data.get("messageId") == pending.id for event in batch.events):
                return True
            if batch.next >= batch.head or batch.next == after:
                return False
            after = batch.next

    @property
    def _name(self) -> str:
        return document_of(self._chat)

    def _day(self, shift: int = 0) -> str:
        return (datetime.fromtimestamp(self._timing.wall(), UTC) + timedelta(days=shift)).strftime("%Y-%m-%d")

    def _totals(self) -> dict[str, int]:
        state = self._state()
        return {} if state is None else texts.totals(state)


def _together(told: Sequence[_Told]) -> Sequence[_Told]:
    """Return the first alerts that one message may hold: the kill switch is never one of many."""
    for number, each in enumerate(told):
        if each.kind == Topic.KILL_SWITCH:
            return told[: number or 1]
    return told


def document_of(chat: str) -> str:
    """Return the name of the document that a chat's outbox is kept in."""
    return f"telegram/{chat}"

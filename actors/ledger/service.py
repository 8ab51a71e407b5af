"""The ledger's service: stores events in groups, keeps the newest in memory, folds them, and lets others follow."""

import asyncio
import functools
import logging
import pickle
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar, cast

from actors.ledger import snapshots
from actors.ledger.commits import GroupCommits
from actors.ledger.followers import Followers
from actors.ledger.recent import RecentEvents
from actors.ledger.retention import Retention, retention_from
from actors.ledger.upkeep import EVERY, Cut, Upkeep
from actors.naming import LEDGER
from actors.storage.engine import BUSY_TIMEOUT
from actors.storage.jobs import Append, OpenSource, PutDocument, Stored
from actors.storage.reader import LogReader
from actors.storage.rows import encode
from actors.storage.writer import LogWriter
from actors.system import SystemConfig
from agents.errors import InvalidInput, PolyfleetError
from agents.events import Event, Type
from agents.fleet import FleetState
from agents.ports import Batch, Page
from agents.unicode import may_be_torn, repaired

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: The most events of one poll or page, and the most seconds that a poll waits.
_LIMIT = 1000
_WAIT = 30.0

#: Questions to the disk that are answered at the same time.
_READERS = 2

#: Events that are folded in one go at the start.
_CHUNK = 5000

#: What the ledger's own events come from.
_SOURCE = "ledger"

#: What each kind of history is made of; orders are kept apart, as their latest states.
_KINDS: dict[str, frozenset[str] | None] = {
    "decisions": frozenset({Type.DECISION}),
    "trades": frozenset({Type.TRADE}),
    "forecasts": frozenset({Type.FORECAST}),
    "telegram": frozenset({Type.TELEGRAM}),
    "events": None,
}


class LedgerService:
    """Implements `agents.ports.Ledger` on the loop of its process; one thread writes, a few read.

    `clock` tells seconds of a monotonic clock, `wall` those of the epoch; `busy_timeout` is for how many seconds a commit
    waits for a locked database; a snapshot is taken `every` so many events. `retention` is the environment's unless given.
    """

    def __init__(
        self,
        config: SystemConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        busy_timeout: float = BUSY_TIMEOUT,
        retention: Retention | None = None,
        every: int = EVERY,
    ) -> None:
        self._config = config
        self._busy_timeout = busy_timeout
        self._retention = retention
        self._every = every
        self._wall = wall
        self._clock = clock
        self._head = 0
        self._floor = 1
        #: The seq of the snapshot that it began with.
        self._folded_to = 0
        self._state = FleetState()
        self._counts: Counter[tuple[str | None, str]] = Counter()
        self._recent = RecentEvents()
        self._followers = Followers(clock)
        self._news = asyncio.Event()
        self._snapshot: tuple[int, bytes] = (-1, b"")
        self._write_thread = ThreadPoolExecutor(1, "ledger-writer")
        self._read_threads = ThreadPoolExecutor(_READERS, "ledger-reader")

    async def start(self) -> None:
        """Open the log and fold it. Raises InvalidInput for a database that is not ours, Unavailable if it cannot be used."""
        retention = self._retention or retention_from()
        url = self._config.database_url
        self._writer = LogWriter(url, self._busy_timeout)
        self._reader = LogReader(url, self._busy_timeout, _READERS)
        try:
            await asyncio.get_running_loop().run_in_executor(self._write_thread, self._load)
        except BaseException:
            self._close()
            raise
        self._commits = GroupCommits(self._writer.commit, self._publish, self._write_thread, self._recovered)
        self._upkeep = Upkeep(
            *(self._writer, self._reader, self._write_thread, self._read_threads, retention, self._cut, self._raise_floor),
            behind=self._head - self._folded_to,
            every=self._every,
            wall=self._wall,
        )

    async def stop(self) -> None:
        """Store what was asked for and a snapshot, then close the database."""
        await self._commits.close()
        await self._upkeep.close()
        self._close()

    async def open_source(self, source: str) -> int:
        """Begin the next life of a source and return its incarnation (1, 2, 3, ...); earlier lives are refused from now on."""
        return cast(int, await self._commits.run(OpenSource(source)))

    async def append(self, events: Sequence[Event], signed: Mapping[str, bytes] = {}) -> list[int]:
        """Store events, and signed orders by order id, in one commit; return each event's seq.

        An event id that is stored already keeps its seq. Raises StaleIncarnation for an event of an earlier life, and
        InvalidInput for one that is malformed. A source that writes without `open_source` thereby opens its life.
        """
        if not events and not signed:
            return []
        stored, texts = zip(*map(_encoded, events), strict=True) if events else ((), ())
        return cast(list[int], await self._commits.run(Append(stored, texts, signed)))

    async def poll(
        self,
        after: int,
        *,
        limit: int = _LIMIT,
        wait: float = 0.0,
        agent: str | None = None,
        types: Sequence[str] | None = None,
        follower: str | None = None,
        reader: str | None = None,
    ) -> Batch:
        """Return events after a cursor, waiting up to `wait` seconds for the first.

        A `follower` that names itself says by `after` what it has applied: see `barrier`. It is told a moment later,
        of all that has gathered by then, unless somebody waits for it. A `reader` is told at once, and only known by name.
        """
        wanted = _types(types)
        limit = max(1, min(limit, _LIMIT))
        cursor = after
        deadline = self._clock() + min(wait, _WAIT)
        with self._followers.polling(follower or reader, after, awaited=follower is not None):
            while True:
                news = self._news
                events, cursor = await self._after(cursor, limit, agent, wanted)
                rest = deadline - self._clock()
                if events or rest <= 0 or not await _set_within(news, rest):
                    break
            if events and follower is not None and wait:
                await self._followers.gathered()
                events, cursor = await self._after(after, limit, agent, wanted)
        return Batch(events, cursor, self._floor, self._head)

    async def barrier(self, seq: int, timeout: float = 2.0) -> bool:
        """Wait until every live follower has applied `seq`; False if one is late (it is then no longer waited for)."""
        return await self._followers.applied(seq, timeout)

    async def head(self) -> int:
        """Return the seq of the newest event."""
        return self._head

    async def snapshot(self) -> FleetState:
        """Return the folded state up to the head: a copy of the caller's own."""
        return cast(FleetState, pickle.loads(self._pickled()))  # noqa: S301

    async def history(self, kind: str, agent: str | None = None, *, limit: int = 100, before: int | None = None) -> Page:
        """Return `decisions`, `trades`, `forecasts`, `telegram`, `events` or `orders` (latest state of each), newest first.

        Items are the events as clients see them for `events`; else their data, with `seq` and `agentId` beside, and for
        `orders` with `created`. The cursor of an order is the seq of its first event. Raises InvalidInput for another kind.
        """
        limit = max(1, min(limit, _LIMIT))
        until = self._head + 1 if before is None else min(before, self._head + 1)
        if kind == "orders":
            items = await self._ask(self._reader.orders, until, limit + 1, agent)
            total = await self._ask(self._reader.count_orders, agent)
        elif kind in _KINDS:
            types = _KINDS[kind]
            stored = await self._ask(self._reader.newest, until, limit + 1, agent, types)
            items = [_item(one.event, whole=types is None) for one in stored]
            total = sum(
                count
                for (owner, type), count in self._counts.items()
                if (agent is None or owner == agent) and (types is None or type in types)
            )
        else:
            raise InvalidInput(f"history: there is no {kind!r}; expected orders, {', '.join(_KINDS)}")
        shown = items[:limit]
        return Page(shown, total, shown[-1]["seq"] if len(items) > limit else None)

    async def unsettled_orders(self, wallet: str) -> list[tuple[dict[str, Any], bytes | None]]:
        """Return the latest data (with agentId, created, and decisionId) and signed bytes of orders that are not settled."""
        return await self._ask(self._reader.unsettled, wallet)

    async def order(self, order_id: str) -> dict[str, Any] | None:
        """Return the latest data of one order (with agentId and created), or None."""
        return await self._ask(self._reader.order, order_id)

    async def dropped_fills(self, wallet: str) -> dict[str, int]:
        """Return fills whose events have left the log, as far as the venue may report them again: trade id/order id to time."""
        return await self._ask(self._reader.fills, wallet)

    async def document(self, name: str) -> Any | None:
        """Return a stored JSON document (settings and the like), or None."""
        return await self._ask(self._reader.document, name)

    async def put_document(self, name: str, content: Any) -> None:
        """Store a JSON document. Raises InvalidInput for what is not JSON."""
        try:
            text = encode(content)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"document {name!r} is not JSON: {error}") from None
        await self._commits.run(PutDocument(name, text))

    async def control_queues(self) -> dict[str, dict[str, int]]:
        """Return the jobs that wait for the disk, and the events that wait for each follower; it runs on the control thread."""
        events = {name: {"log": count} for name, count in self._followers.behind(self._head).items()}
        return events | {LEDGER: {"commits": self._commits.depth}}

    async def _after(self, seq: int, limit: int, agent: str | None, types: frozenset[str] | None) -> tuple[list[Event], int]:
        """Return the events after a seq, and the seq up to which none is missing but those below the floor."""
        head = self._head
        if seq >= head:
            return [], seq
        seq = max(seq, self._floor - 1)
        if self._recent.reaches(seq):
            events = self._recent.after(seq, limit, agent, types)
        else:
            stored = await self._ask(self._reader.events, seq, head, limit, agent, types)
            # What has sunk below the floor meanwhile is told as a gap, so it must not come as well.
            events = [one.event for one in stored if one.event.seq >= self._floor]
            if len(stored) == limit:
                return events, stored[-1].event.seq
        return events, events[-1].seq if len(events) == limit else head

    async def _ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        asked = functools.partial(question, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._read_threads, asked)

    def _load(self) -> None:
        """Open the log and fold it, on the writer's thread; the loop serves nothing yet."""
        started = time.perf_counter()
        head = self._writer.open()
        self._floor = self._reader.floor()
        if folded := snapshots.newest(self._reader.snapshots(), self._floor):
            self._head, self._state, self._counts = folded
        self._folded_to = self._head
        while self._head < head:
            stored = self._reader.events(self._head, head, _CHUNK)
            self._fold(stored)
        log.info("the log reaches %d, folded from %d on in %.1f s", head, self._folded_to + 1, time.perf_counter() - started)

    def _publish(self, stored: list[Stored]) -> None:
        """Show what a commit has stored to all who look, on the loop."""
        if not stored:
            return
        self._fold(stored)
        self._upkeep.note(stored)
        self._news.set()
        self._news = asyncio.Event()

    def _fold(self, stored: list[Stored]) -> None:
        for one in stored:
            try:
                self._state.apply(one.event)
            except Exception:
                # It is on disk for ever: refusing to go on would end the fleet for one bad event.
                log.exception("event %s (seq %d) could not be folded; it is left out", one.event.id, one.event.seq)
        self._counts.update((one.event.agent_id, str(one.event.type)) for one in stored)
        self._recent.extend(stored)
        self._head = stored[-1].event.seq

    def _pickled(self) -> bytes:
        seq, pickled = self._snapshot
        if seq != self._head:
            pickled = pickle.dumps(self._state, pickle.HIGHEST_PROTOCOL)
            self._snapshot = (self._head, pickled)
        return pickled

    def _cut(self) -> Cut:
        pending = frozenset(key.split("/")[1] for key in self._state.portfolio.pending)
        return Cut(self._head, self._floor, self._pickled(), self._counts.copy(), pending)

    def _recovered(self, seconds: float, reason: str) -> None:
        self._telling = asyncio.get_running_loop().create_task(self._tell(seconds, reason))

    async def _tell(self, seconds: float, reason: str) -> None:
        """Log for how long nothing could be logged, as an event of a life of its own."""
        message = f"nothing could be logged for {seconds:.1f} s, and nobody traded: {reason}"
        try:
            life = await self.open_source(_SOURCE)
            data = {"message": message, "code": "store"}
            await self.append([Event(f"{_SOURCE}/{life}/1", Type.ERROR, _SOURCE, None, life, int(self._wall() * 1000), data)])
        except PolyfleetError as error:
            log.warning("the log cannot say this: %s (%s)", message, error)

    def _raise_floor(self, seq: int) -> None:
        """Tell readers of a gap before it is made, so that none meets one unannounced."""
        self._floor = seq

    def _close(self) -> None:
        self._write_thread.shutdown()
        self._read_threads.shutdown()
        self._reader.close()
        self._writer.close()


async def _set_within(news: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await news.wait()
    except TimeoutError:
        return False


def _encoded(event: Event) -> tuple[Event, str]:
    """Return an event as it is stored, and its data as JSON text; raises InvalidInput for one that must not be stored."""
    if not event.id.startswith(f"{event.source}/{event.incarnation}/"):
        raise InvalidInput(
            f"event {event.id!r} must have an id {event.source}/{event.incarnation}/n: its source's, then a count"
        )
    if event.type is Type.ORDER and not event.data.keys() >= {"orderId", "wallet", "status"}:
        raise InvalidInput(f"event {event.id!r} is an order without orderId, wallet or status")
    try:
        text = encode(event.data)
        if may_be_torn(text):
            event = replace(event, data=repaired(event.data))
            text = encode(event.data)
        return event, text
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the data of event {event.id!r} is not JSON: {error}") from None


def _types(types: Sequence[str] | None) -> frozenset[str] | None:
    if unknown := set(types or ()) - set(Type):
        raise InvalidInput(f"types: {min(unknown)!r} is no type of event; there are {', '.join(Type)}")
    return frozenset(types) if types else None


def _item(event: Event, *, whole: bool) -> dict[str, Any]:
    return event.json() if whole else event.data | {"seq": event.seq, "agentId": event.agent_id}

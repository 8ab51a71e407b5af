"""The simulated venue as one object: exchange, markets, clock, background flow and store."""

import heapq
import logging
import math
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from actors.sandbox.categories import tick_at
from actors.sandbox.clock import VenueClock
from actors.sandbox.exchange import Exchange
from actors.sandbox.faults import Faults
from actors.sandbox.flow import STEPS, Flow
from actors.sandbox.listing import Listing
from actors.sandbox.named_faults import NamedFaults
from actors.sandbox.press import Press
from actors.sandbox.recorded_world import RecordedWorld, date_of, start_of
from actors.sandbox.recording import parse, read
from actors.sandbox.records import Change, MarketResolved
from actors.sandbox.restoration import restore
from actors.sandbox.script import Script, World
from actors.sandbox.store import Store
from actors.sandbox.synthetic_world import SyntheticWorld
from agents.errors import InvalidInput
from agents.money import Micro

log = logging.getLogger(__name__)

#: Venue seconds in a wall second, by default.
_SYNTHETIC_SPEED = 60.0
_RECORDED_SPEED = 5000.0
#: Wall seconds after which everything is committed, the clock too, though no client may have seen a change.
_COMMIT_EVERY = 1.0
#: Flow steps that a late tick makes up for at most.
_MOST_STEPS = 2 * STEPS


@dataclass(frozen=True, slots=True)
class VenueConfig:
    """How a venue is set up. `markets_file`, `start`, `seed` and `wallets` count for a new data directory only.

    `data_dir` None keeps everything in memory; `speed` None is 60 for synthetic markets and 5000 for recorded ones;
    `start` is an ISO date; wallets are (address, pUSD millionths).
    """

    data_dir: str | None = None
    markets_file: str | None = None
    start: str | None = None
    seed: int = 0
    speed: float | None = None
    wallets: tuple[tuple[str, Micro], ...] = ()


class Venue:
    """A running venue. Raises InvalidInput for a corrupt markets file, start date, speed or data directory."""

    exchange: Exchange
    press: Press
    #: What goes wrong here, by name.
    faults: NamedFaults
    #: Lines for the user, such as which settings were ignored because the data directory is not new.
    notes: tuple[str, ...]

    def __init__(self, config: VenueConfig, wall: Callable[[], float] = time.time, faults: Faults | None = None) -> None:
        if config.speed is not None and not (config.speed > 0 and math.isfinite(config.speed)):
            raise InvalidInput(f"speed {config.speed} is wrong; expected a number above 0")
        self._wall = wall
        self._store = Store(config.data_dir)
        facts = self._store.facts()
        lines: list[bytes] = []
        try:
            self._world = _old_world(facts, self._store.recording()) if facts else _new_world(config, wall(), lines)
        except InvalidInput:
            self._store.close()
            raise
        self._seed = int(facts.get("seed", config.seed))
        self._life = int(facts.get("life", 0)) + 1
        self._opened = int(facts.get("opened", -1))
        self._step = int(facts.get("step", 0))
        self._committed = wall()
        self._idle = False
        speed = config.speed or (_SYNTHETIC_SPEED if self._world.last is None else _RECORDED_SPEED)
        self._clock = VenueClock(wall, int(facts.get("clock", self._world.start)), speed)
        self._origin = (self._step, self.now)
        self.faults = NamedFaults(self._seed, wall)
        self.exchange = Exchange(wall, self._clock.now, faults or self.faults, Random(f"{self._seed}/life/{self._life}"))
        self.exchange.floor.archive = self._store.order
        self.press = Press(self._seed, self._world.script, self.exchange, self._clock.now)
        self._flow = Flow(self.exchange, self._seed)
        self.exchange.subscribe(self._ended)
        self._resolving: list[tuple[int, str]] = []
        self.notes = self._begin_again(config, facts) if facts else self._begin(config)
        self._quoted = False
        if not facts:
            self._quote()
        self._commit(lines)

    def _begin(self, config: VenueConfig) -> tuple[str, ...]:
        for address, cash in config.wallets:
            self.exchange.fund(address, cash)
        self._open(self.now)
        return () if self._resolving else (f"no market is open on {date_of(self.now)}, where the venue's clock starts",)

    def _begin_again(self, config: VenueConfig, facts: dict[str, Any]) -> tuple[str, ...]:
        floor = self.exchange.floor
        floor.deposited = int(facts["deposited"])
        restore(self._store, self.exchange)
        for listing in floor.listings.values():
            if not listing.record.closed:
                self._follow(self._world.script(listing.record), listing)
        strangers = [address for address, _ in config.wallets if address.lower() not in floor.accounts.all]
        ignored = {
            "markets file": config.markets_file is not None,
            "start": config.start is not None,
            f"seed {config.seed}": config.seed not in (0, self._seed),
            f"funds for {', '.join(strangers)}": bool(strangers),
        }
        names = [name for name, given in ignored.items() if given]
        if not names:
            return ()
        where = f"{config.data_dir} holds a venue already, which goes on from {date_of(self.now)}"
        return (f"ignored because {where}: {', '.join(names)}",)

    @property
    def now(self) -> int:
        """The venue's time in epoch milliseconds."""
        return self._clock.now()

    @property
    def speed(self) -> float:
        """How many venue seconds pass in one wall second."""
        return self._clock.speed

    @property
    def idle(self) -> bool:
        """Whether the last market has resolved, so that nothing will ever trade again."""
        return self._idle

    def tick(self) -> None:
        """Do what is due: settlements, delays, expiries, heartbeats, openings, resolutions, background flow."""
        now = self.now
        self.exchange.run_due()
        if not self._quoted:
            self._quote()
        self._open(now)
        self._resolve(now)
        first, origin = self._origin
        due = first + int((now - origin) * STEPS / (1000 * self.speed))
        for step in range(max(self._step, due - _MOST_STEPS), due):
            self._flow.run(step, now)
        self._step = due
        if self._wall() - self._committed >= _COMMIT_EVERY:
            self._commit()

    def _quote(self) -> None:
        """Let the house quote every open market; after a restart that is the first thing that happens, not part of it."""
        self._flow.quote_all(self._step, self.now)
        self._quoted = True

    def commit(self) -> None:
        """Make all that a client may see durable; call it before answering one. Cheap when nothing changed."""
        if self.exchange.floor.journal.urgent or self._store.waiting:
            self._commit()

    def history(self, token_id: str, start: int, end: int) -> list[tuple[int, Micro]]:
        """Return a token's prices (venue milliseconds, price) within [start, end] and never after now, oldest first.

        The point in force at `start` is not included; a resolved market's last point is its payout. Empty if unknown.
        """
        record = self.exchange.market_by_token(token_id)
        if record is None:
            return []
        script = self._world.script(record)
        until = min(end, self.now if record.closed else min(self.now, script.resolves - 1))
        return script.history(record.index(token_id), start, until)

    def get_document(self, name: str) -> str | None:
        """Return a text that `put_document` stored (wallet keys of a stand-alone sandbox, say)."""
        return self._store.document(name)

    def put_document(self, name: str, text: str) -> None:
        """Store a text under a name, with the next commit."""
        self._store.put_document(name, text)

    def close(self) -> None:
        """Commit, with the clock's exact position, and let go of the data directory."""
        self._commit(closing=True)
        self._store.close()

    def _open(self, now: int) -> None:
        new = self._opened < 0
        for script in self._world.opening(self._opened, now):
            if new and script.resolves <= now:
                continue
            tick = min(script.record.tick, tick_at(script.price(now)))
            self._follow(script, self.exchange.open_market(replace(script.record, tick=tick)))
        self._opened = now

    def _follow(self, script: Script, listing: Listing) -> None:
        self._flow.add(script, listing)
        heapq.heappush(self._resolving, (script.resolves, listing.record.condition_id))

    def _resolve(self, now: int) -> None:
        while self._resolving and self._resolving[0][0] <= now:
            resolves, condition_id = heapq.heappop(self._resolving)
            listing = self.exchange.floor.listings[condition_id]
            payouts = self._world.script(listing.record).payouts
            self.exchange.resolve(condition_id, payouts, resolves)
        if not self._idle and self._world.last is not None and now >= self._world.last:
            self._idle = True
            line = f"the last market resolved on {date_of(self._world.last)}: nothing trades any more"
            self.notes += (line,)
            log.info(line)

    def _ended(self, change: Change) -> None:
        """Quote a market no more that has resolved, whyever it has."""
        if isinstance(change, MarketResolved):
            self._flow.remove(self.exchange.floor.listings[change.market.condition_id])

    def _commit(self, recording: Iterable[bytes] = (), *, closing: bool = False) -> None:
        # Until the next commit clients see later times than now's: after a kill the clock goes on behind all of them.
        ahead = 0 if closing else int(2 * _COMMIT_EVERY * 1000 * self.speed)
        facts = {
            "seed": self._seed,
            "life": self._life,
            "start": self._world.start,
            "recorded": self._world.last is not None,
            "clock": self.now + ahead,
            "opened": self._opened,
            "step": self._step,
            "deposited": self.exchange.floor.deposited,
        }
        self._store.commit(self.exchange, facts, recording)
        self._committed = self._wall()


def _old_world(facts: dict[str, Any], lines: Iterable[bytes]) -> World:
    if not facts["recorded"]:
        return SyntheticWorld(facts["seed"], facts["start"])
    markets = (parse(zlib.decompress(line), f"stored market {number}") for number, line in enumerate(lines, start=1))
    return RecordedWorld(markets, facts["start"])


def _new_world(config: VenueConfig, wall: float, lines: list[bytes]) -> World:
    """Make the world that a configuration asks for; a markets file's lines are added to `lines`, to be stored."""
    try:
        start = None if config.start is None else start_of(config.start)
    except ValueError as error:
        raise InvalidInput(f"start date: {error}") from None
    if config.markets_file is None:
        return SyntheticWorld(config.seed, int(wall) * 1000 if start is None else start)
    markets = []
    for line, market in read(config.markets_file):
        lines.append(zlib.compress(line))
        markets.append(market)
    return RecordedWorld(markets, start)

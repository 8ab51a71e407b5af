"""Looks at losses and breakers about once a second, and stops what must stop: an event in the log, and the buys cancelled."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from actors.brokerage.breakers import Breakers
from actors.brokerage.desk import Desk
from actors.brokerage.limits import Limits
from actors.brokerage.orders import Order
from actors.polymarket.server_time import ServerTime
from agents.errors import PolyfleetError
from agents.events import Event, Type
from agents.limits.exposure import FLEET, agent_of, agent_scope, wallet_scope
from agents.limits.losses import Findings, High, day_of, look, results
from agents.limits.state import Stop, marks_data, resumed_data, stop_data
from agents.model import Side
from agents.portfolio import UNALLOCATED

log = logging.getLogger(__name__)

#: Seconds between looks, and between questions for the venue's time.
_LOOK = 1.0
_CLOCK = 10.0
#: Seconds for which an event of this broker may take to come back from the log.
_FOLLOWED = 5.0
#: Looks in a row that a loss must be seen at before it stops anything: a book may be gone for a moment.
_SEEN = 2


class Watch:
    """Watches the wallet's agents, the wallet and, as every broker does, the fleet. `cancel` cancels orders."""

    def __init__(
        self,
        desk: Desk,
        limits: Limits,
        breakers: Breakers,
        cancel: Callable[[Sequence[Order]], Awaitable[object]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk = desk
        self._limits = limits
        self._breakers = breakers
        self._cancel = cancel
        self._monotonic = monotonic
        self._begun = asyncio.Event()
        self._highs: dict[str, High] = {}
        #: By scope and rule, at how many looks in a row a loss was seen.
        self._seen: dict[tuple[str, str], int] = {}

    async def run(self, clock: ServerTime) -> None:
        """Look until cancelled. What fails is tried again; while nothing can be seen nothing is bought."""
        asked = -_CLOCK
        self._begun.clear()
        try:
            while True:
                try:
                    await self.look()
                    if self._monotonic() - asked >= _CLOCK:
                        asked = self._monotonic()
                        self._breakers.clock(await clock.now(), self._desk.wall())
                except PolyfleetError as error:
                    log.warning("%s could not look at its risks: %s", self._desk.name, error)
                except Exception:
                    log.exception("%s could not look at its risks", self._desk.name)
                await asyncio.sleep(_LOOK)
        finally:
            await clock.close()

    async def begun(self, seconds: float) -> bool:
        """Wait for the first look, at most so many seconds; return whether there was one."""
        try:
            async with asyncio.timeout(seconds):
                await self._begun.wait()
        except TimeoutError:
            return False
        return True

    async def look(self) -> None:
        """Look once. Raises Unavailable."""
        try:
            await self._compare()
        finally:
            # Most of all where the feed does not answer.
            await self._withdraw()

    async def _compare(self) -> None:
        """Compare breakers and losses with what they may be."""
        desk, limits = self._desk, self._limits
        try:
            await limits.quotes.refresh()
        finally:
            # A feed that does not answer is what one of the breakers is there for.
            await self._look_at_breakers()
        settings = desk.fleet.risk.settings
        if settings is not None:
            held = {token for wallet in desk.portfolio.wallets for token in desk.portfolio.shares(wallet)}
            worths = await limits.quotes.worths(sorted(held), desk.fleet.resolutions)
            now = await desk.clock.now()
            found = results(desk.portfolio, worths)
            specs = {id: record.spec for id, record in desk.fleet.agents.items()}
            own = {FLEET, wallet_scope(desk.wallet.name)}
            own |= {agent_scope(id) for id, spec in specs.items() if spec.wallet == desk.wallet.name}
            found = {scope: result for scope, result in found.items() if scope in own}
            findings = look(desk.fleet.risk, settings, specs, found, limits.holdings().capital, day_of(now), self._highs)
            self._highs = findings.highs
            await self._tell(findings, now)
        limits.looked = self._monotonic()
        self._begun.set()

    async def _tell(self, findings: Findings, now: int) -> None:
        source = self._desk.source
        broken = {(scope, str(stop.rule)): stop for scope, stops in findings.stops.items() for stop in stops}
        self._seen = {key: self._seen.get(key, 0) + 1 for key in broken}
        stops = {key[0]: stop for key, stop in broken.items() if self._seen[key] >= _SEEN}
        events = [source.event(Type.INFO, marks_data(findings.marks, now))] if findings.marks else []
        for scope, stop in stops.items():
            log.warning("%s", stop.message)
            events.append(source.event(Type.RISK, stop_data(scope, stop, now), agent_of(scope)))
        await self._store(events, stops)

    async def _look_at_breakers(self) -> None:
        desk, settings = self._desk, self._desk.fleet.risk.settings
        if settings is None:
            return
        now, scope = desk.clock.reckoned, wallet_scope(desk.wallet.name)
        on = frozenset(desk.fleet.risk.stops.get(scope, {}))
        age = self._limits.quotes.age
        began, ended = self._breakers.look(settings.breakers, desk.wallet.name, age, day_of(now), on)
        events = [desk.source.event(Type.RISK, stop_data(scope, stop, now)) for stop in began]
        if ended:
            message = f"{', '.join(ended)}: wallet {desk.wallet.name} may buy again"
            events.append(desk.source.event(Type.RISK, resumed_data(scope, ended, message)))
        for event in events:
            log.warning("%s", event.data["message"])
        await self._store(events, {scope: began[0]} if began else {})

    async def _store(self, events: Sequence[Event], stops: dict[str, Stop]) -> None:
        """Log events; from now on the stops among them count, not only once they have come back from the log."""
        if not events:
            return
        desk, coming = self._desk, self._limits.coming
        coming.update(stops)
        try:
            seq = await desk.record(events)
            while not await desk.follower.reached(seq, _FOLLOWED):
                log.warning("%s has not read back yet what it has stopped", desk.name)
        finally:
            for scope in stops:
                coming.pop(scope, None)

    async def _withdraw(self) -> None:
        """Cancel what may still buy in a scope that is stopped."""
        unwanted = [
            order
            for order in self._desk.orders.open()
            if order.side is Side.BUY and not order.in_doubt and self._limits.stop(order.agent_id or UNALLOCATED)
        ]
        if unwanted:
            await self._cancel(unwanted)

"""The broker of one wallet: the only process that holds its key, and the only way from a decision to the venue."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

from actors import remote
from actors.brokerage.approvals import Approvals
from actors.brokerage.booking import Booking
from actors.brokerage.breakers import Breakers
from actors.brokerage.check import Check
from actors.brokerage.desk import Desk
from actors.brokerage.entry import Entry
from actors.brokerage.heartbeat import Heartbeat
from actors.brokerage.limits import Limits
from actors.brokerage.orders import Order
from actors.brokerage.payouts import Payouts
from actors.brokerage.quotes import Quotes
from actors.brokerage.reconciliation import Reconciliation
from actors.brokerage.recovery import Recovery
from actors.brokerage.redemption import Redemption
from actors.brokerage.sell_out import SellingOut
from actors.brokerage.user_channel import UserChannel
from actors.brokerage.venue_session import connect
from actors.brokerage.wallet_key import read_key
from actors.brokerage.watch import Watch
from actors.polymarket.server_time import ServerTime
from actors.polymarket.trading import SignedOut
from actors.settings import heartbeat_from
from actors.system import SystemConfig
from actors.venue_location import locate, venue_time
from agents.errors import PolyfleetError, Unavailable, VenueRefused, VenueUnknown
from agents.model import Account, Holding
from agents.money import Micro
from agents.ports import Endpoints, Intent, Ledger, MarketFeed, Placed, Wallet

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Updates of the user channel that are booked side by side: the order does not matter, and one commit takes several.
_BOOKERS = 8
#: Seconds between looks at orders of which it is not known what came of them.
_TICK = 0.5
#: Seconds between two reconciliations with the venue, and between two comparisons of the balances: while they agree, and
#: while they differ or that cannot be told.
_RECONCILE = 5.0
_COMPARE = 30.0
_COMPARE_AGAIN = 3.0
#: Attempts to compare the balances at a start.
_LOOKS = 5
#: Seconds for which the venue may leave questions unanswered before the broker connects again.
_UNANSWERED = 15.0
#: Seconds that a start waits for the first look at risks; until there was one nothing is bought.
_FIRST_LOOK = 5.0
#: Seconds before the next attempt to connect, at first and at most.
_SHORTEST_WAIT, _LONGEST_WAIT = 0.5, 15.0
#: Seconds that `admit` waits for the log.
_LOG_PATIENCE = 10.0


class BrokerService:
    """Implements `agents.ports.Broker`.

    `start` returns at once: the broker connects, settles with the venue what is open, and comes back by itself when it
    loses the venue or the ledger. Until then its methods raise Unavailable with the reason.
    """

    def __init__(
        self,
        config: SystemConfig,
        wallet: Wallet,
        *,
        ledger: Ledger | None = None,
        feed: MarketFeed | None = None,
        where: Callable[[], Awaitable[Endpoints]] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._where = where or (lambda: locate(config))
        now = feed.now if feed else partial(venue_time, config)
        self._desk = Desk(wallet, ledger or remote.ledger(), feed or remote.market_feed(deadline=10.0), wall, now)
        self._booking = Booking(self._desk)
        limits, breakers = Limits(self._desk, Quotes(self._desk.feed)), Breakers()
        self._entry = Entry(self._desk, self._booking, limits, breakers)
        self._approvals = Approvals(self._desk, self._entry)
        self._watch_risk = Watch(self._desk, limits, breakers, self.withdraw)
        self._recovery = Recovery(self._desk, self._booking)
        self._redemption = Redemption(self._desk, self._booking)
        self._payouts = Payouts(self._desk, self._redemption)
        self._check = Check(self._desk, self._booking)
        self._reconciliation = Reconciliation(self._desk, self._check)
        self._channel = UserChannel(self._desk, self._booking)
        self._selling = SellingOut(self._desk, self._entry)
        self._heartbeat = Heartbeat(self._desk, on=heartbeat_from())
        self._tasks: list[asyncio.Task[Any]] = []
        self._ready = False
        self._reason = "it is starting"
        self._loaded = False
        self._watched: set[str] = set()
        #: When orders and trades were last reconciled, and the balances compared, on the monotonic clock; and whether the
        #: latest comparison could tell.
        self._reconciled = self._compared = 0.0
        self._told = True

    def __repr__(self) -> str:
        return self._desk.name

    async def start(self) -> None:
        """Begin to connect."""
        self._tasks = [self._spawn(work) for work in (self._live(), *(self._channel.book() for _ in range(_BOOKERS)))]

    async def stop(self) -> None:
        """End everything at once, as if the process had died."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._desk.follower.stop()

    async def admit(self, agent_id: str, incarnation: int, seq: int) -> None:
        """Let this life of an agent trade once the log is known up to `seq`; earlier lives are refused from now on."""
        if not await self._desk.follower.reached(seq, _LOG_PATIENCE):
            raise Unavailable(f"{self._desk.name} has not read the log up to {seq} yet")
        self._entry.admit(agent_id, incarnation)

    async def account(self, agent_id: str) -> Account:
        """Return an agent's free cash, holdings and open orders."""
        self._check_ready()
        desk = self._desk
        positions = desk.book(agent_id).positions
        return Account(
            cash=desk.free_cash(agent_id),
            holdings={token: Holding(token, held.size, held.cost) for token, held in positions.items() if held.size > 0},
            orders=tuple(order.view for order in desk.orders.open(agent_id)),
        )

    async def execute(
        self, agent_id: str, incarnation: int, intents: Sequence[Intent], cancels: Sequence[str] = ()
    ) -> list[Placed]:
        """Cancel first, then place in order; the answer comes when each outcome is known and logged.

        Raises StaleIncarnation, or Unavailable while it reconciles, is halted or cannot reach the venue.
        """
        self._check_ready()
        return await self._uninterrupted(self._entry.execute(agent_id, incarnation, intents, cancels))

    async def cancel(self, *, order_id: str | None = None, agent_id: str | None = None, condition_id: str | None = None) -> int:
        """Cancel the fleet's resting orders that are all that is named, and return how many there were."""
        self._check_ready()
        found = [
            order
            for order in self._desk.orders.open(agent_id)
            if order_id in (None, order.id) and condition_id in (None, order.market.condition_id)
        ]
        return await self.withdraw(found)

    async def withdraw(self, orders: Iterable[Order]) -> int:
        """Cancel these orders and book how they ended, even if whoever asked is cancelled; return how many there were."""
        return await self._uninterrupted(self._entry.cancel(orders))

    async def decide(self, approval_id: str, approve: bool, by: str) -> list[Placed]:
        """Send the orders that wait for a person under an id, or reject them; `by` says who decided.

        Raises NotFound, Conflict if it was decided before or they can be sent no more, or Unavailable.
        """
        self._check_ready()
        return await self._uninterrupted(self._approvals.decide(approval_id, approve=approve, by=by))

    async def cancel_agent(self, agent_id: str) -> int:
        """Cancel all resting orders of an agent and return how many there were."""
        self._check_ready()
        return await self._uninterrupted(self._entry.cancel_agent(agent_id))

    async def cancel_all(self) -> int:
        """Cancel all resting orders of the wallet."""
        self._check_ready()
        return await self._uninterrupted(self._entry.cancel_all())

    async def halt(self, reason: str | None) -> None:
        """Refuse all new orders for a reason, or lift that with None."""
        self._entry.halt(reason)
        if reason is not None and not self._ready:
            # It settles first what is open and cancels nothing by its books yet; the venue can do it by its own.
            with suppress(PolyfleetError):
                await self._desk.venue.cancel_all()

    async def check(self) -> dict[str, Any]:
        """Compare the books with the venue at one cut.

        Returns {wallet, address, venueCash, ledgerCash, positions, pending, differences, blocked}.
        """
        self._check_ready()
        return await self._uninterrupted(self._check.check())

    async def adjust(self, cash: Micro, shares: Mapping[str, Micro], reason: str, agent_id: str | None = None) -> None:
        """Book a difference between venue and books that an operator has looked at: to an agent, or to nobody.

        Raises Conflict if it is not the difference, NotFound for a strange agent, Unavailable while something is in flight.
        """
        self._check_ready()
        await self._uninterrupted(self._reconciliation.adjust(cash, shares, reason=reason, owner=agent_id))

    async def examine(self) -> list[dict[str, Any]]:
        """Look at what must be right for trading: hosts, place, clock, account, money. Changes nothing."""
        from actors.polymarket.examination import examine_venue, examine_wallet

        endpoints, wallet, live = await self._where(), self._desk.wallet, self._config.mode != "paper"
        found = await examine_venue(endpoints, trading=live, geoblock=self._config.geoblock)
        if live:
            key = read_key(wallet)
            found += await examine_wallet(
                endpoints,
                name=wallet.name,
                address=wallet.address,
                private_key=key.private,
                gasless=key.gasless,
                needed=None,
            )
        return [asdict(finding) for finding in found]

    async def ready(self) -> bool:
        """Whether it has settled with the venue what was open, and compared the books with it."""
        return self._ready

    async def control_queues(self) -> dict[str, dict[str, int]]:
        """Return orders with an unknown outcome and updates that are not booked; it runs on the control thread."""
        in_doubt = sum(order.in_doubt for order in self._desk.orders.open())
        return {self._desk.name: {"orders": in_doubt, "updates": self._channel.waiting}}

    def _check_ready(self) -> None:
        if not self._ready:
            raise Unavailable(f"{self._desk.name} is not ready: {self._reason}")

    async def _uninterrupted(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that changes the books to its end, even if whoever asked does not wait for it."""
        try:
            return await asyncio.shield(self._spawn(work))
        except (VenueRefused, VenueUnknown) as error:
            raise Unavailable(str(error)) from error

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks = [other for other in self._tasks if not other.done()] + [task]
        return task

    async def _live(self) -> None:
        wait = _SHORTEST_WAIT
        while not self._desk.fenced:
            try:
                await self._serve()
            except PolyfleetError as error:
                self._lost(str(error))
            except Exception as error:
                log.exception("%s failed", self._desk.name)
                self._lost(f"{type(error).__name__}: {error}")
            wait = _SHORTEST_WAIT if self._ready else min(wait * 2, _LONGEST_WAIT)
            self._ready = False
            await asyncio.sleep(wait)
        self._lost(f"another life of {self._desk.name} has begun; this one has ended")

    def _lost(self, reason: str) -> None:
        if reason != self._reason:
            log.warning("%s does not trade: %s", self._desk.name, reason)
        self._reason = reason

    async def _serve(self) -> None:
        """Connect, settle, and serve until something fails."""
        desk = self._desk
        await desk.open()
        if not self._loaded:
            # Before the channel says anything: a fill that an earlier life has booked must be known as such.
            await self._recovery.load()
            self._redemption.load()
            self._loaded = True
        endpoints = await self._where()
        session = await connect(self._config, desk.wallet, endpoints)
        await desk.clock.now()
        desk.connected(session)
        channel = self._spawn(self._channel.listen(session))
        watch = self._spawn(self._watch_risk.run(ServerTime(endpoints)))
        beating: asyncio.Task[None] | None = None
        try:
            if self._entry.halted is not None:
                await session.cancel_all()
            await self._heartbeat.begin()
            beating = self._spawn(self._heartbeat.run())
            await self._settle()
            await self._watch_risk.begun(_FIRST_LOOK)
            self._ready = True
            log.info("%s is ready", desk.name)
            await self._work(channel)
        finally:
            desk.disconnected("it is connecting again")
            beside = [task for task in (channel, watch, beating) if task]
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await session.close()

    async def _settle(self) -> None:
        """Settle with the venue all that is open or unknown, and compare the books with it, before any new order."""
        await self._recovery.settle()
        for _ in range(_LOOKS):
            await self._payouts.pay_out()
            await self._watch()
            if await self._reconciliation.look():
                return
        raise Unavailable("the books cannot be compared with the venue, as orders or payouts are in flight")

    async def _work(self, channel: asyncio.Task[None]) -> None:
        answered = self._reconciled = self._compared = time.monotonic()
        while not channel.done() and not self._desk.fenced:
            await asyncio.sleep(_TICK)
            await self._desk.clock.now()
            try:
                await self._round()
            except SignedOut:
                raise
            except (VenueRefused, VenueUnknown) as error:
                if time.monotonic() - answered > _UNANSWERED:
                    raise
                log.info("%s asks again: %s", self._desk.name, error)
            else:
                answered = time.monotonic()
        if channel.done():
            await channel

    async def _round(self) -> None:
        """Do what is due."""
        await self._recovery.settle_unknown()
        await self._entry.expire()
        await self._approvals.expire()
        await self._payouts.pay_out()
        self._selling.look(self._spawn)
        if self._heartbeat.lapsed:
            await self._recovery.reconcile()
            await self._heartbeat.tell()
        if time.monotonic() - self._reconciled > _RECONCILE:
            if news := await self._recovery.reconcile():
                self._spawn(self._channel.doubt(news))
            await self._watch()
            self._reconciled = time.monotonic()
        due = _COMPARE if self._desk.differing is None and self._told else _COMPARE_AGAIN
        if time.monotonic() - self._compared > due:
            self._told = await self._reconciliation.look()
            self._compared = time.monotonic()

    async def _watch(self) -> None:
        """Ask the feed to follow the markets in which the wallet holds shares, until they resolve."""
        desk = self._desk
        markets = [await desk.market(token_id) for token_id in desk.portfolio.shares(desk.wallet.name)]
        held = {market.condition_id for market in markets if market is not None}
        if held - self._watched:
            await desk.feed.watch(sorted(held))
            self._watched = held

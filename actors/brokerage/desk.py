"""What all parts of a broker share: the log, the venue, the books, the tracked orders, and the one way to change them."""

import asyncio
import copy
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from actors.brokerage.fills import VenueFill
from actors.brokerage.notices import order_event, trade_event
from actors.brokerage.orders import Order
from actors.brokerage.orders import Orders as Tracked
from actors.brokerage.venue_session import VenueSession
from actors.event_source import EventSource
from actors.follower import Follower
from actors.venue_clock import VenueClock
from agents.approvals import read_approval
from agents.errors import StaleIncarnation, Unavailable
from agents.events import Event, Type
from agents.fleet import FleetState
from agents.model import Market, Side
from agents.money import Micro, micro, notional
from agents.orders import TRANSITIONS, OrderStatus, advance
from agents.portfolio import UNALLOCATED, Book, Portfolio
from agents.ports import Ledger, MarketFeed, Wallet

log = logging.getLogger(__name__)

#: Fills that are added before old ones are forgotten.
_MANY = 20_000


class Desk:
    """One wallet's desk: `portfolio` holds the books as of the last own event and of what the log was followed to."""

    def __init__(
        self,
        wallet: Wallet,
        ledger: Ledger,
        feed: MarketFeed,
        wall: Callable[[], float] = time.time,
        now: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self.wallet = wallet
        self.name = f"broker:{wallet.name}"
        self.ledger = ledger
        self.feed = feed
        self.wall = wall
        self.follower = Follower(ledger, self.name, self._follow)
        self.portfolio = Portfolio()
        self.orders = Tracked()
        #: Keys of the fills that are in the books, each with the wall second of its match.
        self.known: dict[str, int] = {}
        #: Keys of those of them that are on the chain but not yet final.
        self.mined: set[str] = set()
        #: The wall second of the latest trade booked.
        self.matched_until = 0
        #: The markets whose shares are being paid out now: condition ids with their tokens.
        self.redeeming: dict[str, tuple[str, str]] = {}
        #: Own events so far that moved money, and pieces of work in flight: during a consistent cut neither changes.
        self.movements = 0
        self.busy = 0
        #: Closed while a cut is made: whoever would place an order waits.
        self.gate = asyncio.Event()
        self.gate.set()
        #: Another life of this broker has begun, so this one must not act any more.
        self.fenced = False
        #: Why no order may be placed: the books differ from the venue, or were not compared with it yet.
        self.differing: str | None = f"the books of wallet {wallet.name} have not been compared with the venue yet"
        self._source: EventSource | None = None
        self._venue: VenueSession | None = None
        self._away = "it has not connected yet"
        self._markets: dict[str, Market] = {}
        #: Told of each event that was folded into the books, and with None that they all are others.
        self.on_change: Callable[[Event | None], None] = lambda event: None
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        #: The venue's clock, from `now` or the feed; whoever runs the broker keeps it set.
        self.clock = VenueClock(now or feed.now)
        self._news = asyncio.Event()
        self._many = _MANY

    async def open(self) -> None:
        """Begin a new life: earlier ones are refused by the ledger from now on, and the log is folded to its head.

        Raises:
            Unavailable: if the ledger cannot be reached.
        """
        if self._source is not None:
            return
        incarnation = await self.ledger.open_source(self.name)
        head = await self.ledger.head()
        self.follower.start()
        if not await self.follower.reached(head, 30.0):
            raise Unavailable(f"{self.name} could not read the log up to {head}")
        self.portfolio = copy.deepcopy(self.fleet.portfolio)
        self.on_change(None)
        self._source = EventSource(self.name, incarnation, self.ledger, self.wall)

    @property
    def fleet(self) -> FleetState:
        """What the log says of the fleet, as far as it was followed. Raises Unavailable before it was read."""
        if self.follower.state is None:
            raise Unavailable(f"{self.name} has not read the log yet; try again")
        return self.follower.state

    @property
    def source(self) -> EventSource:
        """The source of this life's events. Raises Unavailable before it is open."""
        if self._source is None:
            raise Unavailable(f"{self.name} is not connected to the ledger yet; try again")
        return self._source

    @property
    def venue(self) -> VenueSession:
        """The connection to the venue. Raises Unavailable while there is none."""
        if self._venue is None:
            raise Unavailable(f"{self.name} does not trade now: {self._away}")
        return self._venue

    def connected(self, venue: VenueSession) -> None:
        """Use this connection from now on."""
        self._venue = venue

    def disconnected(self, reason: str) -> None:
        """Do without a connection, for a reason."""
        self._venue, self._away = None, reason

    def lock(self, owner: str | None) -> asyncio.Lock:
        """Return the lock under which an owner's orders and books change."""
        return self._locks[owner or UNALLOCATED]

    def book(self, owner: str) -> Book:
        """Return an owner's book in this wallet, an empty one if it has none."""
        return self.portfolio.wallets.get(self.wallet.name, {}).get(owner) or Book()

    def free_cash(self, agent_id: str) -> Micro:
        """Return the cash that no open order of the agent holds back."""
        return self.book(agent_id).cash - self.orders.held_cash(agent_id)

    def free_shares(self, agent_id: str, token_id: str) -> Micro:
        """Return the shares that no open order of the agent holds back."""
        position = self.book(agent_id).positions.get(token_id)
        return (position.size if position else 0) - self.orders.held_shares(agent_id, token_id)

    def pending(self) -> list[str]:
        """Return the keys of this wallet's fills that are not settled."""
        return [key for key, fill in self.portfolio.pending.items() if fill.wallet == self.wallet.name]

    def forget(self, before: int) -> None:
        """Drop the keys of fills matched before a wall second, of which the venue is not asked again, once there are many."""
        if len(self.known) > self._many:
            self.known = {key: matched for key, matched in self.known.items() if matched >= before}
            self._many = len(self.known) + _MANY

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count work in flight, which a consistent cut waits for."""
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1

    async def changed(self, seconds: float) -> bool:
        """Wait until an order or a fill is booked, at most so long; False if none was."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def market(self, id: str) -> Market | None:
        """Return a market by token or condition id, None if the venue knows none."""
        if id not in self._markets:
            view = await self.feed.market(id)
            if view is None:
                return None
            self.learn(view.market)
        return self._markets.get(id)

    @property
    def known_markets(self) -> Mapping[str, Market]:
        """The markets that it remembers, by token and by condition id."""
        return self._markets

    def learn(self, market: Market) -> None:
        """Remember a market."""
        for id in (market.condition_id, *market.tokens):
            self._markets[id] = market

    async def record(
        self, events: Sequence[Event], signed: Mapping[str, bytes] | None = None, *, patience: float | None = None
    ) -> int:
        """Log events in one commit and fold them into the books; return the last seq. Without `patience` (seconds) for ever.

        Raises:
            Unavailable: if the ledger did not acknowledge in time (it may have stored them all the same), or if another
                life of this broker has begun.
        """
        try:
            seqs = await self.source.store(events, signed, patience=patience)
        except StaleIncarnation:
            # Not the caller's: an agent that heard it would think that its own life is over.
            self.fenced = True
            raise Unavailable(f"another life of {self.name} has begun; this one has ended") from None
        for event in events:
            self.portfolio.apply(event)
            self.on_change(event)
            self.movements += event.type is not Type.ORDER or "tradeStatus" in event.data
        self._news.set()
        self._news = asyncio.Event()
        return max(seqs, default=0)

    def _follow(self, event: Event) -> None:
        """Fold what others have logged; own events were folded when they were stored."""
        if self._source is not None and event.source != self.name:
            self.portfolio.apply(event)
            self.on_change(event)

    def owns(self, order_id: str) -> bool:
        """Whether an order is tracked as one of the fleet's own."""
        order = self.orders.get(order_id)
        return order is not None and bool(order.intent_id)

    async def find(self, order_id: str) -> Order | None:
        """Return one of the fleet's orders, from the log if it is no longer tracked."""
        order = self.orders.get(order_id)
        if order is None:
            data = await self.ledger.order(order_id)
            if data is None or data.get("wallet") != self.wallet.name:
                return None
            order = await self.restore(data)
        return order

    async def restore(self, data: Mapping[str, Any]) -> Order | None:
        """Track an order again from the log's latest word on it. None if its market is unknown to the venue."""
        market = await self.market(data["conditionId"])
        if market is None:
            log.warning("order %s is on market %s, which the venue does not know", data["orderId"], data["conditionId"])
            return None
        if (tracked := self.orders.get(data["orderId"])) is not None:
            return tracked
        approval = read_approval(data["approval"]) if "approval" in data else None
        order = Order(
            id=data["orderId"],
            agent_id=data["agentId"],
            intent_id=data["decisionId"],
            market=market,
            token_id=data["tokenId"],
            side=Side(data["side"]),
            price=micro(data["price"]),
            size=micro(data["size"]),
            order_type=data["orderType"],
            post_only=data["postOnly"],
            # How long it waited for a person says nothing of how long the venue has had it.
            created=max(data["created"], approval.at if approval else 0),
            venue_time=data["venueTime"],
            status=OrderStatus(data["status"]),
            filled=micro(data["filled"]),
            reason=data["reason"],
            expires=data.get("expires"),
            # The life that sent it may have done so just before it ended.
            sent=self.wall(),
            approval=approval,
        )
        order.turnover = notional(order.filled, order.price)
        order.unsettled = {key.split("/")[0] for key in self.pending() if key.endswith(f"/{order.id}")}
        self.orders.add(order)
        return order

    async def move(
        self,
        order: Order,
        status: OrderStatus,
        *,
        reason: str | None = None,
        fill: VenueFill | None = None,
        settled: tuple[str, str] | None = None,
        patience: float | None = None,
    ) -> None:
        """Log an order's new state, in one commit with the fill or the settlement (trade id, status) that made it.

        Call it with the owner's lock held; `patience` is that of `record`. A move to the state that it has, with nothing new,
        logs nothing.
        """
        reason = order.reason if reason is None else reason
        if status == order.status and fill is None and settled is None:
            return
        events: list[Event] = []
        venue_time = self.clock.reckoned
        if order.status is OrderStatus.SIGNED and status not in TRANSITIONS[OrderStatus.SIGNED]:
            events.append(order_event(self.source, self.wallet.name, order, OrderStatus.SENT, venue_time))
        else:
            advance(order.status, status)
        filled = order.filled + (fill.size if fill else 0)
        if fill:
            book = self.book(order.agent_id or UNALLOCATED)
            events.append(trade_event(self.source, self.wallet.name, order, fill, book, venue_time))
        trade_id, trade_status = settled or ("", "")
        key = f"{trade_id}/{order.id}"
        undone = self.portfolio.undone(key) if trade_status == "failed" and key in self.portfolio.pending else None
        events.append(
            order_event(
                self.source,
                self.wallet.name,
                order,
                status,
                venue_time,
                filled=filled,
                reason=reason,
                trade_id=trade_id,
                trade_status=trade_status,
                undone=undone,
            )
        )
        await self.record(events, patience=patience)
        order.status, order.filled, order.reason = status, filled, reason
        if fill:
            order.turnover += fill.cost
            order.unsettled.add(fill.trade_id)
            self.known[fill.key] = fill.matched_at or int(self.wall())
            self.matched_until = max(self.matched_until, fill.matched_at)
        self.orders.refresh(order)

"""The orders of one wallet as the broker knows them: who owns them, what they hold back, what they would cross."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from agents.approvals import Approval
from agents.model import Market, OpenOrder, Side
from agents.money import ONE, Micro, notional, text
from agents.orders import OPEN, OrderStatus
from agents.ports import Placed
from agents.risk import worst_fee

#: Ended orders that are remembered, for late fills and repeated intents.
_REMEMBERED = 20_000

_IN_DOUBT = frozenset({OrderStatus.INTENDED, OrderStatus.SIGNED, OrderStatus.SENT, OrderStatus.UNKNOWN})


@dataclass(slots=True)
class Order:
    """One order. `agent_id` None: placed outside the fleet. `created` is wall, `venue_time` venue milliseconds."""

    id: str
    agent_id: str | None
    intent_id: str
    market: Market
    token_id: str
    side: Side
    price: Micro
    size: Micro
    order_type: str
    post_only: bool
    created: int
    venue_time: int
    status: OrderStatus = OrderStatus.INTENDED
    filled: Micro = 0
    #: Cash that its fills have cost or brought, fees not included.
    turnover: Micro = 0
    reason: str = ""
    #: When it is to end, venue milliseconds.
    expires: int | None = None
    #: The wall second since which it cannot be on its way to the venue any more.
    sent: float = 0.0
    #: It is being placed; or it never will be, as the ledger did not take the intent.
    posting: bool = False
    unsent: bool = False
    #: Ids of its trades that are not settled yet, and whether one has failed.
    unsettled: set[str] = field(default_factory=set)
    failed: bool = False
    #: What a person is, or was, asked about it.
    approval: Approval | None = None
    #: Somebody wanted it cancelled when it was not known whether the venue had it: it must not come to rest after all.
    unwanted: bool = False

    @property
    def waiting(self) -> bool:
        """Whether a person has yet to approve it; nobody but the log knows of it then."""
        return self.status is OrderStatus.INTENDED and self.approval is not None and not self.unsent

    @property
    def open(self) -> bool:
        """Whether the venue may still fill it."""
        return self.status in OPEN

    @property
    def taking(self) -> bool:
        """Whether it is filled at once or killed."""
        return self.order_type in ("FAK", "FOK")

    @property
    def in_doubt(self) -> bool:
        """Whether it is not known if the venue has it, or what it did with it."""
        return not self.waiting and (self.posting or self.status in _IN_DOUBT or (self.open and self.taking))

    @property
    def may_cost(self) -> Micro:
        """The most that all of it can cost, its fee included; a sale costs nothing."""
        if self.side is Side.SELL:
            return 0
        cash = notional(self.size, self.price)
        return cash if self.post_only else cash + worst_fee(cash, self.size, self.price, self.market.fee)

    @property
    def held_cash(self) -> Micro:
        """The cash that it may still spend, its fee included."""
        if not self.open or self.side is Side.SELL:
            return 0
        cash = max(self.size * self.price // ONE - self.turnover, 0)
        return cash if self.post_only else cash + worst_fee(cash, self.size, self.price, self.market.fee)

    @property
    def held_shares(self) -> Micro:
        """The shares that it may still sell."""
        return max(self.size - self.filled, 0) if self.open and self.side is Side.SELL else 0

    @property
    def placed(self) -> Placed:
        """What came of its intent so far."""
        return Placed(self.intent_id, self.id, str(self.status), self.reason, self.filled)

    @property
    def view(self) -> OpenOrder:
        """The order as its agent sees it."""
        return OpenOrder(
            order_id=self.id,
            condition_id=self.market.condition_id,
            token_id=self.token_id,
            side=self.side,
            price=self.price,
            size=self.size,
            filled=self.filled,
            status=str(self.status),
            created=self.venue_time,
            expires=self.expires,
        )

    def meets(self, token_id: str, side: Side, price: Micro) -> bool:
        """Whether an order on the same market, at that price, would trade with this one."""
        if token_id == self.token_id:
            buy, sell = (price, self.price) if side is Side.BUY else (self.price, price)
            return side is not self.side and buy >= sell
        # On the other token: two buys make a set, two sells break one.
        if side is not self.side:
            return False
        return price + self.price >= ONE if side is Side.BUY else price + self.price <= ONE


class Orders:
    """The wallet's orders, by id and by intent."""

    def __init__(self) -> None:
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._open: dict[str, Order] = {}
        self._outcomes: OrderedDict[str, Placed] = OrderedDict()

    def add(self, order: Order) -> None:
        """Begin to track an order."""
        self._orders[order.id] = order
        self.refresh(order)
        for _ in range(len(self._orders) - _REMEMBERED):
            id, oldest = self._orders.popitem(last=False)
            if oldest.open or oldest.unsettled:
                self._orders[id] = oldest

    def refresh(self, order: Order) -> None:
        """Take note that an order has changed."""
        if order.open:
            self._open[order.id] = order
        else:
            self._open.pop(order.id, None)
        if order.intent_id:
            self.remember(order.placed)

    def remember(self, placed: Placed) -> None:
        """Keep what came of an intent, for its repetition."""
        self._outcomes[placed.intent_id] = placed
        while len(self._outcomes) > _REMEMBERED:
            self._outcomes.popitem(last=False)

    def get(self, order_id: str) -> Order | None:
        """Return a tracked order."""
        return self._orders.get(order_id)

    def of(self, intent_id: str) -> Order | None:
        """Return the tracked order of an intent."""
        placed = self._outcomes.get(intent_id)
        return self._orders.get(placed.order_id) if placed and placed.order_id else None

    def asked(self, approval_id: str) -> list[Order]:
        """Return the orders that a person is, or was, asked about under an id, oldest first."""
        return [order for order in self._orders.values() if order.approval and order.approval.id == approval_id]

    def outcome(self, intent_id: str) -> Placed | None:
        """Return what came of an intent that was placed or refused before."""
        return self._outcomes.get(intent_id)

    def open(self, agent_id: str | None = None) -> Iterator[Order]:
        """Yield the open orders, of one agent if named."""
        return (order for order in list(self._open.values()) if agent_id is None or order.agent_id == agent_id)

    @contextmanager
    def aside(self, order: Order) -> Iterator[None]:
        """Let an open order hold nothing back for as long as it is checked as if it were new; nothing may be awaited."""
        del self._open[order.id]
        try:
            yield
        finally:
            self.refresh(order)

    def held_cash(self, agent_id: str) -> Micro:
        """Return the cash that an agent's open buys hold back."""
        return sum(order.held_cash for order in self.open(agent_id))

    def held_shares(self, agent_id: str, token_id: str) -> Micro:
        """Return the shares of a token that an agent's open sells hold back."""
        return sum(order.held_shares for order in self.open(agent_id) if order.token_id == token_id)

    def crossing(self, market: Market, token_id: str, side: Side, price: Micro) -> str | None:
        """Return why an order would trade with the wallet's own ones, or None if it would not."""
        for order in self._open.values():
            if order.waiting or order.taking:
                continue
            if order.market.condition_id == market.condition_id and order.meets(token_id, side, price):
                whose = f"agent {order.agent_id}'s" if order.agent_id else "the wallet's"
                return f"it would trade with {whose} own {order.side.lower()} order at {text(order.price)} in the same wallet"
        return None

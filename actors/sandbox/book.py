"""One market's order book: bids and asks on its first token, in price-time order; the second token's book is its mirror.

A buy of the second token at p is an ask of the first at 1 - p, a sale of it a bid.
"""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from actors.sandbox.accounts import Account
from actors.sandbox.records import OrderRecord, OrderState
from agents.model import Level, Side, TimeInForce
from agents.money import ONE, Micro


@dataclass(slots=True, eq=False)
class Order:
    """An order in the making, resting or done. `leg` is the index of its token; `price` is that token's."""

    order_id: str
    account: Account
    api_key: str
    condition_id: str
    token_id: str
    outcome: str
    leg: int
    side: Side
    price: Micro
    size: Micro
    order_type: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    created_wall: int = 0
    expiration: int = 0
    signer: str = ""
    #: Its place among all that ever came to rest; within a price, the lowest goes first.
    place: int = 0
    #: pUSD that a market buy may spend at most (fees not included); 0 for all other orders.
    budget: Micro = 0
    matched: Micro = 0
    #: pUSD paid or received so far, fees not included.
    cash: Micro = 0
    #: Cash (a buy) or shares (a sale) that it holds now.
    held: Micro = 0
    state: OrderState = OrderState.LIVE
    reason: str = ""
    trade_ids: list[str] = field(default_factory=list)

    @property
    def remaining(self) -> Micro:
        """Shares still wanted."""
        return self.size - self.matched

    @property
    def bid(self) -> bool:
        """Whether it is a bid on the first token."""
        return (self.side is Side.BUY) == (self.leg == 0)

    @property
    def level(self) -> Micro:
        """Its price on the first token."""
        return self.price if self.leg == 0 else ONE - self.price

    @property
    def open(self) -> bool:
        """Whether it may still trade."""
        return self.state is OrderState.LIVE or self.state is OrderState.DELAYED

    def record(self) -> OrderRecord:
        """Return it as others see it."""
        return OrderRecord(
            order_id=self.order_id,
            owner=self.account.address,
            api_key=self.api_key,
            condition_id=self.condition_id,
            token_id=self.token_id,
            outcome=self.outcome,
            side=self.side,
            price=self.price,
            size=self.size,
            matched=self.matched,
            order_type=self.order_type,
            post_only=self.post_only,
            state=self.state,
            created_wall=self.created_wall,
            expiration=self.expiration,
            trade_ids=tuple(self.trade_ids),
            reason=self.reason,
            signer=self.signer,
        )


class Ladder:
    """One side of a book."""

    def __init__(self, bids: bool) -> None:
        self._bids = bids
        self._prices: list[Micro] = []
        self._orders: dict[Micro, dict[str, Order]] = {}
        self._totals: dict[Micro, Micro] = {}

    @property
    def best(self) -> Micro | None:
        """The best price."""
        if not self._prices:
            return None
        return self._prices[-1] if self._bids else self._prices[0]

    def add(self, order: Order) -> None:
        """Let an order rest behind those at its price."""
        price = order.level
        queue = self._orders.get(price)
        if queue is None:
            queue = self._orders[price] = {}
            self._totals[price] = 0
            insort(self._prices, price)
        queue[order.order_id] = order
        self._totals[price] += order.remaining

    def remove(self, order: Order) -> None:
        """Take a resting order off."""
        price = order.level
        queue = self._orders[price]
        del queue[order.order_id]
        self._totals[price] -= order.remaining
        if not queue:
            del self._orders[price], self._totals[price]
            self._prices.remove(price)

    def reduce(self, order: Order, size: Micro) -> None:
        """Note that a resting order is about to match so many shares (its `matched` not yet counted up)."""
        self._totals[order.level] -= size

    def total(self, price: Micro) -> Micro:
        """Return the shares at one price."""
        return self._totals.get(price, 0)

    def levels(self) -> tuple[Level, ...]:
        """All levels, best first."""
        return tuple(Level(price, self._totals[price]) for price in self._ordered())

    def makers(self) -> Iterator[Order]:
        """All resting orders, best first, oldest first within a price."""
        for price in self._ordered():
            yield from self._orders[price].values()

    def at(self, price: Micro) -> list[Order]:
        """Return the orders at one price, oldest first."""
        return list(self._orders.get(price, {}).values())

    def _ordered(self) -> Iterator[Micro]:
        return reversed(self._prices) if self._bids else iter(self._prices)


class Book:
    """Bids and asks on the first token."""

    def __init__(self) -> None:
        self.bids = Ladder(True)
        self.asks = Ladder(False)

    def side(self, bid: bool) -> Ladder:
        """Return the bids or the asks."""
        return self.bids if bid else self.asks

    def levels(self, leg: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Bids and asks of one token, best first."""
        bids, asks = self.bids.levels(), self.asks.levels()
        return (bids, asks) if leg == 0 else (_mirror(asks), _mirror(bids))

    def best(self, leg: int) -> tuple[Micro | None, Micro | None]:
        """Best bid and ask of one token."""
        bid, ask = self.bids.best, self.asks.best
        if leg == 0:
            return bid, ask
        return (None if ask is None else ONE - ask), (None if bid is None else ONE - bid)


def _mirror(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple(Level(ONE - level.price, level.size) for level in levels)

"""A broker's desk without a ledger or a venue behind it: events are kept in a list, the venue says what a test tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from actors.brokerage.desk import Desk
from actors.brokerage.orders import Order
from actors.event_source import EventSource
from actors.polymarket.account import Leg, VenueOrder, VenueTrade
from agents.events import Event, Type
from agents.fleet import AgentRecord, FleetState, agent_data
from agents.model import Market, Side
from agents.money import ONE, Micro
from agents.orders import OrderStatus
from agents.ports import Wallet
from tests.unit.agents.worlds import event, market, spec

KEY = "our-api-key"
ADDRESS = "0x00000000000000000000000000000000000000aa"
WALL = 1_795_000_000.0


@dataclass
class Log:
    """What a desk stores."""

    events: list[Event] = field(default_factory=list)

    async def append(self, events: Sequence[Event], signed: Mapping[str, bytes] = {}) -> list[int]:
        self.events += events
        return list(range(len(self.events) - len(events) + 1, len(self.events) + 1))

    async def order(self, order_id: str) -> dict[str, Any] | None:
        return None

    def states(self, order_id: str) -> list[OrderStatus]:
        return [
            OrderStatus(event.data["status"])
            for event in self.events
            if event.data.get("orderId") == order_id and event.type == Type.ORDER
        ]


@dataclass
class Venue:
    """What the venue would say."""

    orders: dict[str, VenueOrder] = field(default_factory=dict)
    listed: dict[str, VenueTrade] = field(default_factory=dict)
    owner: str = KEY
    address: str = ADDRESS

    async def order(self, order_id: str) -> VenueOrder | None:
        return self.orders.get(order_id)

    async def trade(self, trade_id: str) -> VenueTrade | None:
        return self.listed.get(trade_id)

    async def trades(self, after: int | None = None, condition_id: str | None = None) -> list[VenueTrade]:
        return list(self.listed.values())


class Feed:
    """Knows one market."""

    def __init__(self, known: Market) -> None:
        self._known = known

    async def market(self, id: str) -> Any:
        return None

    async def now(self) -> int:
        return 0


class Bench:
    """A desk of wallet "main" with one agent "a" of 1000 pUSD, one market, and the means to look at what happens."""

    def __init__(self, of: Market | None = None) -> None:
        self.market = of or market(1)
        self.log = Log()
        self.venue = Venue()
        self.now = WALL
        self.desk = Desk(Wallet("main", ADDRESS, ""), cast(Any, self.log), cast(Any, Feed(self.market)), lambda: self.now)
        self.desk._source = EventSource("broker:main", 1, cast(Any, self.log), lambda: self.now)
        state = FleetState()
        created = event(1, Type.AGENT, "a", agent_data(AgentRecord(spec(id="a")), "created", with_spec=True))
        state.apply(created)
        self.desk.follower.state = state
        self.desk.portfolio.apply(created)
        self.desk.connected(cast(Any, self.venue))
        self.desk.learn(self.market)

    def order(self, side: Side = Side.BUY, size: Micro = 10 * ONE, price: Micro = 500_000, **changes: Any) -> Order:
        fields: dict[str, Any] = {
            "id": "o1",
            "agent_id": "a",
            "intent_id": "i1",
            "market": self.market,
            "token_id": self.market.tokens[0],
            "side": side,
            "price": price,
            "size": size,
            "order_type": "GTC",
            "post_only": True,
            "created": int(WALL * 1000),
            "venue_time": 0,
            "status": OrderStatus.SIGNED,
        }
        order = Order(**fields | changes)
        self.desk.orders.add(order)
        return order


def venue_order(order: Order, status: str, matched: Micro = 0) -> VenueOrder:
    return VenueOrder(order.id, order.market.condition_id, order.token_id, order.side, order.price, order.size, matched, status)


def trade_of(order: Order, id: str, size: Micro, status: str = "MATCHED", price: Micro | None = None) -> VenueTrade:
    """Return a trade in which an order of ours was taker or, if it is a quote, maker."""
    price = order.price if price is None else price
    ours = Leg(order.id, KEY, ADDRESS, order.token_id, order.side, price, size)
    theirs = Leg("theirs", "their-key", "0xbb", order.token_id, order.side.opposite, price, size)
    taker, maker = (theirs, ours) if order.post_only else (ours, theirs)
    return VenueTrade(id, order.market.condition_id, status, "0xhash", int(WALL), taker, (maker,))

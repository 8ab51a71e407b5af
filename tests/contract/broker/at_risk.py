"""What a wallet has at risk by what the venue itself says, at each moment at which the venue accepts an order of it.

A lower bound of what the books have at risk, whatever the order in which they heard of things: of the shares held those count
that were cheapest, a sale that failed still counts as one, and nothing counts of a market that has resolved.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from actors.sandbox.records import Change, MarketResolved, OrderState, OrderUpdated, TradeStatus, TradeUpdated
from agents.model import Side
from agents.money import Micro, notional


@dataclass(frozen=True, slots=True)
class Moment:
    """An order was just accepted: what may be lost in its market, in its event and in all, and the orders that are open."""

    order_id: str
    cost: Micro
    market: Micro
    event: Micro
    total: Micro
    open_orders: int


@dataclass(slots=True)
class _Held:
    """One agent's shares of one token: what came, by trade, as (shares, cost), and how much of it was sold."""

    bought: dict[str, tuple[Micro, Micro]] = field(default_factory=dict)
    sold: Micro = 0

    @property
    def cost(self) -> Micro:
        """What the shares have cost at least."""
        left, cost = sum(size for size, _ in self.bought.values()) - self.sold, 0
        for size, paid in sorted(self.bought.values(), key=lambda lot: lot[1] / lot[0]):
            taken = min(left, size)
            if taken <= 0:
                break
            cost += paid * taken // size
            left -= taken
        return cost


class AtRisk:
    """Replays what the venue said, for a wallet whose orders belong to agents and lie in markets of events."""

    def __init__(self, owner: str, agents: Mapping[str, str], events: Mapping[str, str]) -> None:
        self._owner = owner
        self._agents = agents
        self._events = events
        self._open: dict[str, tuple[str, Micro]] = {}
        self._held: defaultdict[str, defaultdict[tuple[str, str], _Held]] = defaultdict(lambda: defaultdict(_Held))
        self._matched: set[str] = set()

    def moments(self, changes: list[Change]) -> Iterator[Moment]:
        """Yield what was at risk at each acceptance."""
        for change in changes:
            match change:
                case MarketResolved(market):
                    self._held.pop(market.condition_id, None)
                case TradeUpdated():
                    self._traded(change)
                case OrderUpdated(type, order) if order.owner == self._owner:
                    if order.state in (OrderState.LIVE, OrderState.DELAYED):
                        left = notional(order.size - order.matched, order.price) if order.side is Side.BUY else 0
                        self._open[order.order_id] = order.condition_id, left
                    else:
                        self._open.pop(order.order_id, None)
                    if type == "PLACEMENT" and order.side is Side.BUY:
                        yield self._moment(order.order_id, order.condition_id, notional(order.size, order.price))

    def _traded(self, change: TradeUpdated) -> None:
        trade = change.trade
        for side in (trade.taker, trade.maker):
            if side.owner != self._owner:
                continue
            held = self._held[trade.condition_id][self._agents[side.order_id], side.token_id]
            key = f"{trade.trade_id}/{side.order_id}"
            if key not in self._matched:
                self._matched.add(key)
                if side.side is Side.BUY:
                    held.bought[key] = trade.size, notional(trade.size, side.price)
                else:
                    held.sold += trade.size
            if trade.status is TradeStatus.FAILED:
                held.bought.pop(key, None)

    def _moment(self, order_id: str, condition_id: str, cost: Micro) -> Moment:
        markets: defaultdict[str, Micro] = defaultdict(int)
        for market, held in self._held.items():
            markets[market] += sum(each.cost for each in held.values())
        for market, cash in self._open.values():
            markets[market] += cash
        event = self._events[condition_id]
        of_event = sum(cash for market, cash in markets.items() if self._events[market] == event)
        return Moment(order_id, cost, markets[condition_id], of_event, sum(markets.values()), len(self._open))

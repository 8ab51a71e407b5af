"""What a broker tells the log of an order and of a fill."""

from typing import Any

from actors.brokerage.fills import VenueFill
from actors.brokerage.orders import Order
from actors.event_source import EventSource
from agents import facts
from agents.events import Event, Type
from agents.lots import Position
from agents.model import Side
from agents.money import fee
from agents.orders import OrderStatus
from agents.portfolio import Book


def order_event(source: EventSource, wallet: str, order: Order, status: OrderStatus, venue_time: int, **changes: Any) -> Event:
    """Return the event that says what an order is now; `changes` are fields of `facts.order_data` that it has not yet."""
    fields: dict[str, Any] = {"filled": order.filled, "reason": order.reason} | changes
    data = facts.order_data(
        order_id=order.id,
        decision_id=order.intent_id,
        wallet=wallet,
        market=order.market,
        token_id=order.token_id,
        side=order.side,
        price=order.price,
        size=order.size,
        status=status,
        order_type=order.order_type,
        post_only=order.post_only,
        expires=order.expires,
        venue_time=venue_time,
        approval=order.approval.data() if order.approval else None,
        may_cost=order.may_cost,
        **fields,
    )
    return source.event(Type.ORDER, data, order.agent_id)


def trade_event(source: EventSource, wallet: str, order: Order, fill: VenueFill, book: Book, venue_time: int) -> Event:
    """Return the event of a fill, with the fee and the profit that it means for its owner's book."""
    market = order.market
    paid = 0 if fill.maker else fee(fill.size, fill.price, market.fee.rate, market.fee.exponent)
    position = book.positions.get(fill.token_id) or Position()
    if fill.side is Side.SELL:
        basis = position.released(fill.size)
        profit = fill.cost - basis - paid
    else:
        basis = 0
        profit = -paid - position.covering(fill.size, fill.cost)
    data = facts.trade_data(
        trade_id=fill.trade_id,
        order_id=fill.order_id,
        decision_id=order.intent_id,
        wallet=wallet,
        market=market,
        token_id=fill.token_id,
        side=fill.side,
        size=fill.size,
        price=fill.price,
        fee=paid,
        profit=profit,
        maker=fill.maker,
        tx_hash=fill.tx_hash,
        timestamp=fill.matched_at * 1000 or order.created,
        venue_time=venue_time,
        cost=fill.cost,
        basis=basis,
    )
    return source.event(Type.TRADE, data, order.agent_id)

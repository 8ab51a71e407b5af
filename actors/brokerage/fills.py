"""Which fills of a trade are ours, at which price and cost: the taker's, or those of one or more of its makers."""

from collections.abc import Callable
from dataclasses import dataclass

from actors.polymarket.account import Leg, VenueTrade
from agents.model import Side
from agents.money import ONE, Micro, notional

#: Trade statuses after which nothing more happens to it.
SETTLED = {"CONFIRMED": "confirmed", "FAILED": "failed"}

#: Trade statuses in which the chain has moved the money.
ON_CHAIN = frozenset({"MINED", "CONFIRMED"})


@dataclass(frozen=True, slots=True)
class VenueFill:
    """What one trade did to one order. `key` is what the books know it by; `matched_at` is wall epoch seconds.

    `cost` is the cash that moved, fee not included; `price` is an average where there were several makers.
    """

    trade_id: str
    order_id: str
    condition_id: str
    token_id: str
    side: Side
    size: Micro
    price: Micro
    cost: Micro
    maker: bool
    status: str
    tx_hash: str
    matched_at: int

    @property
    def key(self) -> str:
        """Trade id and order id: one trade may fill several of our orders."""
        return f"{self.trade_id}/{self.order_id}"


def fills_of(
    trade: VenueTrade, owner: str, address: str, known: Callable[[str], bool] = lambda order_id: False
) -> list[VenueFill]:
    """Return the fills of a trade that belong to an API key or to a wallet's address, or to an order that is known as ours.

    An order stays its wallet's when the key with which it was placed is revoked.
    """
    fills = []
    if known(trade.taker.order_id) or (not trade.maker_only and _ours(trade.taker, owner, address)):
        fills.append(_fill(trade, trade.taker, trade.taker.size, _taker_cost(trade), maker=False))
    mine: dict[str, list[Leg]] = {}
    for maker in trade.makers:
        if known(maker.order_id) or _ours(maker, owner, address):
            mine.setdefault(maker.order_id, []).append(maker)
    for legs in mine.values():
        size = sum(leg.size for leg in legs)
        fills.append(_fill(trade, legs[0], size, sum(notional(leg.size, leg.price) for leg in legs), maker=True))
    return fills


def _ours(leg: Leg, owner: str, address: str) -> bool:
    return leg.owner == owner if leg.owner else leg.address == address


def _taker_cost(trade: VenueTrade) -> Micro:
    """Return what the taker paid or got: its makers' prices, seen from its own token."""
    taker = trade.taker
    if sum(maker.size for maker in trade.makers) != taker.size:
        return notional(taker.size, taker.price)
    prices = (maker.price if maker.token_id == taker.token_id else ONE - maker.price for maker in trade.makers)
    return sum(notional(maker.size, price) for maker, price in zip(trade.makers, prices, strict=True))


def _fill(trade: VenueTrade, leg: Leg, size: Micro, cost: Micro, *, maker: bool) -> VenueFill:
    return VenueFill(
        trade_id=trade.id,
        order_id=leg.order_id,
        condition_id=trade.condition_id,
        token_id=leg.token_id,
        side=leg.side,
        size=size,
        price=leg.price if cost == notional(size, leg.price) else -(-cost * ONE // size),
        cost=cost,
        maker=maker,
        status=trade.status,
        tx_hash=trade.tx_hash,
        matched_at=trade.matched_at,
    )

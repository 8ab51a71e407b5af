"""The checks that a new order must pass before it may match, with the venue's own error texts."""

from dataclasses import dataclass

from actors.sandbox.records import MarketRecord, NewOrder, Refused
from agents.model import SIZE_STEP, Side, TimeInForce
from agents.money import ONE, Micro, text

#: The venue treats a GTD order as expired this many seconds before its stated time.
EXPIRY_MARGIN = 60

#: Decimals of (size, amount) by tick.
_DECIMALS = {100_000: (2, 3), 10_000: (2, 4), 5_000: (2, 5), 2_500: (2, 6), 1_000: (2, 5), 100: (2, 6)}

_AMOUNTS = (
    "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "
    "taker amount a max of 4 decimals"
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order's amounts mean: limit price, shares, and the budget of a market buy (else 0)."""

    price: Micro
    size: Micro
    budget: Micro = 0


def check(order: NewOrder, market: MarketRecord, wall: float) -> Terms:
    """Check an order against its market's rules and return its terms.

    Raises:
        Refused: if it breaks one.
    """
    if not market.accepting_orders:
        raise Refused("the market is not yet ready to process new orders")
    if order.maker_amount <= 0 or order.taker_amount <= 0:
        raise Refused("Invalid order payload")
    immediate = order.order_type in (TimeInForce.FOK, TimeInForce.FAK)
    if immediate and order.post_only:
        raise Refused("Invalid order payload")
    _expiration(order, wall)
    buy = order.side is Side.BUY
    cash, shares = (order.maker_amount, order.taker_amount) if buy else (order.taker_amount, order.maker_amount)
    price = _price(order, market, cash, shares, exact=not immediate)
    size_decimals, amount_decimals = _DECIMALS[market.tick]
    if immediate and buy:
        if _finer(cash, size_decimals) or _finer(shares, amount_decimals):
            raise Refused(_AMOUNTS)
        if cash < ONE:
            raise Refused(f"invalid amount for a marketable BUY order (${text(cash)}), min size: $1")
        return Terms(price, shares, cash)
    if shares % SIZE_STEP or _finer(cash, amount_decimals):
        raise Refused("Invalid order payload")
    if not immediate and shares < market.min_size:
        raise Refused(
            f"order {order.order_id} is invalid. Size ({text(shares)}) lower than the minimum: {text(market.min_size)}"
        )
    return Terms(price, shares)


def _expiration(order: NewOrder, wall: float) -> None:
    if order.order_type is TimeInForce.GTD:
        if order.expiration <= wall + EXPIRY_MARGIN:
            raise Refused("invalid expiration")
    elif order.expiration:
        raise Refused("invalid expiration")


def _price(order: NewOrder, market: MarketRecord, cash: Micro, shares: Micro, *, exact: bool) -> Micro:
    """Return the limit price. That of a market order is off the grid by what its amounts were rounded by."""
    tick = market.tick
    nearest = (2 * cash * ONE + shares * tick) // (2 * shares * tick) * tick
    off = abs(cash * ONE - nearest * shares)
    if (off and (exact or off * 10 > tick * shares)) or not tick <= nearest <= ONE - tick:
        price = text(cash * ONE // shares)
        raise Refused(f"order {order.order_id} is invalid. Price ({price}) breaks minimum tick size rule: {text(tick)}")
    return nearest


def _finer(amount: Micro, decimals: int) -> bool:
    return bool(amount % 10 ** (6 - decimals))

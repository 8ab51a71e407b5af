"""Which resting orders an incoming order meets, and at what cost; pure, nothing is changed."""

from dataclasses import dataclass
from decimal import Decimal

from actors.sandbox.book import Book, Order
from actors.sandbox.records import MatchKind
from agents.model import SIZE_STEP, FeeSchedule, Side
from agents.money import ONE, Micro, fee, floor_to, notional


@dataclass(frozen=True, slots=True)
class Fill:
    """One match: shares, the taker's price on its own token, its cost or proceeds, and its fee."""

    maker: Order
    size: Micro
    price: Micro
    cash: Micro
    fee: Micro


def crosses(book: Book, order: Order) -> bool:
    """Whether an order would trade at once."""
    best = book.side(not order.bid).best
    return best is not None and _reaches(order, best)


def plan(book: Book, order: Order, schedule: FeeSchedule) -> list[Fill]:
    """Return the matches of an order in price-time order, at the makers' prices, as far as size and budget go."""
    fills: list[Fill] = []
    left = order.remaining
    budget = order.budget - order.cash
    for maker in book.side(not order.bid).makers():
        level = maker.level
        if not _reaches(order, level):
            break
        price = level if order.leg == 0 else ONE - level
        wanted = floor_to(budget * ONE // price, SIZE_STEP) if order.budget else left
        size = min(wanted, maker.remaining)
        if size <= 0:
            break
        cash = notional(size, price)
        fills.append(Fill(maker, size, price, cash, _fee(size, price, schedule)))
        left -= size
        budget -= cash
    return fills


def filled(order: Order, fills: list[Fill]) -> bool:
    """Whether matches fill an order entirely; a market buy when its budget buys no further step at its price."""
    if order.budget:
        spent = order.cash + sum(fill.cash for fill in fills)
        return order.budget - spent < notional(SIZE_STEP, order.price, up=True)
    return order.remaining == sum(fill.size for fill in fills)


def kind(taker: Order, maker: Order) -> MatchKind:
    """Return how two orders meet."""
    if taker.token_id == maker.token_id:
        return MatchKind.COMPLEMENTARY
    return MatchKind.MINT if taker.side is Side.BUY else MatchKind.MERGE


def _reaches(order: Order, level: Micro) -> bool:
    return level <= order.level if order.bid else level >= order.level


def _fee(size: Micro, price: Micro, schedule: FeeSchedule) -> Micro:
    return fee(size, price, schedule.rate, schedule.exponent) if schedule.rate != Decimal(0) else 0

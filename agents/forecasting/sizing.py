"""What a probability is worth on a book: the edge after fee, spread and slippage, and a part of Kelly's bet."""

from dataclasses import dataclass

from agents.model import Book, FeeSchedule
from agents.money import ONE, Micro, ceil_to, fee, notional, number

#: How far from the middle of a book, in price, money still stands behind the price.
_NEAR_MIDDLE = 50_000


@dataclass(frozen=True, slots=True)
class Edge:
    """What may be bought of one token: up to `limit`, at most `size` shares, at `cost` a share on average (0 to 1, with fee).

    `best` is the edge of the first share, `mean` that of all of them.
    """

    limit: Micro
    size: Micro
    cost: float
    best: float
    mean: float


def edge_of(p: float, book: Book, schedule: FeeSchedule, tick: Micro, least: float) -> Edge | None:
    """Walk the asks as long as a share of chance `p` is worth at least `least` more than it costs with its fee."""
    size, paid, limit, best = 0, 0.0, 0, 0.0
    for level in book.asks:
        price = ceil_to(level.price, tick)
        cost = number(price + fee(ONE, price, schedule.rate, schedule.exponent))
        if price >= ONE or p - cost < least:
            break
        best = best if size else p - cost
        size, limit = size + level.size, price
        paid += cost * level.size
    return Edge(limit, size, paid / size, best, p - paid / size) if size else None


def kelly(p: float, cost: float, fraction: float) -> float:
    """Return the part of the bankroll to bet on a share of chance `p` that costs `cost`: a fraction of Kelly's bet.

    Kelly's is (p - cost) / (1 - cost). A fraction of it equals all of it for a chance shrunk as much toward the cost.
    """
    return max(0.0, fraction * (p - cost) / (1 - cost))


def depth_of(book: Book) -> float:
    """Return the pUSD that stand near the middle of a book, on both sides."""
    if book.mid is None:
        return 0.0
    bids = sum(notional(level.size, level.price) for level in book.bids if level.price >= book.mid - _NEAR_MIDDLE)
    asks = sum(notional(level.size, ONE - level.price) for level in book.asks if level.price <= book.mid + _NEAR_MIDDLE)
    return number(bids + asks)

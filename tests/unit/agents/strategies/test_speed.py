import time
from collections.abc import Iterator
from random import Random

import pytest

from agents.model import MarketView
from agents.strategies import registry
from tests.unit.agents.worlds import account, market, seen, view

#: How many times as long as the squares of a hundred thousand numbers a round over all markets may take: some 5 ms then.
_ROUND = 1.5


def crowd(random: Random) -> Iterator[MarketView]:
    """Yield 140 markets with 200 prices each, every fifth event one of several outcomes."""
    for n in range(140):
        bid = random.randrange(5, 94)
        group = {"neg_risk": True, "event_id": f"e{n // 5}", "event_size": 5} if n % 25 < 5 else {}
        path = [min(max(bid / 100 + random.gauss(0, 0.01), 0.01), 0.99) for _ in range(200)]
        bids, asks = ([(f"{price / 100:.2f}", 50) for price in range(bid - d, bid - d + 1)] for d in (0, -2))
        yield seen(market(n, **group), bids, asks, path)


@pytest.mark.parametrize("name", ["market_maker", "momentum", "favourite_longshot", "neg_risk_arbitrage"])
def test_a_round_over_140_markets_takes_a_few_milliseconds(name: str) -> None:
    strategy = registry.create(name, {"maxMarkets": 140} if name == "market_maker" else {})
    now = view(*crowd(Random(1)), of=account("100000"))
    round_, squares = [], []
    for _ in range(30):
        began = time.perf_counter()
        strategy.decide(now)
        decided = time.perf_counter()
        sum([number * number for number in range(100_000)])
        round_.append(decided - began)
        squares.append(time.perf_counter() - decided)
    assert min(round_) < _ROUND * min(squares)

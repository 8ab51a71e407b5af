"""What the tests of the sandbox are staged with: a hand-driven clock, markets, orders, and the invariants of an exchange."""

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

from actors.sandbox.exchange import Exchange
from actors.sandbox.records import MarketRecord, NewOrder, OrderState, Placed
from agents.model import FeeSchedule, Side, TimeInForce
from agents.money import ONE, Micro, micro, notional

ALICE, BOB, CAROL = (f"0x{digit * 40}" for digit in "abc")
YES, NO = "1001", "1002"
WALL = 1_790_000_000.0


class Wall:
    """Wall time that stands still until told to go on."""

    def __init__(self) -> None:
        self.seconds = WALL

    def __call__(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds


def market(number: int = 1, **changes: Any) -> MarketRecord:
    record = MarketRecord(
        id=f"{number}",
        condition_id=f"0x{number:064x}",
        question_id=f"0x{number + 1000:064x}",
        question=f"Question {number}?",
        slug=f"question-{number}",
        description="",
        category="other",
        tags=("other",),
        event_id=f"e{number}",
        event_slug=f"event-{number}",
        event_title=f"Event {number}",
        tokens=(f"{number}001", f"{number}002"),
        outcomes=("Yes", "No"),
        tick=10_000,
        min_size=5 * ONE,
        fee=FeeSchedule(),
        created=0,
        start=0,
        end=None,
    )
    return replace(record, **changes)


class Stage:
    """An exchange with a market and three funded users, and short ways to act on it."""

    def __init__(self, **changes: Any) -> None:
        self.wall = Wall()
        self.exchange = Exchange(self.wall, lambda: int(self.wall() * 1000), ids=Random(1))
        self.changes: list[Any] = []
        self.exchange.subscribe(self.changes.append)
        self.listing = self.exchange.open_market(market(**changes))
        for user in (ALICE, BOB, CAROL):
            self.exchange.fund(user, 1_000 * ONE)
        self._n = 0

    def order(
        self,
        owner: str,
        side: str,
        price: str,
        size: str,
        token: str = YES,
        kind: str = "GTC",
        *,
        budget: str | None = None,
        **changes: Any,
    ) -> NewOrder:
        """An order; with a budget, a market buy that spends it."""
        self._n += 1
        shares = micro(size)
        cash = notional(shares, micro(price)) if budget is None else micro(budget)
        if budget is not None:
            shares = cash * ONE // micro(price) // 100 * 100
        buy = side == "BUY"
        new = NewOrder(
            order_id=f"0x{self._n:064x}",
            owner=owner,
            api_key=f"key-{owner[2]}",
            token_id=token,
            side=Side(side),
            maker_amount=cash if buy else shares,
            taker_amount=shares if buy else cash,
            order_type=TimeInForce(kind),
        )
        return replace(new, **changes)

    def place(self, *arguments: Any, **named: Any) -> Placed:
        return self.exchange.place(self.order(*arguments, **named))

    def give(self, owner: str, shares: str) -> None:
        """Let a user own shares of both tokens, at the price of cash."""
        self.exchange.split(owner, self.listing.record.condition_id, micro(shares))

    def cash(self, owner: str) -> Decimal:
        return Decimal(self.exchange.cash(owner).total) / ONE

    def shares(self, owner: str, token: str = YES) -> Decimal:
        return Decimal(self.exchange.shares(owner, token).total) / ONE

    def levels(self, token: str = YES) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks of a token as decimal texts, best first."""
        snapshot = self.exchange.book_snapshot(token)
        bids, asks = (
            [(str(Decimal(level.price) / ONE), str(Decimal(level.size) / ONE)) for level in side]
            for side in (snapshot.bids, snapshot.asks)
        )
        return bids, asks


def assert_consistent(exchange: Exchange) -> None:
    """Check everything that must hold of an exchange at any moment (unless a trade has failed)."""
    assert exchange.imbalance() == 0
    floor = exchange.floor
    held: dict[tuple[str, str | None], Micro] = defaultdict(int)
    for order in floor.orders.values():
        assert order.open
        held[order.account.address, None if order.side is Side.BUY else order.token_id] += order.held
        if order.state is OrderState.LIVE:
            assert order.held == (notional(order.remaining, order.price) if order.side is Side.BUY else order.remaining)
    outstanding: dict[str, Micro] = defaultdict(int)
    for address, account in floor.accounts.all.items():
        for token_id, holding in account.holdings.items():
            outstanding[token_id] += holding.size
            assert holding.size >= holding.reserved == held[address, token_id]
        if not account.house:
            assert account.cash >= account.reserved == held[address, None]
    resting = {id: order for id, order in floor.orders.items() if order.state is OrderState.LIVE}
    for listing in floor.listings.values():
        if listing.record.payouts is not None:
            owed = [
                outstanding[token] * paid for token, paid in zip(listing.record.tokens, listing.record.payouts, strict=True)
            ]
            assert sum(owed) // ONE <= listing.collateral <= sum(owed) // ONE + 10
            continue
        assert {outstanding[token] for token in listing.record.tokens} == {listing.collateral}
        book = listing.book
        assert book is not None
        bid, ask = book.bids.best, book.asks.best
        assert bid is None or ask is None or bid < ask
        for ladder in (book.bids, book.asks):
            totals: dict[Micro, Micro] = defaultdict(int)
            for order in ladder.makers():
                assert order.remaining > 0
                totals[order.level] += order.remaining
                assert order.account.house or resting.pop(order.order_id) is order
            assert {level.price: level.size for level in ladder.levels()} == totals
    assert not resting

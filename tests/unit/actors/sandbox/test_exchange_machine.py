"""Whatever users and the house do, nothing is created or lost, reservations are exact and no book is crossed."""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.sandbox.accounts import HOUSE_MAKER, HOUSE_TAKER
from actors.sandbox.exchange import Exchange
from actors.sandbox.records import NewOrder, Refused
from agents.model import FeeSchedule, Side, TimeInForce
from agents.money import ONE, Micro, notional
from tests.unit.actors.sandbox.stage import ALICE, BOB, CAROL, Wall, assert_consistent, market

USERS = st.sampled_from([ALICE, BOB, CAROL])
TOKENS = st.sampled_from(["1001", "1002", "2001", "2002"])
SIDES = st.sampled_from([Side.BUY, Side.SELL])
CENTS = st.integers(1, 99)
SHARES = st.integers(500, 30_000)
PAYOUTS = st.sampled_from([(ONE, 0), (0, ONE), (ONE // 2, ONE // 2), (333_333, 666_667)])


class Exchanges(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.wall = Wall()
        self.n = 0

    @initialize(rate=st.sampled_from([Decimal(0), Decimal("0.05"), Decimal("0.07")]))
    def open(self, rate: Decimal) -> None:
        self.exchange = Exchange(self.wall, lambda: int(self.wall() * 1000), ids=Random(1))
        self.exchange.open_market(market(1, fee=FeeSchedule(rate)))
        self.exchange.open_market(market(2, taker_delay=1000))
        for user in (ALICE, BOB, CAROL):
            self.exchange.fund(user, 200 * ONE)
            for number in (1, 2):
                self.exchange.split(user, market(number).condition_id, 50 * ONE)

    def place(
        self, owner: str, token: str, side: Side, cash: Micro, shares: Micro, kind: str, *, post_only: bool = False
    ) -> None:
        self.n += 1
        maker, taker = (cash, shares) if side is Side.BUY else (shares, cash)
        expiration = int(self.wall()) + 65 if kind == "GTD" else 0
        order_id = f"0x{self.n:064x}"
        try:
            self.exchange.place(
                NewOrder(order_id, owner, "k", token, side, maker, taker, TimeInForce(kind), post_only, expiration)
            )
        except Refused:
            assert self.exchange.order(order_id) is None

    @rule(
        owner=USERS,
        token=TOKENS,
        side=SIDES,
        cents=CENTS,
        shares=SHARES,
        kind=st.sampled_from(["GTC", "GTC", "GTD"]),
        post_only=st.booleans(),
    )
    def limit(self, owner: str, token: str, side: Side, cents: int, shares: int, kind: str, post_only: bool) -> None:
        size = shares * 10_000
        self.place(owner, token, side, notional(size, cents * 10_000), size, kind, post_only=post_only)

    @rule(owner=USERS, token=TOKENS, cents=CENTS, budget=st.integers(100, 15_000), kind=st.sampled_from(["FOK", "FAK"]))
    def market_buy(self, owner: str, token: str, cents: int, budget: int, kind: str) -> None:
        cash = budget * 10_000
        self.place(owner, token, Side.BUY, cash, cash * 100 // cents // 100 * 100, kind)

    @rule(owner=USERS, token=TOKENS, cents=CENTS, shares=SHARES, kind=st.sampled_from(["FOK", "FAK"]))
    def market_sale(self, owner: str, token: str, cents: int, shares: int, kind: str) -> None:
        self.place(owner, token, Side.SELL, notional(shares * 10_000, cents * 10_000), shares * 10_000, kind)

    @rule(token=TOKENS, cents=CENTS, shares=SHARES, rest=st.booleans())
    def house(self, token: str, cents: int, shares: int, rest: bool) -> None:
        listing = self.exchange.floor.listing_of(token)
        assert listing is not None
        account = self.exchange.floor.accounts.get(HOUSE_MAKER if rest else HOUSE_TAKER)
        leg = listing.record.index(token)
        self.exchange.desk.house(listing, account, leg, Side.BUY, cents * 10_000, shares * 10_000, rest=rest)
        self.exchange.floor.report(listing)

    @rule(owner=USERS, choice=st.integers(0, 5))
    def cancel(self, owner: str, choice: int) -> None:
        orders = self.exchange.open_orders(owner)
        if orders:
            self.exchange.cancel(owner, [orders[choice % len(orders)].order_id])

    @rule(owner=USERS)
    def cancel_all(self, owner: str) -> None:
        self.exchange.cancel_all(owner)
        assert all(order.state == "DELAYED" for order in self.exchange.open_orders(owner))

    @rule(seconds=st.sampled_from([0.2, 1.0, 2.0, 6.0]))
    def wait(self, seconds: float) -> None:
        self.wall.pass_by(seconds)
        self.exchange.run_due()

    @rule(owner=USERS, number=st.sampled_from([1, 2]), amount=st.integers(1, 60 * ONE))
    def split(self, owner: str, number: int, amount: int) -> None:
        self.attempt(lambda: self.exchange.split(owner, market(number).condition_id, amount))

    @rule(owner=USERS, number=st.sampled_from([1, 2]), amount=st.integers(1, 60 * ONE))
    def merge(self, owner: str, number: int, amount: int) -> None:
        self.attempt(lambda: self.exchange.merge(owner, market(number).condition_id, amount))

    @rule(number=st.sampled_from([1, 2]), payouts=PAYOUTS, chance=st.integers(0, 5))
    def resolve(self, number: int, payouts: tuple[Micro, Micro], chance: int) -> None:
        if chance == 0:
            self.exchange.resolve(market(number).condition_id, payouts)

    @rule(owner=USERS, number=st.sampled_from([1, 2]))
    def redeem(self, owner: str, number: int) -> None:
        self.attempt(lambda: self.exchange.redeem(owner, market(number).condition_id))

    def attempt(self, action: Callable[[], str]) -> None:
        with suppress(Refused):
            action()

    @invariant()
    def consistent(self) -> None:
        if hasattr(self, "exchange"):
            assert_consistent(self.exchange)


Exchanges.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestExchanges = Exchanges.TestCase

"""Books against a model of the venue, which knows wallets and not agents."""

from collections import Counter
from copy import deepcopy
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agents import facts
from agents.events import Type
from agents.fleet import AgentRecord, agent_data
from agents.lots import Lot, Position
from agents.model import SIZE_STEP, Side
from agents.money import ONE, fee, micro, notional, text
from agents.orders import OrderStatus
from agents.portfolio import UNALLOCATED, Book, Portfolio
from tests.unit.agents.worlds import event, market, spec

AGENTS = ("a", "b", "c")
MARKETS = {token: of for of in (market(1), market(2)) for token in of.tokens}
tokens = st.sampled_from(sorted(MARKETS))
sizes = st.integers(min_value=1, max_value=50_000).map(lambda n: n * SIZE_STEP)
prices = st.integers(min_value=1, max_value=999).map(lambda n: n * 1000)


class Log:
    """Writes events and folds them into books."""

    def __init__(self) -> None:
        self.portfolio = Portfolio()
        self.seq = 0

    def write(self, type: Type, agent: str | None, data: dict[str, Any]) -> None:
        self.seq += 1
        self.portfolio.apply(event(self.seq, type, agent, data))

    def deposit(self, cash: int, shares: dict[str, int] | None = None) -> None:
        data = facts.deposit_data(wallet="main", address="0x1", cash=cash, reason="it came", shares=shares)
        self.write(Type.INFO, None, data)

    def agent(self, id: str, budget: int, change: str = "created") -> None:
        record = AgentRecord(spec(id=id, budget=text(budget)))
        self.write(Type.AGENT, id, agent_data(record, change, with_spec=True))

    def trade(self, agent: str | None, token: str, side: Side, size: int, price: int, rate: str = "0.05", **more: Any) -> str:
        of, id = MARKETS[token], f"t{self.seq}"
        data = facts.trade_data(
            trade_id=id,
            order_id="o",
            decision_id="d",
            wallet="main",
            market=of,
            token_id=token,
            side=side,
            size=size,
            price=price,
            fee=fee(size, price, Decimal(rate)),
            profit=0,
            maker=False,
            tx_hash="0x",
            timestamp=0,
            venue_time=0,
            **more,
        )
        self.write(Type.TRADE, agent, data)
        return id

    def settle(self, trade: str, status: str) -> None:
        data = facts.order_data(
            order_id="o",
            decision_id="d",
            wallet="main",
            market=MARKETS["1-yes"],
            token_id="1-yes",
            side=Side.BUY,
            price=500_000,
            size=ONE,
            filled=ONE,
            status=OrderStatus.MATCHED,
            order_type="FAK",
            post_only=False,
            venue_time=0,
            trade_id=trade,
            trade_status=status,
        )
        self.write(Type.ORDER, None, data)

    def redeem(self, token: str, payout: int) -> int:
        lines = []
        for owner, book in self.portfolio.wallets.get("main", {}).items():
            size = book.positions[token].size if token in book.positions else 0
            if size > 0:
                paid = {"size": text(size), "payout": text(notional(size, payout))}
                lines.append({"agentId": owner, "tokenId": token} | paid)
        of = market(1, payouts=(payout, ONE - payout), closed=True)
        data = facts.redemption_data(of, wallet="main", redeemed=lines, tx_hash="0x", venue_time=0)
        self.write(Type.RESOLUTION, None, data)
        return sum(micro(line["payout"]) for line in lines)

    def book(self, owner: str = UNALLOCATED) -> Book:
        return self.portfolio.book("main", owner)


def figures(position: Position) -> tuple[int, int, int, int]:
    return position.size, position.cost, position.profit, position.fees


def books(portfolio: Portfolio) -> dict[str, tuple[int, int, dict[str, Position]]]:
    """Return all that the books say, positions that hold and mean nothing left out."""
    return {
        owner: (book.cash, book.allocated, {token: pos for token, pos in book.positions.items() if pos != Position()})
        for owner, book in portfolio.wallets.get("main", {}).items()
    }


class BooksEqualTheVenue(RuleBasedStateMachine):
    """Whatever happens, the books of a wallet add up to what the venue has, and each book's cash is explained."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.cash = 0
        self.shares: Counter[str] = Counter()
        self.alive: set[str] = set()
        self.open: dict[str, tuple[str, Side, int, int, int]] = {}

    @initialize(cash=st.integers(min_value=0, max_value=10**11))
    def fund(self, cash: int) -> None:
        self.deposit(cash)

    @rule(cash=st.integers(min_value=-(10**9), max_value=10**10))
    def deposit(self, cash: int) -> None:
        self.log.deposit(cash)
        self.cash += cash

    @rule(token=tokens, size=sizes)
    def shares_arrive(self, token: str, size: int) -> None:
        self.log.deposit(0, {token: size})
        self.shares[token] += size

    @rule(id=st.sampled_from(AGENTS), budget=st.integers(min_value=0, max_value=10**10))
    def create_or_change(self, id: str, budget: int) -> None:
        self.log.agent(id, budget, "updated" if id in self.alive else "created")
        self.alive.add(id)
        assert self.log.book(id).allocated == budget

    @rule(id=st.sampled_from(AGENTS))
    def delete(self, id: str) -> None:
        self.log.agent(id, 0, "deleted")
        self.alive.discard(id)
        assert id not in self.log.portfolio.wallets["main"]

    @rule(owner=st.sampled_from((*AGENTS, None)), token=tokens, side=st.sampled_from(Side), size=sizes, price=prices)
    def trade(self, owner: str | None, token: str, side: Side, size: int, price: int) -> None:
        owner = owner if owner in self.alive else None
        held = self.log.book(owner or UNALLOCATED).position(token).size
        if side is Side.SELL:
            size = min(size, held)
        if size <= 0:
            return
        trade = self.log.trade(owner, token, side, size, price)
        cost, paid = notional(size, price), fee(size, price, Decimal("0.05"))
        self.open[trade] = (token, side, size, cost, paid)
        sign = 1 if side is Side.BUY else -1
        self.cash -= sign * cost + paid
        self.shares[token] += sign * size

    @precondition(lambda self: self.open)
    @rule(data=st.data(), failed=st.booleans())
    def settle(self, data: st.DataObject, failed: bool) -> None:
        trade = data.draw(st.sampled_from(sorted(self.open)))
        token, side, size, cost, paid = self.open.pop(trade)
        self.log.settle(trade, "failed" if failed else "confirmed")
        if failed:
            sign = 1 if side is Side.BUY else -1
            self.cash += sign * cost + paid
            self.shares[token] -= sign * size

    @rule(token=tokens, payout=st.sampled_from([0, ONE // 3, ONE // 2, ONE]))
    def redeem(self, token: str, payout: int) -> None:
        self.cash += self.log.redeem(token, payout)
        for book in self.log.portfolio.wallets["main"].values():
            assert book.position(token).size <= 0
        self.shares[token] = sum(book.position(token).size for book in self.log.portfolio.wallets["main"].values())

    @invariant()
    def the_wallet_adds_up(self) -> None:
        assert self.log.portfolio.cash("main") == self.cash
        assert self.log.portfolio.shares("main") == {token: size for token, size in self.shares.items() if size}

    @invariant()
    def every_agents_cash_is_explained(self) -> None:
        for owner, book in self.log.portfolio.wallets.get("main", {}).items():
            if owner != UNALLOCATED:
                assert book.cash == book.allocated + book.profit - book.cost
            assert all(position.cost >= 0 for position in book.positions.values())

    @invariant()
    def what_waits_is_what_is_open(self) -> None:
        assert {key.removesuffix("/o") for key in self.log.portfolio.pending} == set(self.open)


TestBooksEqualTheVenue = BooksEqualTheVenue.TestCase
TestBooksEqualTheVenue.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

fills = st.lists(st.tuples(tokens, st.sampled_from(Side), sizes, prices), max_size=8)


@given(fills, fills)
@settings(max_examples=60, deadline=None)
def test_fills_that_fail_leave_the_books_exactly_as_they_were(before: list[Any], failing: list[Any]) -> None:
    log = Log()
    log.deposit(10**12)
    log.agent("a", 10**11)
    for token, side, size, price in before:
        held = log.book("a").position(token).size
        if side is Side.BUY or held:
            log.trade("a", token, side, size if side is Side.BUY else min(size, held), price)
    was = deepcopy(books(log.portfolio))
    made = []
    for token, side, size, price in failing:
        held = log.book("a").position(token).size
        if side is Side.BUY or held:
            made.append(log.trade("a", token, side, size if side is Side.BUY else min(size, held), price))
    for trade in reversed(made):
        log.settle(trade, "failed")
    assert books(log.portfolio) == was


def traded() -> Log:
    log = Log()
    log.deposit(micro("1000"))
    log.agent("a", micro("100"))
    log.trade("a", "1-yes", Side.BUY, 100 * ONE, micro("0.4"))
    return log


def test_a_buy_costs_price_and_fee_and_a_budget_comes_out_of_the_unallocated() -> None:
    log = traded()
    assert log.book("a").cash == micro("58.8")
    position = log.book("a").positions["1-yes"]
    assert figures(position) == (100 * ONE, micro("40"), micro("-1.2"), micro("1.2"))
    assert position.lots == [Lot("t2/o", 100 * ONE, micro("40"), 0, 100 * ONE)]
    assert log.book().cash == micro("900")


def test_a_sale_realises_profit_against_what_the_oldest_shares_have_cost() -> None:
    log = traded()
    log.trade("a", "1-yes", Side.BUY, 100 * ONE, micro("0.6"))
    log.trade("a", "1-yes", Side.SELL, 50 * ONE, micro("0.8"))
    position = log.book("a").positions["1-yes"]
    assert (position.size, position.cost) == (150 * ONE, micro("80"))
    assert position.profit == micro("20") - micro("1.2") * 2 - micro("0.4")
    log.trade("a", "1-yes", Side.SELL, 100 * ONE, micro("0.8"), "0")
    assert (position.size, position.cost) == (50 * ONE, micro("30"))
    assert position.profit == micro("50") - micro("1.2") * 2 - micro("0.4")


def test_a_failed_sale_gives_shares_cost_and_profit_back() -> None:
    log = traded()
    was = books(log.portfolio)
    sale = log.trade("a", "1-yes", Side.SELL, 30 * ONE, micro("0.9"))
    assert log.book("a").profit > 0
    log.settle(sale, "failed")
    assert books(log.portfolio) == was


def test_a_buy_that_fails_after_its_shares_were_sold_is_as_if_it_had_never_been() -> None:
    log = Log()
    log.agent("a", micro("1000"))
    log.trade("a", "1-yes", Side.BUY, 100 * ONE, micro("0.1"), "0")
    dear = log.trade("a", "1-yes", Side.BUY, 100 * ONE, micro("0.9"), "0")
    log.trade("a", "1-yes", Side.SELL, 50 * ONE, micro("0.5"), "0")
    log.settle(dear, "failed")
    position = log.book("a").positions["1-yes"]
    assert (position.size, position.cost, position.profit) == (50 * ONE, micro("5"), micro("20"))
    assert log.book("a").cash == micro("1015")


def test_a_buy_that_fails_when_all_its_shares_were_sold_leaves_the_book_short_until_others_come() -> None:
    log = Log()
    log.agent("a", micro("1000"))
    cheap = log.trade("a", "1-yes", Side.BUY, 100 * ONE, micro("0.1"), "0")
    log.trade("a", "1-yes", Side.SELL, 100 * ONE, micro("0.5"), "0")
    assert log.portfolio.undone(f"{cheap}/o") == micro("10")
    log.settle(cheap, "failed")
    position = log.book("a").positions["1-yes"]
    assert figures(position) == (-100 * ONE, 0, micro("50"), 0)
    log.trade("a", "1-yes", Side.BUY, 150 * ONE, micro("0.4"), "0")
    assert figures(position) == (50 * ONE, micro("20"), micro("10"), 0)
    assert log.book("a").cash == micro("990")


def test_a_settlement_counts_once_and_one_that_is_unknown_changes_nothing() -> None:
    log = traded()
    was = deepcopy(log.portfolio)
    log.settle("t2", "mined")
    assert log.portfolio == was
    log.settle("t2", "confirmed")
    log.settle("t2", "failed")
    log.settle("never", "failed")
    assert books(log.portfolio) == books(was)
    assert not log.portfolio.pending


def test_fractional_payouts_are_exact() -> None:
    log = traded()
    assert log.redeem("1-yes", ONE // 2) == micro("50")
    assert figures(log.book("a").positions["1-yes"]) == (0, 0, micro("10") - micro("1.2"), micro("1.2"))
    assert log.book("a").cash == micro("108.8")


def test_cash_that_moved_is_booked_even_where_it_is_not_size_times_price() -> None:
    log = Log()
    log.agent("a", micro("100"))
    log.trade("a", "1-yes", Side.BUY, 3 * ONE, micro("0.333333"), "0", cost=micro("1"))
    assert log.book("a").cash == micro("99")
    assert log.book("a").positions["1-yes"].cost == micro("1")


def test_what_a_deleted_agent_had_is_the_wallets_and_its_late_fill_too() -> None:
    log = traded()
    log.agent("a", micro("100"), "deleted")
    assert set(log.portfolio.wallets["main"]) == {UNALLOCATED}
    assert log.book().cash == micro("958.8")
    assert log.book().positions["1-yes"].size == 100 * ONE
    log.settle("t2", "failed")
    assert log.book().cash == micro("1000")
    assert log.portfolio.shares("main") == {}


def test_a_deletion_counts_without_the_spec_too() -> None:
    log = traded()
    log.write(Type.AGENT, "a", {"change": "deleted"})
    assert set(log.portfolio.wallets["main"]) == {UNALLOCATED}


def test_a_smaller_budget_gives_cash_back() -> None:
    log = traded()
    log.agent("a", micro("60"), "updated")
    assert (log.book("a").cash, log.book().cash) == (micro("18.8"), micro("940"))


def test_shares_that_leave_a_wallet_take_their_cost_with_them() -> None:
    log = Log()
    log.trade(None, "1-yes", Side.BUY, 100 * ONE, micro("0.4"), "0")
    log.deposit(0, {"1-yes": -25 * ONE})
    assert figures(log.book().positions["1-yes"]) == (75 * ONE, micro("30"), 0, 0)


def test_an_agent_is_found_in_every_wallet() -> None:
    log = traded()
    log.portfolio.book("second", "a").cash = 5
    assert [(wallet, book.cash) for wallet, book in log.portfolio.books_of("a")] == [("main", micro("58.8")), ("second", 5)]
    assert log.portfolio.cash("third") == 0

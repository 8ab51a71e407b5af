"""First in, first out against a reference that knows every single share."""

from random import Random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from agents.events import Type
from agents.lots import Lot, Position
from agents.model import Side
from agents.money import ONE, micro
from agents.portfolio import Portfolio
from tests.unit.agents.test_portfolio import Log, figures

_BOOKS = TypeAdapter(Portfolio)
_POSITION = TypeAdapter(Position)


class Op(NamedTuple):
    """A movement of single shares: what moved in cash beside, the fee, and what becomes of it (payouts cannot fail)."""

    kind: str
    size: int
    cash: int
    fee: int
    fails: bool


ops = st.lists(
    st.builds(
        Op,
        st.sampled_from(("buy", "buy", "sell", "sell", "redeem")),
        st.integers(1, 9),
        st.integers(0, 40),
        st.integers(0, 3),
        st.booleans(),
    ),
    min_size=1,
    max_size=14,
)


def reference(done: list[Op]) -> tuple[int, int, int, int]:
    """Return size, cost, profit and cash after what did happen, share by share."""
    held: list[int] = []
    short = profit = cash = 0
    for op in done:
        if op.kind == "buy":
            cash -= op.cash + op.fee
            profit -= op.fee
            for share in range(op.size):
                cost = op.cash * (share + 1) // op.size - op.cash * share // op.size
                if short:
                    short -= 1
                    profit -= cost
                else:
                    held.append(cost)
        else:
            cash += op.cash - op.fee
            gone = min(op.size, len(held))
            profit += op.cash - op.fee - sum(held[:gone])
            del held[:gone]
            short += op.size - gone
    return len(held) - short, sum(held), profit, cash


def trade_data(n: int, op: Op) -> dict[str, Any]:
    amounts = {"size": _text(op.size), "cost": _text(op.cash), "fee": _text(op.fee), "exactPrice": "0.5"}
    side = Side.BUY if op.kind == "buy" else Side.SELL
    return {"tradeId": f"t{n}", "orderId": "o", "wallet": "main", "tokenId": "1-yes", "side": str(side)} | amounts


def _text(amount: int) -> str:
    return f"0.{amount:06d}"


@given(ops, st.integers(0, 2**32))
@settings(max_examples=500, deadline=None)
def test_whatever_is_bought_sold_paid_out_and_failed_in_any_order_of_settlement(done: list[Op], seed: int) -> None:
    chance = Random(seed)
    log = Log()
    log.agent("a", ONE)
    waiting: list[int] = []

    def settle_some(at_most: int) -> None:
        for _ in range(chance.randint(0, at_most)):
            n = waiting.pop(chance.randrange(len(waiting)))
            log.settle(f"t{n}", "failed" if done[n].fails else "confirmed")

    for n, op in enumerate(done):
        if op.kind == "redeem":
            line = {"agentId": "a", "tokenId": "1-yes", "size": _text(op.size), "payout": _text(op.cash)}
            log.write(Type.RESOLUTION, None, {"wallet": "main", "redeemed": [line], "txHash": "0x"})
            done[n] = op._replace(fee=0, fails=False)
        else:
            log.write(Type.TRADE, "a", trade_data(n, op))
            waiting.append(n)
        settle_some(len(waiting))
        if chance.random() < 0.3:
            # A start from a snapshot.
            log.portfolio = _BOOKS.validate_json(_BOOKS.dump_json(log.portfolio))
        book = log.book("a")
        assert book.cash == book.allocated + book.profit - book.cost
        position = book.position("1-yes")
        assert sum(lot.shares for lot in position.lots) == max(position.size, 0)
        assert sum(lot.worth for lot in position.lots) == position.cost
        assert sum(lot.shares for lot in position.used) == position.kept
    while waiting:
        settle_some(len(waiting))
    position = log.book("a").position("1-yes")
    assert (*figures(position)[:3], log.book("a").cash - ONE) == reference([op for op in done if not op.fails])
    assert (position.used, position.kept, position.selling) == ([], 0, 0)


@given(st.integers(1, 1000), st.integers(0, 10**6), st.lists(st.integers(1, 50), max_size=8))
def test_profit_does_not_depend_on_how_a_sale_is_cut(size: int, cost: int, cuts: list[int]) -> None:
    whole, parts = Position(), Position()
    for position in (whole, parts):
        position.buy(size, cost, 0)
        position.buy(1000, 77, 0)
    assert whole.released(sum(cuts)) == sum(parts.take(cut) for cut in cuts)
    whole.take(sum(cuts))
    assert (whole.size, whole.cost) == (parts.size, parts.cost)


def test_what_was_stored_at_average_cost_is_one_lot() -> None:
    stored = b'{"size": 100, "cost": 40, "profit": -3, "fees": 3, "seq": 7}'
    position = _POSITION.validate_json(stored)
    assert (position.lots, position.seq) == ([Lot("", 100, 40, 0, 100)], 7)
    assert position.sell(50, 30, 0) == 10
    assert _POSITION.validate_json(b'{"size": 0, "cost": 0}').lots == []


def test_fills_that_were_pending_when_cost_was_an_average_can_still_fail() -> None:
    """Such a snapshot knows no lot of a bought fill and none that a sale took."""
    sold = Position(100, 40)
    sold.undo_sale(50, 30, 1, released=20)
    assert figures(sold) == (150, 60, -9, -1)
    bought = Position(100, 40)
    bought.undo_buy(50, 20, 1, "t/o")
    assert figures(bought) == (50, 20, 1, -1)


def test_a_transfer_keeps_cost_and_shares_and_what_still_may_fail() -> None:
    log = Log()
    log.deposit(micro("1000"))
    log.trade(None, "1-yes", Side.BUY, 10 * ONE, micro("0.2"), "0")
    log.agent("a", micro("100"))
    bought = log.trade("a", "1-yes", Side.BUY, 10 * ONE, micro("0.4"), "0")
    sold = log.trade("a", "1-yes", Side.SELL, 4 * ONE, micro("0.9"), "0")
    log.agent("a", micro("100"), "deleted")
    position = log.book().position("1-yes")
    assert figures(position) == (16 * ONE, micro("4.4"), micro("2"), 0)
    log.settle(sold, "failed")
    assert figures(position) == (20 * ONE, micro("6"), 0, 0)
    log.settle(bought, "failed")
    assert figures(position) == (10 * ONE, micro("2"), 0, 0)
    assert log.book().cash == micro("998")


def test_a_short_book_is_covered_by_what_comes_to_it() -> None:
    log = Log()
    log.agent("a", micro("100"))
    log.trade("a", "1-yes", Side.SELL, 4 * ONE, micro("0.9"), "0")
    log.trade(None, "1-yes", Side.BUY, 10 * ONE, micro("0.5"), "0")
    log.agent("a", micro("100"), "deleted")
    assert figures(log.book().position("1-yes")) == (6 * ONE, micro("3"), micro("1.6"), 0)


def test_nothing_is_kept_of_what_was_sold_for_good() -> None:
    log = Log()
    log.agent("a", micro("1000"))
    log.settle(log.trade("a", "1-yes", Side.BUY, 10 * ONE, micro("0.5")), "confirmed")
    for _ in range(50):
        waits = log.trade("a", "1-yes", Side.BUY, 10 * ONE, micro("0.5"))
        log.settle(log.trade("a", "1-yes", Side.SELL, 10 * ONE, micro("0.6")), "confirmed")
        assert len(log.book("a").position("1-yes").used) <= 1
        log.settle(waits, "confirmed")
    assert len(log.book("a").position("1-yes").lots) == 1

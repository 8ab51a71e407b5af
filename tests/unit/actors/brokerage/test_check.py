"""What of a difference between venue and books is explained by fills in flight."""

from actors.brokerage.check import Holdings, unexplained
from agents.model import Side
from agents.money import ONE
from agents.portfolio import Fill

BOUGHT = Fill("main", "a", "yes", Side.BUY, 10 * ONE, 4 * ONE, 100)
SOLD = Fill("main", "b", "no", Side.SELL, 3 * ONE, 2 * ONE, 50)
#: After both fills.
BOOKS = Holdings(100 * ONE, {"yes": 10 * ONE, "no": 5 * ONE})
#: Before them.
BEFORE = Holdings(102 * ONE + 150, {"no": 8 * ONE})


def test_a_venue_that_moves_money_at_the_match_agrees() -> None:
    assert not unexplained(BOOKS, BOOKS, [BOUGHT, SOLD])


def test_a_venue_that_moves_money_on_the_chain_agrees() -> None:
    assert not unexplained(BEFORE, BOOKS, [BOUGHT, SOLD])


def test_what_no_fill_explains_is_a_difference() -> None:
    assert unexplained(Holdings(BOOKS.cash + 1, BOOKS.shares), BOOKS, [BOUGHT, SOLD]) == Holdings(1, {})
    assert unexplained(Holdings(BEFORE.cash, {}), BOOKS, []) == Holdings(2 * ONE + 150, {"no": -5 * ONE, "yes": -10 * ONE})


def test_shares_of_nothing_are_no_shares() -> None:
    assert not Holdings(1, {"yes": 0}).minus(Holdings(1, {}))

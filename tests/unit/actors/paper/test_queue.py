"""The queue before a simulated resting order: never shorter than a real one could be."""

from hypothesis import given
from hypothesis import strategies as st

from actors.paper.queue import SETTLED, Queue
from agents.money import ONE


def test_trades_shorten_it_and_what_is_left_of_them_goes_past() -> None:
    queue = Queue(30 * ONE)
    assert queue.trade(10 * ONE, 0.0) == 0
    assert queue.ahead(0.0) == 20 * ONE
    assert queue.trade(25 * ONE, 0.0) == 5 * ONE
    assert queue.trade(3 * ONE, 0.0) == 3 * ONE


def test_a_smaller_level_shortens_it_a_moment_later() -> None:
    queue = Queue(30 * ONE)
    queue.show(12 * ONE, 1.0)
    assert queue.ahead(1.0 + SETTLED / 2) == 30 * ONE
    assert queue.ahead(1.0 + SETTLED) == 12 * ONE
    queue.show(50 * ONE, 2.0)
    assert queue.ahead(100.0) == 12 * ONE, "who joins a level stands behind"


def test_a_trade_that_the_book_shows_first_counts_once() -> None:
    queue = Queue(20 * ONE)
    queue.show(0, 1.0)
    assert queue.trade(25 * ONE, 1.01) == 5 * ONE


@given(
    ahead=st.integers(0, 100),
    steps=st.lists(st.tuples(st.sampled_from(["trade", "show"]), st.integers(0, 100), st.floats(0, 3)), max_size=30),
)
def test_what_goes_past_is_never_more_than_was_traded_less_what_stood_before(
    ahead: int, steps: list[tuple[str, int, float]]
) -> None:
    queue, now, least = Queue(ahead), 0.0, ahead
    traded = past = 0
    for kind, size, wait in steps:
        now += wait
        before = queue.ahead(now)
        if kind == "trade":
            went = queue.trade(size, now)
            assert went == max(size - before, 0)
            traded, past = traded + size, past + went
        else:
            queue.show(size, now)
            least = min(least, size)
        assert 0 <= queue.ahead(now) <= before
    assert past <= max(traded - least, 0) or least == 0

"""A book kept from snapshots and changes of either token, and checked against REST."""

from hypothesis import given
from hypothesis import strategies as st

from actors.live_book import LiveBook
from actors.polymarket.schema import BookFrame, Change, PriceChanges
from agents.model import Side
from agents.money import ONE, micro

YES, NO = "yes", "no"


def snapshot(bids: dict[int, int], asks: dict[int, int], timestamp: int = 1, token: str = YES) -> BookFrame:
    return BookFrame("0x1", token, timestamp, bids, asks)


def changes(timestamp: int, *found: Change) -> PriceChanges:
    return PriceChanges("0x1", timestamp, found)


def loaded() -> LiveBook:
    book = LiveBook((YES, NO))
    book.load(snapshot({micro("0.4"): ONE, micro("0.39"): 2 * ONE}, {micro("0.45"): 3 * ONE}))
    return book


def levels(book: LiveBook) -> list[tuple[list[tuple[int, int]], list[tuple[int, int]]]]:
    return [
        ([(level.price, level.size) for level in side.bids], [(level.price, level.size) for level in side.asks])
        for side in book.books
    ]


def test_both_outcomes_are_one_mirrored_book_best_first() -> None:
    first, second = levels(loaded())
    assert first == ([(400_000, ONE), (390_000, 2 * ONE)], [(450_000, 3 * ONE)])
    assert second == ([(550_000, 3 * ONE)], [(600_000, ONE), (610_000, 2 * ONE)])
    assert loaded().mid == 425_000


def test_a_snapshot_of_the_second_token_is_seen_from_the_first() -> None:
    book = LiveBook((YES, NO))
    book.load(snapshot({micro("0.55"): ONE}, {micro("0.6"): 2 * ONE}, token=NO))
    assert levels(book)[0] == ([(400_000, 2 * ONE)], [(450_000, ONE)])


def test_a_change_gives_a_levels_new_total_and_zero_removes_it() -> None:
    book = loaded()
    assert book.apply(changes(2, Change(YES, Side.BUY, 400_000, 5 * ONE, 400_000, 450_000)))
    assert book.apply(changes(3, Change(YES, Side.SELL, 450_000, 0, 400_000, ONE)))
    assert levels(book)[0] == ([(400_000, 5 * ONE), (390_000, 2 * ONE)], [])
    assert book.mid is None


def test_a_frame_with_both_legs_is_one_change() -> None:
    book = loaded()
    book.apply(changes(2, Change(YES, Side.BUY, 410_000, ONE), Change(NO, Side.SELL, 590_000, ONE)))
    assert levels(book)[0][0][0] == (410_000, ONE)
    other = loaded()
    other.apply(changes(2, Change(NO, Side.SELL, 590_000, ONE, 550_000, 590_000)))
    assert levels(other) == levels(book)


def test_best_prices_that_disagree_are_noticed() -> None:
    assert not loaded().apply(changes(2, Change(YES, Side.BUY, 380_000, ONE, 410_000, 450_000)))


def test_an_answer_older_than_the_stream_changes_nothing() -> None:
    book = loaded()
    book.apply(changes(10, Change(YES, Side.BUY, 400_000, 7 * ONE)))
    book.begin()
    assert book.reconcile(snapshot({400_000: ONE}, {}, timestamp=5))
    assert levels(book)[0][0][0] == (400_000, 7 * ONE)


def test_what_came_after_the_question_stands_over_the_answer() -> None:
    book = loaded()
    book.begin()
    book.apply(changes(2, Change(YES, Side.BUY, 400_000, 0)))
    assert book.reconcile(snapshot({400_000: ONE, 390_000: 9 * ONE}, {450_000: 3 * ONE}, timestamp=2))
    assert levels(book)[0][0] == [(390_000, 9 * ONE)]


_prices = st.integers(1, 99).map(lambda cents: cents * 10_000)
_sizes = st.integers(0, 5).map(lambda n: n * ONE)
_changes = st.lists(st.tuples(st.sampled_from(Side), _prices, _sizes), max_size=20)


@given(before=_changes, during=_changes, lost=st.sets(st.integers(0, 19)))
def test_a_lossy_stream_and_one_resync_give_the_true_book(
    before: list[tuple[Side, int, int]], during: list[tuple[Side, int, int]], lost: set[int]
) -> None:
    """Frames before the question may be lost; those after it arrive, before or after the answer was made."""
    truth: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
    book = LiveBook((YES, NO))
    book.load(snapshot({}, {}, 0))
    clock = 0

    def happen(change: tuple[Side, int, int]) -> PriceChanges:
        nonlocal clock
        clock += 1
        side, price, size = change
        truth[side][price] = size
        return changes(clock, Change(YES, side, price, size))

    for n, change in enumerate(before):
        frame = happen(change)
        if n not in lost:
            book.apply(frame)
    book.begin()
    answer = None
    for n, change in enumerate(during):
        if n == len(during) // 2:
            answer = _answer(truth, clock)
        book.apply(happen(change))
    book.reconcile(answer or _answer(truth, clock))
    expected = _answer(truth, clock)
    bids, asks = levels(book)[0]
    assert (dict(bids), dict(asks)) == (expected.bids, expected.asks)


def _answer(truth: dict[Side, dict[int, int]], clock: int) -> BookFrame:
    bids, asks = ({price: size for price, size in truth[side].items() if size} for side in (Side.BUY, Side.SELL))
    return snapshot(bids, asks, clock)

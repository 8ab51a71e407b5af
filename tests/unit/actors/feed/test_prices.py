"""One point for each step of venue time in which the price changed."""

from actors.feed.prices import PriceSeries

STEP = 60_000


def test_the_last_price_of_a_step_stands_for_it() -> None:
    series = PriceSeries()
    for at, price in ((0, 500_000), (10_000, 510_000), (59_999, 520_000), (60_000, 530_000)):
        series.add(at, price, STEP)
    assert series.points == ((59_999, 520_000), (60_000, 530_000))


def test_a_price_that_stays_is_no_point_and_the_oldest_leave() -> None:
    series = PriceSeries(length=2)
    for n, price in enumerate((1, 1, 2, 3)):
        series.add(n * STEP, price, STEP)
    assert series.points == ((2 * STEP, 2), (3 * STEP, 3))


def test_history_goes_in_front_of_what_was_seen_live() -> None:
    series = PriceSeries()
    series.add(5 * STEP, 500_000, STEP)
    series.fill([(STEP, 400_000), (2 * STEP, 400_000), (3 * STEP, 450_000), (5 * STEP, 999_999), (9 * STEP, 1)], STEP)
    assert series.points == ((STEP, 400_000), (3 * STEP, 450_000), (5 * STEP, 500_000))

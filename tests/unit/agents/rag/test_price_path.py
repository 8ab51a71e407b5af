from agents.money import ONE
from agents.rag.price_path import price_path

HOUR = 3_600_000


def test_it_takes_the_last_price_before_each_moment() -> None:
    prices = [(0, ONE // 2), (90 * HOUR, 700_000), (99 * HOUR, 900_000), (100 * HOUR, ONE)]
    assert price_path(prices, 100 * HOUR) == ((72.0, 0.5), (24.0, 0.5), (12.0, 0.5), (6.0, 0.7), (3.0, 0.7), (1.0, 0.9))


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert price_path([], HOUR) == ()
    assert price_path([(100 * HOUR, ONE)], 100 * HOUR) == ()

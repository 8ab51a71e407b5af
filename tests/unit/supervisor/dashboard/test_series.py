from itertools import pairwise

from supervisor.dashboard.series import Series


def test_a_series_stays_bounded_and_spans_its_whole_life() -> None:
    series = Series(size=50)
    series.extend((n * 1000, float(n)) for n in range(10_000))
    times = [time for time, _ in series.points]
    assert len(times) <= 51
    assert (times[0], times[-1]) == (0, 9_999_000)
    assert times == sorted(set(times))
    assert max(later - earlier for earlier, later in pairwise(times)) < 9_999_000 / 10


def test_samples_that_come_too_soon_take_the_place_of_the_latest() -> None:
    series = Series(interval=1000)
    series.extend([(0, 1.0), (100, 2.0), (200, 3.0), (1100, 4.0), (2100, 5.0)])
    assert series.points == [(0, 1.0), (200, 3.0), (1100, 4.0), (2100, 5.0)]


def test_the_deepest_fall_is_from_a_peak_even_if_its_points_are_gone() -> None:
    series = Series(size=4)
    series.extend((n, value) for n, value in enumerate([10.0, 30.0, 5.0, 40.0, 35.0, 50.0, 49.0, 60.0]))
    assert (series.peak, series.drawdown) == (60.0, 25.0)


def test_a_thinned_series_ends_with_the_latest_value() -> None:
    series = Series()
    series.extend((n, float(n)) for n in range(100))
    thinned = series.thinned(40)
    assert len(thinned) <= 40
    assert thinned[-1] == 99.0
    assert Series().thinned(40) == []

from math import log
from random import Random

import pytest

from agents.forecasting.scoring import Baseline, PricePath, Resolved, market_brier, score
from agents.money import ONE

DAY = 86_400_000


def one(p: float, price: float, outcome: float, event: str = "e") -> Resolved:
    return Resolved(event, p, price, outcome)


def test_who_repeats_the_price_has_no_skill_to_the_last_digit() -> None:
    random = Random(1)
    echo = [one(p := random.random(), p, float(random.random() < p), str(n)) for n in range(200)]
    found = score(echo)
    assert found is not None
    assert (found.skill, found.low, found.high) == (0, 0, 0)
    assert found.verdict == "no skill shown"


def test_the_figures_of_a_few_forecasts() -> None:
    found = score([one(0.8, 0.6, 1, "a"), one(0.3, 0.5, 0, "b")])
    assert found is not None
    assert found.brier == pytest.approx((0.04 + 0.09) / 2)
    assert found.market_brier == pytest.approx((0.16 + 0.25) / 2)
    assert found.skill == pytest.approx(found.market_brier - found.brier)
    assert found.log_score == pytest.approx((log(0.8) + log(0.7)) / 2)
    assert found.ece == pytest.approx((0.2 + 0.3) / 2)
    assert [(each.low, each.n) for each in found.bins] == [(0.3, 1), (0.8, 1)]
    assert found.high - found.low == pytest.approx(2)


def test_events_count_alike_however_many_forecasts_they_have() -> None:
    found = score([one(0.5, 0.4, 1, "a")] * 9 + [one(0.5, 0.4, 0, "b")])
    assert found is not None
    assert (found.n, found.events) == (10, 2)
    assert found.skill == pytest.approx(((0.36 - 0.25) + (0.16 - 0.25)) / 2)


def test_a_voided_market_is_left_out() -> None:
    assert score([one(0.5, 0.4, 0.5)]) is None
    found = score([one(0.5, 0.4, 0.5), one(0.9, 0.8, 1)])
    assert found is not None
    assert found.n == 1


def test_skill_is_claimed_only_when_the_interval_leaves_zero_out() -> None:
    random = Random(6)

    def better(n: int) -> list[Resolved]:
        truths = [random.uniform(0.1, 0.9) for _ in range(n)]
        return [one(p, p + random.choice((-0.1, 0.1)), float(random.random() < p), str(i)) for i, p in enumerate(truths)]

    few, many = score(better(9)), score(better(4000))
    assert few is not None
    assert many is not None
    assert few.verdict == "no skill shown"
    assert many.verdict == "better than the price"
    assert many.low < 0.01 < many.high


def test_many_markets_of_few_events_do_not_narrow_the_interval() -> None:
    random = Random(2)
    events = [(random.uniform(0.2, 0.8), random.random() < 0.5) for _ in range(12)]
    single = score([one(p, 0.5, float(out), str(n)) for n, (p, out) in enumerate(events)])
    repeated = score([one(p, 0.5, float(out), str(n)) for n, (p, out) in enumerate(events) for _ in range(50)])
    assert single is not None
    assert repeated is not None
    assert (repeated.low, repeated.high) == (pytest.approx(single.low), pytest.approx(single.high))


def test_markets_of_an_event_count_alike_however_many_forecasts_they_have() -> None:
    one_market = [Resolved("e", 0.5, 0.4, 1, "a")] * 3
    found = score([*one_market, Resolved("e", 0.5, 0.4, 0, "b")])
    assert found is not None
    assert (found.n, found.events) == (4, 1)
    assert found.brier == pytest.approx(0.25)
    assert found.market_brier == pytest.approx((0.36 + 0.16) / 2)
    assert [each.came_true for each in found.bins] == [pytest.approx(0.5)]


def test_it_says_how_many_events_would_show_the_skill_there_seems_to_be() -> None:
    random = Random(5)
    truths = [random.uniform(0.1, 0.9) for _ in range(6000)]
    told = [one(p, p + random.choice((-0.1, 0.1)), float(random.random() < p), str(n)) for n, p in enumerate(truths)]
    some = score(told[:40])
    assert some is not None
    assert some.needed is not None
    assert some.verdict == "no skill shown"
    assert some.needed > some.events
    # With as many events of the same kind the interval just leaves 0 out.
    spread = (some.high - some.low) / 2 * 40**0.5 / 2.023
    assert 1.96 * spread / some.needed**0.5 == pytest.approx(abs(some.skill), rel=0.02)
    shown = score(told)
    assert shown is not None
    assert shown.needed is not None
    assert shown.needed < shown.events


def test_nothing_would_show_a_skill_that_is_not_there() -> None:
    echo = score(one(0.3, 0.3, float(n % 2), str(n)) for n in range(20))
    assert echo is not None
    assert echo.needed is None
    first = score([one(0.3, 0.2, 1)])
    assert first is not None
    assert (first.needed, first.verdict) == (None, "no skill shown")


def path(*prices: tuple[float, int], payout: int = ONE) -> PricePath:
    """Return a market that resolves at day 10."""
    return PricePath([(round(day * DAY), price * 10_000) for day, price in prices], 10 * DAY, payout)


def test_the_price_is_the_last_one_told_at_or_before_the_moment() -> None:
    one = path((1, 20), (9, 70), (9.5, 90))
    assert market_brier([one], 1) == Baseline(1, 1, 0.09)
    assert market_brier([one], 1.001) == Baseline(1.001, 1, 0.64)
    assert market_brier([one], 0) == Baseline(0, 1, 0.01)


def test_markets_that_were_not_there_yet_and_voided_ones_are_left_out() -> None:
    young, voided, lost = path((5, 50)), path((1, 50), payout=ONE // 2), path((1, 20), payout=0)
    assert market_brier([young, voided, lost], 7) == Baseline(7, 1, 0.04)
    assert market_brier([young, voided], 7) == Baseline(7, 0, None)
    assert market_brier([young, lost], 1) == Baseline(1, 2, (0.25 + 0.04) / 2)

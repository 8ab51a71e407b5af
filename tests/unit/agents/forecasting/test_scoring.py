from math import log
from random import Random

import pytest

from agents.forecasting.scoring import Resolved, score


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

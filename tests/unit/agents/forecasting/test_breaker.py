from agents.forecasting.breaker import FAILURES, LONGEST, SHORTEST, Breaker


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.fail("HTTP 500", now)
    return breaker


def test_it_opens_after_some_failures_in_a_row_and_an_answer_begins_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker.fail("HTTP 500", 0.0)
    breaker.succeed()
    breaker.fail("HTTP 500", 0.0)
    assert breaker.allows(0.0)
    assert not opened().allows(0.0)
    assert opened().reason == "HTTP 500"


def test_what_cannot_get_better_opens_it_at_once() -> None:
    breaker = Breaker()
    breaker.fail("HTTP 401", 0.0, final=True)
    assert not breaker.allows(0.0)


def test_one_probe_at_a_time_closes_it_or_makes_the_pause_longer() -> None:
    breaker = opened()
    assert breaker.allows(SHORTEST)
    assert breaker.begin()
    assert not breaker.allows(SHORTEST)
    breaker.fail("HTTP 503", SHORTEST)
    assert breaker.reason == "HTTP 503"
    assert not breaker.allows(SHORTEST + 1.9 * SHORTEST)
    assert breaker.allows(SHORTEST + 2 * SHORTEST)
    assert breaker.begin()
    breaker.succeed()
    assert breaker.allows(SHORTEST + 2 * SHORTEST)
    assert breaker.reason == ""


def test_the_pause_has_an_end() -> None:
    breaker, now = opened(), 0.0
    for _ in range(10):
        now += LONGEST
        assert breaker.allows(now)
        breaker.begin()
        breaker.fail("HTTP 500", now)
    assert breaker.allows(now + LONGEST)


def test_a_probe_that_asked_nothing_can_be_made_again_and_others_end_no_probe() -> None:
    breaker = opened()
    probe = breaker.begin()
    breaker.end(False)
    assert not breaker.allows(SHORTEST)
    breaker.end(probe)
    assert breaker.allows(SHORTEST)
    assert not Breaker().begin()

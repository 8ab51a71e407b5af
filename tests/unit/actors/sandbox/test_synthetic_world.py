from collections import Counter
from itertools import groupby

from actors.sandbox.categories import TERMS
from actors.sandbox.script import Script
from actors.sandbox.synthetic_world import SyntheticWorld
from agents.money import ONE

START = 1_790_000_000_000
HOUR = 3_600_000


def scripts(hours: int = 24, seed: int = 0) -> list[Script]:
    return SyntheticWorld(seed, START).opening(-1, START + hours * HOUR)


def test_about_twenty_markets_are_open_at_any_time_and_several_resolve_within_three_hours() -> None:
    for seed in range(3):
        made = scripts(72, seed)
        moments = range(START, START + 72 * HOUR, HOUR // 6)
        counts = [sum(script.opens <= at < script.resolves for script in made) for at in moments]
        assert min(counts) >= 14
        assert max(counts) <= 27
        for begin in moments[:-18]:
            assert sum(begin < script.resolves <= begin + 3 * HOUR for script in made) >= 5


def test_the_same_seed_makes_the_same_markets_and_another_makes_others() -> None:
    one, two = scripts(6), scripts(6)
    assert one == two
    assert [script.bars for script in one[-5:]] == [script.bars for script in two[-5:]]
    assert {script.record.condition_id for script in scripts(24, 1)}.isdisjoint(
        script.record.condition_id for script in scripts()
    )


def test_any_market_can_be_made_again_from_its_record_alone() -> None:
    world = SyntheticWorld(0, START)
    for script in scripts():
        again = world.script(script.record)
        assert again is not script
        assert (again, again.price(script.resolves)) == (script, script.price(script.resolves))


def test_markets_that_open_later_come_in_order_and_once() -> None:
    world = SyntheticWorld(0, START)
    whole = world.opening(START, START + 24 * HOUR)
    parts = [script for hour in range(24) for script in world.opening(START + hour * HOUR, START + (hour + 1) * HOUR)]
    assert parts == whole
    assert [script.opens for script in whole] == sorted(script.opens for script in whole)


def test_an_event_of_several_outcomes_has_exactly_one_winner_and_prices_that_add_up() -> None:
    events = [list(group) for _, group in groupby(scripts(72), key=lambda script: script.record.event_id)]
    contests = [event for event in events if event[0].record.neg_risk]
    assert len(contests) > 20
    for event in contests:
        assert 3 <= len(event) <= 6
        assert sum(script.payouts == (ONE, 0) for script in event) == 1
        assert len({script.record.neg_risk_market_id for script in event}) == 1
        for at in (event[0].opens, (event[0].opens + event[0].resolves) // 2):
            assert abs(sum(script.price(at) for script in event) - ONE) <= 500 * len(event)


def test_markets_are_mixed() -> None:
    made = scripts(240)
    singles = [script.record for script in made if not script.record.neg_risk]
    assert {script.record.category for script in made} == set(TERMS) - {"other"}
    labels = Counter(record.outcomes for record in singles)
    assert labels["Up", "Down"] > 100
    assert labels["Over", "Under"] > 20
    assert sum(count for pair, count in labels.items() if pair[0] not in ("Yes", "Up", "Over")) > 20
    assert 0 < sum(script.payouts == (ONE // 2, ONE // 2) for script in made) < 0.05 * len(made)
    assert {script.record.tick for script in made} == {10_000, 1_000}
    delays = {(r.category, r.taker_delay, r.seconds_delay) for r in singles if r.taker_delay}
    assert delays == {("crypto", 150, 0), ("sports", 1000, 1)}
    assert all("simulated market" in script.record.description for script in made)
    ids = [id for script in made for id in (*script.record.tokens, script.record.id, script.record.slug)]
    assert len(set(ids)) == len(ids)

from collections import Counter
from itertools import islice, pairwise

import pytest

from agents.errors import InvalidInput
from supervisor.chaos.plan import MEAN_DELAY, Kind, Strike, parse_targets, strikes

ALL = tuple(Kind)


def first(count: int, seed: int = 1, kinds: tuple[Kind, ...] = ALL, agents: int = 20) -> list[Strike]:
    return list(islice(strikes(seed, kinds, agents), count))


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert first(300) == first(300)
    assert first(300) != first(300, seed=2)


@pytest.mark.parametrize("seed", range(20))
def test_the_first_strikes_hit_each_kind_once(seed: int) -> None:
    opening = first(len(ALL), seed)
    assert Counter(strike.victims[0].kind for strike in opening) == Counter(ALL)
    assert all(len(strike.victims) == 1 for strike in opening)


def test_delays_are_short_and_random() -> None:
    delays = [strike.delay for strike in first(3000)]
    assert sum(delays) / len(delays) == pytest.approx(MEAN_DELAY, rel=0.1)
    assert min(delays) < 0.01
    assert max(delays) > 3 * MEAN_DELAY


def test_there_are_single_kills_bursts_of_agents_and_several_kinds_together() -> None:
    plan = first(2000)
    assert any(len(strike.victims) == 1 for strike in plan)
    assert max(sum(v.kind is Kind.AGENTS for v in strike.victims) for strike in plan) == 20
    together = {tuple(sorted({v.kind for v in strike.victims})) for strike in plan}
    assert {("broker", "ledger"), ("agents", "supervisor"), ("ledger", "sandbox")} <= together


def test_a_node_dies_alone_and_now_and_then_again_while_it_starts() -> None:
    nodes = [strike for strike in first(5000) if any(v.kind is Kind.NODE for v in strike.victims)]
    assert 20 < len(nodes) < 100
    assert all(len(strike.victims) == 1 for strike in nodes)
    assert {strike.again is None for strike in nodes} == {True, False}


def test_only_agents_hang_and_never_two_within_half_a_minute() -> None:
    now, hangs = 0.0, []
    for strike in first(5000):
        now += strike.delay
        assert all(v.kind is Kind.AGENTS for v in strike.victims if v.hang)
        hangs += [now for v in strike.victims if v.hang]
    assert len(hangs) > 50
    assert min(b - a for a, b in pairwise(hangs)) >= 30


def test_only_what_was_asked_for_is_killed() -> None:
    kinds = (Kind.LEDGER, Kind.BROKER)
    assert {v.kind for strike in first(500, kinds=kinds) for v in strike.victims} == set(kinds)
    assert {v.kind for strike in first(50, kinds=(Kind.NODE,)) for v in strike.victims} == {Kind.NODE}


def test_targets_are_read_from_a_list_and_unknown_ones_are_refused() -> None:
    assert parse_targets("node, agents") == (Kind.AGENTS, Kind.NODE)
    with pytest.raises(InvalidInput, match=r"--targets: moon cannot be killed; expected some of agents, .*node"):
        parse_targets("agents,moon")
    with pytest.raises(InvalidInput, match="nothing"):
        parse_targets(" , ")

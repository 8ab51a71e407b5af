from collections import Counter

import pytest

from actors.sandbox.service import FUNDS
from agents.roster import parse_roster
from agents.strategies import registry
from supervisor.chaos.roster import POLICY, roster


@pytest.mark.parametrize("agents", [1, 6, 20, 60])
def test_the_agents_are_valid_share_out_the_strategies_and_can_be_paid_for(agents: int) -> None:
    specs = parse_roster(roster(agents), "test")
    assert len(specs) == len({spec.id for spec in specs}) == agents
    for spec in specs:
        registry.create(spec.strategy, spec.params)
        assert spec.restart == POLICY
    counts = Counter(spec.strategy for spec in specs)
    assert len(counts) == min(agents, 5)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert sum(spec.budget_micro for spec in specs) < FUNDS

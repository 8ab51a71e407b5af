import pytest

from agents.errors import InvalidInput
from supervisor.spec_changes import changes, settings

SPEC = {"id": "a", "params": {"size": 1, "inner": {"x": 1}}, "budget": 5, "markets": [], "restart": {"maxRestarts": 5}}


def test_assignments_change_whole_fields_and_leave_the_rest_of_them() -> None:
    found = settings(SPEC, ["params.size=2.5", "params.inner.y=true", "params.new.z=q", "budget=7", "markets=[rain, '5']"])
    params = {"size": 2.5, "inner": {"x": 1, "y": True}, "new": {"z": "q"}}
    assert found == {"params": params, "budget": 7, "markets": ["rain", "5"]}
    assert SPEC["params"] == {"size": 1, "inner": {"x": 1}}


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("budget", "--set: 'budget' is no assignment, expected one such as params.size=5"),
        ("params..x=1", "--set: 'params..x=1' is no assignment"),
        ("bugdet=1", "--set: there is no field 'bugdet' to change; there are params, budget, markets, restart"),
        ("id=b", "--set: there is no field 'id' to change"),
        ("budget.x=1", "--set: 'budget.x' leads into something that has no fields"),
        ("params.size.x.y=1", "--set: 'params.size.x.y' leads into something that has no fields"),
        ("params.size={", "--set params.size, line 1: not valid YAML"),
    ],
)
def test_what_is_no_assignment_is_refused(assignment: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        settings(SPEC, [assignment])
    assert str(refused.value).startswith(sentence)


def test_only_what_differs_changes() -> None:
    assert changes(SPEC, {**SPEC, "budget": 6, "new": 1}) == {"budget": 6, "new": 1}
    with pytest.raises(InvalidInput, match=r"^budget: the field has gone; give it a value$"):
        changes(SPEC, {name: value for name, value in SPEC.items() if name != "budget"})

import pickle
from collections import Counter

from actors.ledger import snapshots
from agents.audit import KEPT, LIFETIME, LONGEST, audit_data, with_answer
from agents.events import Event, Type
from agents.fleet import FleetState


def told(state: FleetState, key: str | None = None, body: str = "{}", at: int = 0) -> None:
    data = audit_data(by="ops", method="POST", path="/api/fleet/reload", status=200, correlation_id="c")
    if key is not None:
        data = with_answer(data, key=key, fingerprint=f"of {key}", body=body)
    seq = state.seq + 1
    state.apply(Event(f"api:r/1/{seq}", Type.AUDIT, "api:r", None, 1, at, data, seq))


def test_an_answer_is_found_by_its_key_for_a_day() -> None:
    state = FleetState()
    told(state)
    told(state, "k", '{"success":true}', at=1000)
    found = state.answers.find("k", 1000 + LIFETIME - 1)
    assert found
    assert (found.fingerprint, found.status, found.body) == ("of k", 200, '{"success":true}')
    assert state.answers.find("k", 1000 + LIFETIME) is None
    assert state.answers.find("other", 1000) is None
    told(state, "later", at=1000 + LIFETIME)
    assert state.answers.by_key.keys() == {"later"}


def test_no_more_than_so_many_and_so_long_answers_are_kept() -> None:
    state = FleetState()
    for n in range(KEPT + 3):
        told(state, f"k{n}")
    assert list(state.answers.by_key) == [f"k{n}" for n in range(3, KEPT + 3)]
    told(state, "long", "x" * (LONGEST + 1))
    found = state.answers.find("long", 0)
    assert found
    assert found.body is None


def test_answers_are_in_a_snapshot() -> None:
    state = FleetState()
    told(state, "k", '{"a":"ä"}')
    found = snapshots.newest([snapshots.encode(state.seq, state, Counter())], floor=1)
    assert found
    assert found.state == pickle.loads(pickle.dumps(state)) == state

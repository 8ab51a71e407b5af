import pytest

from actors.ledger.recent import RecentEvents
from actors.storage.jobs import Stored
from agents.events import Event, Type


def stored(seq: int, size: int = 10, type: Type = Type.INFO, agent: str = "a") -> Stored:
    return Stored(Event(f"s/1/{seq}", type, "s", agent, 1, 0, {}, seq), size)


def test_it_reaches_only_what_it_holds_without_a_gap() -> None:
    recent = RecentEvents(most=10)
    assert not recent.reaches(0)
    recent.extend(stored(seq) for seq in range(1, 11))
    assert recent.reaches(0)
    recent.extend([stored(11)])
    assert not recent.reaches(0)
    assert recent.reaches(1)
    assert [event.seq for event in recent.after(1, 100, None, None)] == list(range(2, 12))
    assert [event.seq for event in recent.after(8, 2, None, None)] == [9, 10]
    assert recent.after(11, 100, None, None) == []


@pytest.mark.parametrize("size", [10, 60, 1000])
def test_its_volume_is_bounded_too(size: int) -> None:
    recent = RecentEvents(most=1000, volume=600)
    for seq in range(1, 201):
        recent.extend([stored(seq, size)])
        assert len(recent) * size <= 600
        assert len(recent) * size > 400 or size == 1000 or seq * size < 600


def test_filters_and_limit_go_together() -> None:
    recent = RecentEvents()
    recent.extend(stored(seq, type=Type.RISK if seq % 2 else Type.INFO, agent="ab"[seq % 3 == 0]) for seq in range(1, 20))
    assert [event.seq for event in recent.after(2, 3, "a", frozenset({"risk"}))] == [5, 7, 11]
    assert [event.seq for event in recent.after(2, 3, "b", None)] == [3, 6, 9]

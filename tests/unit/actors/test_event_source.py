from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from actors import event_source
from actors.event_source import EventSource
from agents.errors import InvalidInput, StaleIncarnation, Unavailable
from agents.events import Event, Type
from agents.ports import Ledger


class Answers:
    """A ledger that answers appends with what it is given."""

    def __init__(self, *answers: list[int] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[list[Event], dict[str, bytes]]] = []

    async def append(self, events: Sequence[Event], signed: Mapping[str, bytes]) -> list[int]:
        self.asked.append((list(events), dict(signed)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def source(ledger: Answers) -> EventSource:
    return EventSource("agent:a", 3, cast(Ledger, ledger), wall=lambda: 1234.5678)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_source, "RETRY", 0.0)


def test_events_carry_their_life_a_count_and_the_wall_clock() -> None:
    made = source(Answers())
    assert made.event(Type.RISK, {"x": 1}, "a") == Event("agent:a/3/1", Type.RISK, "agent:a", "a", 3, 1234567, {"x": 1})
    assert made.event(Type.INFO, {}).id == "agent:a/3/2"


async def test_an_unreachable_ledger_is_asked_again_for_the_same_events() -> None:
    ledger = Answers(Unavailable("down"), Unavailable("down"), [7])
    made = source(ledger)
    event = made.event(Type.INFO, {})
    assert await made.store([event], {"order": b"signed"}) == [7]
    assert ledger.asked == [([event], {"order": b"signed"})] * 3
    assert made.event(Type.INFO, {}).id == "agent:a/3/2"


async def test_patience_ends_and_the_count_goes_on() -> None:
    made = source(Answers(Unavailable("down"), Unavailable("down"), [1]))
    with pytest.raises(Unavailable, match="down"):
        await made.store([made.event(Type.INFO, {})], patience=-1)
    assert made.event(Type.INFO, {}).id == "agent:a/3/2"


@pytest.mark.parametrize("error", [StaleIncarnation("late"), InvalidInput("wrong")])
async def test_a_refusal_is_final(error: Exception) -> None:
    ledger = Answers(error, [1])
    made = source(ledger)
    with pytest.raises(type(error), match=str(error)):
        await made.store([made.event(Type.INFO, {})])
    assert len(ledger.asked) == 1

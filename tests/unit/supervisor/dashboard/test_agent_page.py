from agents.spec import AgentState
from supervisor.dashboard.agent_history import Recent, evidence_of
from supervisor.dashboard.fleet_page import buttons, decided


def test_recent_entries_are_bounded_newest_first_and_brought_up_to_date_in_place() -> None:
    recent = Recent(2)
    recent.add("a", {"status": "live"})
    recent.add("b", {"status": "live"})
    recent.add("a", {"status": "confirmed"})
    assert list(recent) == [("b", {"status": "live"}), ("a", {"status": "confirmed"})]
    recent.add("c", {"status": "live"})
    assert [key for key, _ in recent] == ["c", "b"]


def test_evidence_is_told_as_text() -> None:
    found = {"source": "news", "title": "Clouds", "summary": "They gather.", "url": "http://x"}
    assert evidence_of({"reasoning": "wet", "evidence": [found]}) == "wet\n\nnews · Clouds\nThey gather.\nhttp://x"
    assert evidence_of(None) == ""


def test_buttons_offer_what_the_state_allows_and_never_move() -> None:
    for state in AgentState:
        assert len(buttons(state)) == 4
    assert [button["name"] for button in buttons(AgentState.RUNNING) if button["on"]] == ["stop", "pause", "restart", "kill"]
    assert [button["name"] for button in buttons(AgentState.QUARANTINED) if button["on"]] == ["start", "resume"]
    assert [button["name"] for button in buttons(AgentState.STOPPED) if button["on"]] == ["start"]


def test_a_decision_is_told_in_a_few_words() -> None:
    decision = {"action": "buy", "outcome": "Yes", "price": 0.53, "confidence": 0.83, "marketQuestion": "Will it?"}
    assert decided(decision) == {"text": "BUY Yes @ 0.53 · 83%", "sub": "Will it?"}
    assert decided(None) == {"text": "-"}

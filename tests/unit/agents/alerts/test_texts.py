from typing import Any

import pytest

from agents.alerts import answers
from agents.alerts.commands import expired, parse
from agents.alerts.grouping import grouped
from agents.alerts.markup import cut, escaped, length, outside, unmarked
from agents.alerts.policy import AlertConfig, Level, Topic, topic
from agents.alerts.texts import alert, local_time
from agents.events import Event, Type
from agents.fleet import AgentRecord, FleetState
from agents.spec import AgentSpec, AgentState
from agents.valuation import Valuation

NOW = 1_764_000_000_000


def event(type: Type, agent: str | None = "default", source: str = "supervisor", **data: Any) -> Event:
    return Event(f"{source}/1/1", type, source, agent, 1, NOW, data, 7)


def test_the_seeds_message_for_a_losing_trade() -> None:
    text = alert(event(Type.TRADE, marketQuestion="Will it?", side="SELL", amount=12.5, profitLoss=-3.204, timestamp=NOW))
    assert text == (
        "❌ *Polymarket Trade*\n\nMarket: Will it?\nAction: SELL\nAmount: 12.5 USDC\nP/L: -3.20 USDC\n"
        "Time: 11/24/2025, 4:00:00 PM"
    )


def test_times_are_those_of_the_seeds_locale() -> None:
    assert local_time(1_767_225_599_000) == "12/31/2025, 11:59:59 PM"
    assert local_time(1_767_225_600_000) == "1/1/2026, 12:00:00 AM"


def test_text_from_outside_is_escaped_and_on_one_line() -> None:
    assert outside("a_b *c* `d` [e]\n\u202ef\x00") == "a\\_b \\*c\\* \\`d\\` \\[e] f"
    assert unmarked("*Title*\n" + escaped("a_b*c")) == "Title\na_b*c"


@pytest.mark.parametrize(
    ("happened", "expected", "level"),
    [
        (event(Type.AGENT, state="backing_off", change="state"), Topic.CRASH, Level.SILENT),
        (event(Type.AGENT, state="quarantined", change="state"), Topic.QUARANTINE, Level.ON),
        (event(Type.AGENT, state="running", change="state"), Topic.AGENT, Level.OFF),
        (event(Type.AGENT, state="quarantined", change="updated"), Topic.AGENT, Level.OFF),
        (event(Type.RISK, None, kind="kill_switch", on=True, reason="x", by="breaker"), Topic.KILL_SWITCH, Level.ON),
        (event(Type.RISK, blocked="daily loss"), Topic.RISK, Level.ON),
        (event(Type.RESOLUTION, redeemed=[]), Topic.REDEMPTION, Level.SILENT),
        (event(Type.RESOLUTION), Topic.RESOLUTION, Level.OFF),
        (event(Type.INFO, None, kind="service", name="ledger", state="restarting"), Topic.SERVICE, Level.SILENT),
        (event(Type.ORDER, status="intended", approval={}), Topic.APPROVAL, Level.ON),
        (event(Type.ORDER, status="signed", approval={}), Topic.ORDER, Level.OFF),
        (event(Type.ORDER, status="intended"), Topic.ORDER, Level.OFF),
        (event(Type.DECISION, confidence=0.9), Topic.DECISION, Level.OFF),
        (event(Type.ERROR, None, message="x"), Topic.ERROR, Level.ON),
        (event(Type.ERROR, None, "notifier", message="x"), Topic.ERROR, Level.OFF),
        (event(Type.OPPORTUNITY, None, profitPercent=2.0, confidence=0.8), Topic.OPPORTUNITY, Level.SILENT),
        (event(Type.OPPORTUNITY, None, profitPercent=0.5, confidence=0.8), Topic.OPPORTUNITY, Level.OFF),
        (event(Type.OPPORTUNITY, None, profitPercent=2.0, confidence=0.5), Topic.OPPORTUNITY, Level.OFF),
        (event(Type.CROSSCHAIN, None, profitPercent=2.0), Topic.CROSSCHAIN, Level.SILENT),
    ],
)
def test_each_event_has_a_topic_and_a_level(happened: Event, expected: Topic, level: Level) -> None:
    assert (topic(happened), AlertConfig().wants(happened)) == (expected, level)


def test_the_seeds_switches_turn_their_topics_off() -> None:
    off = {"trades": False, "opportunities": False, "errors": False, "dailySummary": False}
    config = AlertConfig.model_validate({"notifications": off})
    silenced = {
        each for each in Topic if AlertConfig().effective(each) is not Level.OFF and config.effective(each) is Level.OFF
    }
    assert silenced == {
        Topic.TRADE,
        Topic.OPPORTUNITY,
        Topic.CROSSCHAIN,
        Topic.ERROR,
        Topic.CRASH,
        Topic.QUARANTINE,
        Topic.DAILY_SUMMARY,
    }


def test_only_types_are_read_of_which_something_is_told() -> None:
    assert set(AlertConfig().types()) == {
        "trade",
        "order",
        "agent",
        "risk",
        "resolution",
        "info",
        "opportunity",
        "crosschain",
        "error",
    }


@pytest.mark.parametrize("kind", list(Type))
def test_every_type_has_words_even_without_data(kind: Type) -> None:
    assert alert(event(kind, status="live", name="*x", title="_y", profitPercent=1)).strip()


def test_a_group_holds_as_many_as_fit_and_at_least_one() -> None:
    assert grouped(["a", "b"]) == ("a\n\nb", 2)
    long = "🙂" * 1500
    assert grouped([long, long]) == (long, 1)
    text, count = grouped(["line\n" * 2000, "b" * 9])
    assert (length(text) <= 4096, count, text.endswith("…")) == (True, 1, True)
    assert cut("short") == "short"


def test_commands_are_read_as_people_write_them() -> None:
    assert parse(" /Pause@Fleet_Bot  default ", "fleet_bot") == ("pause", ["default"])
    assert parse("/status@other_bot", "fleet_bot") is None
    assert parse("hello /status") is None


def test_a_confirmation_stands_for_a_minute() -> None:
    assert not expired(str(NOW), NOW + 60_000)
    assert expired(str(NOW), NOW + 60_001)
    assert expired(str(NOW + 1), NOW)
    assert expired("", NOW)


def test_no_answer_is_longer_than_a_message_and_no_button_than_telegram_takes() -> None:
    state = FleetState()
    for n in range(300):
        name = f"{'agent_' * 9}{n:03d}"
        state.agents[name] = AgentRecord(AgentSpec(id=name, strategy="momentum"), state=AgentState.RUNNING)
    found = [
        answers.agents(state),
        answers.agents(state, 99),
        answers.choose(state, "restart"),
        answers.profit(state, Valuation(state, {})),
        answers.status(state),
    ]
    for answer in found:
        assert length(answer.text) <= 4096
        assert all(len(data.encode()) <= 64 and row for row in answer.buttons for _, data in row)
    assert "Agents* 15/15" in found[1].text

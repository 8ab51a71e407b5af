import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.errors import InvalidInput
from agents.events import Event, Type
from agents.facts import decision_data
from agents.money import ONE, micro
from agents.process_protocol import Lines, SaidDecision, SaidTrade, is_spoken, parse, written
from agents.strategies.process import reported_trade
from tests.unit.agents.worlds import decision, market

DOCUMENT = {
    "type": "decision",
    "market": "Will BTC reach $100k by Dec 2024?",
    "action": "buy",
    "confidence": 0.85,
    "reasoning": "Strong bullish momentum with breakout pattern...",
}
CODE = {
    "type": "decision",
    "market_id": 12,
    "market_question": "Will it?",
    "action": "BUY",
    "outcome": "NO",
    "confidence": 0.7,
    "reasoning": "so",
    "suggested_amount": 50,
    "price": 0.4,
}
TRADE = {
    "type": "trade",
    "market": "Will BTC reach $100k by Dec 2024?",
    "action": "buy",
    "amount": 50,
    "profitLoss": 12.5,
    "transactionHash": "0x1",
}


def decided(**changes: Any) -> SaidDecision:
    said = parse(json.dumps(DOCUMENT | changes))
    assert isinstance(said, SaidDecision)
    return said


@given(st.lists(st.text(max_size=30)), st.data())
def test_any_cut_of_a_stream_gives_the_same_lines(texts: list[str], data: st.DataObject) -> None:
    whole = "\n".join(texts).encode(errors="replace")
    at_once = Lines(1000)
    expected = at_once.feed(whole) + at_once.finish()
    lines, found, rest = Lines(1000), [], whole
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        found += lines.feed(rest[:size])
        rest = rest[size:]
    assert found + lines.finish() == expected


@given(st.lists(st.binary(max_size=50), max_size=30))
def test_bytes_of_any_kind_make_lines_that_are_short_enough(pieces: list[bytes]) -> None:
    lines = Lines(20)
    found = [line for piece in pieces for line in lines.feed(piece)] + lines.finish()
    assert all(line and len(line) <= 20 and "\n" not in line for line in found)


def test_a_line_that_is_too_long_is_counted_once_and_the_next_is_read() -> None:
    lines = Lines(10)
    assert [lines.feed(b"x" * 7) for _ in range(4)] == [[]] * 4
    assert lines.feed(b"y\nshort\n") == ["short"]
    assert lines.too_long == 1


@given(st.text())
@example("{" * 100_000)
@example('{"type": "decision", "a": ' + "[" * 100_000 + "]" * 100_000 + "}")
@example('{"type": "trade", "amount": 1e999999999999999999999, "market": "x", "action": "buy"}')
@example('{"type": "decision", "confidence": NaN}')
@example('{"type": ["decision"]}')
@example("}{")
@example('{"a": ' + "9" * 5000 + "}")
def test_garbage_is_none_of_the_protocol(line: str) -> None:
    if '"type"' not in line:
        assert parse(line) is None
        assert not is_spoken(line)
    else:
        parse(line)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TEXTS = ["market", "marketId", "market_question", "action", "side", "outcome"]
NUMBERS = ["confidence", "amount", "suggestedAmount", "price"]


@given(st.sampled_from(["decision", "trade"]), st.dictionaries(st.sampled_from(TEXTS + NUMBERS), VALUES))
def test_whatever_stands_in_the_fields_is_read_or_refused_with_a_sentence(type: str, fields: dict[str, Any]) -> None:
    try:
        said = parse(json.dumps({"type": type} | fields))
    except InvalidInput:
        return
    assert isinstance(said, SaidDecision | SaidTrade)
    assert said.names
    assert said.price is None or 0 <= said.price < ONE
    if isinstance(said, SaidDecision):
        assert 0 <= said.confidence <= 1
        assert said.amount is None or said.amount >= 0


def test_the_documents_names_and_the_codes_say_the_same() -> None:
    assert decided() == SaidDecision(
        names=("Will BTC reach $100k by Dec 2024?",),
        outcome="",
        action="buy",
        confidence=0.85,
        reasoning="Strong bullish momentum with breakout pattern...",
        amount=None,
        price=None,
    )
    said = parse(json.dumps(CODE))
    assert said == SaidDecision(("12", "Will it?"), "NO", "buy", 0.7, "so", 50 * ONE, micro("0.4"))
    camel = {"marketId": "12", "marketQuestion": "Will it?", "suggestedAmount": "50"}
    assert parse(json.dumps({name: value for name, value in CODE.items() if "_" not in name} | camel)) == said


def test_the_json_may_stand_within_other_text() -> None:
    assert parse(f"INFO agent: {json.dumps(DOCUMENT)} (ok)") == decided()
    assert parse('{"type": "heartbeat"}') is None


def test_text_is_one_printable_line_of_bounded_length() -> None:
    assert decided(reasoning="a\x1b[31m\n\tb\ud800c").reasoning == "a [31m b c"
    assert len(decided(reasoning="x" * 10_000).reasoning) == 2000
    assert decided(reasoning=None).reasoning == "It gave no reason."


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"market": ""}, "names no market"),
        ({"action": "panic"}, "'panic'; expected buy, sell, hold"),
        ({"confidence": 85}, "'85'; expected a number from 0 to 1"),
        ({"confidence": True}, "expected a number"),
        ({"suggestedAmount": -1}, "'-1'"),
        ({"price": 1}, '"price" is 1; expected less'),
        ({"price": "much"}, "'much'"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        decided(**changes)


def test_what_is_not_said_is_no_confidence_and_no_limit() -> None:
    said = decided(confidence=None, price=0)
    assert (said.confidence, said.price) == (0.0, None)


def test_floats_are_cut_to_the_millionth() -> None:
    assert decided(suggestedAmount=0.1 + 0.2, price=0.1 + 0.2).amount == 300_000


def test_a_trade_is_recorded_as_reported_and_moves_no_book() -> None:
    said = parse(json.dumps(TRADE))
    assert isinstance(said, SaidTrade)
    known = reported_trade(said, market(7))
    assert known.type is Type.TRADE
    data = dict(known.data)
    assert (data["marketId"], data["marketQuestion"]) == ("7", "Question 7?")
    assert (data["amount"], data["profitLoss"], data["transactionHash"], data["side"]) == (50.0, 12.5, "0x1", "BUY")
    assert (data["status"], data["reported"]) == ("EXECUTED", True)
    assert not data.keys() & {"size", "orderId", "tradeId", "wallet"}
    assert reported_trade(said, None).data["market"] == TRADE["market"]
    with pytest.raises(InvalidInput, match="amount"):
        parse(json.dumps(TRADE | {"amount": None}))


def test_what_is_written_has_both_spellings_and_is_read_again() -> None:
    data = decision_data(decision(market(7)), id="x/1/1", timestamp=5, venue_time=6)
    line = written(Event("x/1/1", Type.DECISION, "agent:a", "a", 1, 5, data))
    fields = json.loads(line)
    assert (fields["type"], fields["agentId"]) == ("decision", "a")
    assert fields["market_id"] == fields["marketId"] == "7"
    assert fields["suggested_amount"] == fields["suggestedAmount"] == 5.0
    said = parse(line)
    assert isinstance(said, SaidDecision)
    assert (said.names[0], said.outcome, said.amount, said.price) == ("0x7", "Yes", 5 * ONE, micro("0.5"))


def test_a_line_is_never_longer_than_a_pipe_passes_on_whole() -> None:
    data = decision_data(decision(market(7), reasoning="é" * 5000), id="x", timestamp=5, venue_time=6)
    line = written(Event("x/1/1", Type.DECISION, "agent:a", "a", 1, 5, data))
    assert len(line.encode()) < 4096
    assert json.loads(line)["reasoning"].startswith("éé")

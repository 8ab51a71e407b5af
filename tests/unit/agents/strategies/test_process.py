import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from agents.agent import Agent
from agents.events import Type
from agents.fleet import AgentRecord, FleetState
from agents.model import Account, Decision, TimeInForce
from agents.money import ONE, micro
from agents.strategies.process import Process, ProcessParams
from agents.validation import explain
from tests.unit.agents.worlds import account, event, market, seen, spec, view

MARKET = market(1)


def process(**params: Any) -> Process:
    return Process(ProcessParams.model_validate({"command": ["bot"]} | params))


def line(**fields: Any) -> str:
    return json.dumps({"type": "decision", "marketId": "1", "action": "buy", "confidence": 0.9, "reasoning": "so"} | fields)


def decided(*lines: str, of: Account | None = None, by: Process | None = None) -> list[Decision]:
    looked = view(seen(MARKET, bids=[("0.483", 100)], asks=[("0.507", 100)]), seen(market(2)), of=of)
    return (by or process()).decide(replace(looked, said=lines))


def one(*lines: str, of: Account | None = None) -> Decision:
    [decision] = decided(*lines, of=of)
    return decision


def test_a_decision_is_what_the_program_said() -> None:
    found = one(line(outcome="no", suggestedAmount=12, price=0.3, reasoning="rain"))
    assert (found.market, found.token_id, found.action, found.price) == (MARKET, "1-no", "buy", micro("0.3"))
    assert (found.size, found.confidence, found.reasoning, found.quote) == (40 * ONE, 0.9, "rain", False)


def test_it_may_want_all_or_nothing_and_cap_what_it_spends() -> None:
    found = one(line(orderType="fok", maxSpend=12.5, price=0.3))
    assert (found.time_in_force, found.max_spend) == (TimeInForce.FOK, micro("12.5"))
    assert (one(line()).time_in_force, one(line()).max_spend) == (None, None)
    sold = one(line(action="sell", max_spend=5, order_type="FOK"), of=account(held={"1-yes": ("10", "4")}))
    assert (sold.time_in_force, sold.max_spend) == (TimeInForce.FOK, None)
    # A program of ours that quotes says so; here it takes, as it always did.
    assert one(line(orderType="GTC", quote=True, expires=None)).order_type is TimeInForce.FAK


@pytest.mark.parametrize("name", ["1", "0x1", "question-1", "Question 1?", "QUESTION 1?"])
def test_a_market_goes_by_any_of_its_names(name: str) -> None:
    assert one(line(marketId=None, market=name)).market == MARKET


def test_without_a_price_it_takes_the_best_there_is_on_the_grid() -> None:
    assert one(line()).price == micro("0.51")
    assert one(line(action="sell"), of=account(held={"1-yes": ("10", "4")})).price == micro("0.48")


def test_a_price_is_no_worse_than_what_was_said() -> None:
    assert one(line(price=0.4567)).price == micro("0.45")
    assert one(line(action="SELL", price=0.4567), of=account(held={"1-yes": ("10", "4")})).price == micro("0.46")


def test_without_an_amount_it_is_all_that_the_agent_lets_through() -> None:
    agent = Agent(spec(strategy="process", params={"command": ["bot"]}, maxTradeAmount=20))
    [order] = agent.step(replace(view(seen(MARKET)), said=(line(),))).orders
    assert 18 * ONE < order.size * order.price // ONE <= 20 * ONE


def test_it_sells_what_it_holds_and_no_more() -> None:
    held = account(held={"1-yes": ("10", "4")})
    assert one(line(action="sell"), of=held).size == 10 * ONE
    assert one(line(action="sell", suggestedAmount=1, price=0.5), of=held).size == 2 * ONE
    assert one(line(action="sell", suggestedAmount=1000, price=0.5), of=held).size == 10 * ONE
    assert one(line(action="sell")).size == 0


def test_low_confidence_is_held_by_the_agent_as_for_every_strategy() -> None:
    agent = Agent(spec(strategy="process", params={"command": ["bot"]}, minConfidence=0.95))
    plan = agent.step(replace(view(seen(MARKET)), said=(line(),)))
    assert plan.orders == ()
    assert "confidence 0.90 is below 0.95" in plan.decisions[0].reasoning


def test_a_hold_is_a_hold() -> None:
    found = one(line(action="HOLD"))
    assert (found.action, found.size) == ("hold", 0)


def test_nobody_on_the_other_side_is_a_hold_with_its_reason() -> None:
    looked = replace(view(seen(MARKET, asks=[])), said=(line(),))
    [found] = process().decide(looked)
    assert (found.action, found.reasoning) == ("hold", "Held, there is nobody to buy from. so")


def test_each_is_used_once_and_the_later_of_two_counts() -> None:
    by = process()
    lines = (line(suggestedAmount=5), line(action="sell"), line(outcome="No", suggestedAmount=6))
    assert [found.action for found in decided(*lines, by=by)] == ["sell", "buy"]
    assert by.remarks == ("it decided twice on Yes of 'Question 1?'; the later counts",)
    assert decided(by=by) == []
    assert by.remarks == ()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (line(marketId="77"), "none of the markets that it sees is called '77'"),
        (line(outcome="Maybe"), "no outcome 'Maybe'; it has Yes and No"),
        (line(price=0.001), "leaves none on the grid of 0.01"),
        (line(confidence=7), "confidence"),
        (json.dumps({"type": "trade", "market": "Question 1?", "action": "buy", "amount": 5}), "reportsTrades is false"),
    ],
)
def test_what_cannot_be_used_is_remarked_on_and_holds_up_nothing(said: str, why: str) -> None:
    by = process()
    assert len(decided(said, line(), by=by)) == 1
    assert len(by.remarks) == 1
    assert why in by.remarks[0]


def test_a_name_that_several_markets_have_is_not_guessed() -> None:
    twins = [seen(market(n, question="The same?")) for n in (1, 2)]
    by = process()
    assert by.decide(replace(view(*twins), said=(line(marketId=None, market="The same?"),))) == []
    assert "several markets are called 'The same?'" in by.remarks[0]
    [found] = by.decide(replace(view(*twins), said=(line(marketId="2", market="The same?"),)))
    assert found.market.id == "2"


def test_a_program_that_trades_by_itself_is_only_recorded() -> None:
    by = process(reportsTrades=True)
    trade = json.dumps(
        {"type": "trade", "market": "Question 1?", "action": "buy", "amount": 5, "price": 0.5, "status": "PENDING"}
    )
    assert decided(line(action="sell", suggestedAmount=3), trade, by=by) == []
    decision, traded = by.reports
    assert (decision.type, decision.data["action"], decision.data["suggestedAmount"]) == (Type.DECISION, "sell", 3.0)
    assert (traded.type, traded.data["marketId"], traded.data["status"]) == (Type.TRADE, "1", "PENDING")
    assert by.command.trades
    assert decided(by=by) == []
    assert by.reports == ()


def test_a_reported_trade_changes_no_book_and_no_count() -> None:
    by = process(reportsTrades=True)
    decided(json.dumps({"type": "trade", "market": "x", "action": "sell", "amount": 5, "profitLoss": 100}), by=by)
    state = FleetState(agents={"a": AgentRecord(spec())})
    state.apply(event(1, Type.TRADE, "a", dict(by.reports[0].data)))
    assert state.agents["a"].total_trades == 0
    assert state.total_profit == 0
    assert state.portfolio.wallets == {}


def test_its_params_are_the_command() -> None:
    command = process(command=["python", "bot.py"], env={"MODEL": "x"}, riskTolerance="LOW", maxLine=1000, silence=5).command
    assert command.arguments == ("python", "bot.py")
    assert (command.environment, command.risk_tolerance, command.trades) == ({"MODEL": "x"}, "LOW", False)
    assert (command.max_line, command.silence) == (1000, 5.0)


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"command": []}, "command"),
        ({"command": "bot"}, "command"),
        ({"command": ["a\x00b"]}, "command"),
        ({"env": {"OPENAI_API_KEY": "x"}}, "looks like a secret"),
        ({"env": {"A=B": "x"}}, "env"),
        ({"riskTolerance": "YOLO"}, "riskTolerance"),
    ],
)
def test_params_that_cannot_work_are_refused(params: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        process(**params)
    assert why in explain(refused.value, "params")

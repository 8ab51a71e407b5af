from dataclasses import replace

import pytest

from agents.approvals import Approval, ask, id_of, must_wait, read_approval, unfit, waiting_order
from agents.events import Type
from agents.fleet import FleetState
from agents.model import Book, Decision, Level, MarketView, Side
from agents.money import ONE, micro
from agents.spec import AgentSpec, ApprovalRule
from tests.unit.agents.worlds import event, market

MARKET = market()
TOKEN = MARKET.tokens[0]


def leg(action: str, size: str, price: str = "0.5", group: str = "") -> Decision:
    return Decision(MARKET, TOKEN, action, micro(price), micro(size), 0.8, "because", group=group)


def seen(bid: str | None = "0.48", ask: str | None = "0.5", **changes: object) -> MarketView:
    age = changes.pop("age", 0.0)
    assert isinstance(age, float)
    bids, asks = ((Level(micro(price), ONE),) if price else () for price in (bid, ask))
    book = Book(TOKEN, bids, asks)
    return MarketView(replace(MARKET, **changes), (book, book.mirrored(MARKET.tokens[1])), (), age)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "legs", "waits"),
    [
        (None, [leg("buy", "1000")], False),
        (ApprovalRule(), [leg("buy", "2")], True),
        (ApprovalRule(above=10), [leg("buy", "20")], False),
        (ApprovalRule(above=10), [leg("buy", "20.01")], True),
        # The legs of a trade count together.
        (ApprovalRule(above=10), [leg("buy", "11"), leg("buy", "11")], True),
        (ApprovalRule(), [leg("sell", "1000")], False),
        (ApprovalRule(above=10), [leg("sell", "1000"), leg("buy", "2")], False),
        (ApprovalRule(above=10, sells=True), [leg("sell", "1000")], True),
    ],
)
def test_which_trades_wait(rule: ApprovalRule | None, legs: list[Decision], waits: bool) -> None:
    assert must_wait(rule, legs) is waits


def test_an_approval_has_a_short_id_of_its_intent_and_reads_as_it_was_written() -> None:
    found = ask("agent:a/1/7", leg("buy", "20"), ApprovalRule(expires=60.0), seen(), 1_000)
    assert found == Approval(id_of("agent:a/1/7"), 61_000, micro("0.5"), "because", 0.8)
    assert len(f"approve:{found.id}".encode()) <= 64
    assert read_approval(found.data()) == found
    decided = replace(ask("x", leg("sell", "1"), ApprovalRule(), seen(bid=None), 0), by="somebody", approved=True, at=7)
    assert decided.met is None
    assert read_approval(decided.data()) == decided


@pytest.mark.parametrize(
    ("view", "side", "met", "reason"),
    [
        (seen(), Side.BUY, "0.5", None),
        (seen(), Side.BUY, "0.45", None),
        (seen(), Side.BUY, "0.55", None),
        (seen(), Side.SELL, "0.5", None),
        (seen(ask="0.56"), Side.BUY, "0.5", "the price has moved from 0.5 to 0.56 since it was asked for"),
        (seen(ask="0.44"), Side.BUY, "0.5", "the price has moved from 0.5 to 0.44 since it was asked for"),
        (seen(ask=None), Side.BUY, "0.5", "the price has moved from 0.5 to none since it was asked for"),
        (seen(), Side.BUY, None, "the price has moved from none to 0.5 since it was asked for"),
        (seen(ask=None), Side.BUY, None, None),
        (seen(age=61.0), Side.BUY, "0.5", "nothing was heard of the market for 61 s, so its price is not known"),
        (seen(closed=True), Side.BUY, "0.5", "the market takes no orders any more"),
        (seen(accepting_orders=False), Side.BUY, "0.5", "the market takes no orders any more"),
        (None, Side.BUY, "0.5", "the market takes no orders any more"),
    ],
)
def test_what_has_changed_since_it_was_asked(view: MarketView | None, side: Side, met: str | None, reason: str | None) -> None:
    assert unfit(view, TOKEN, side, micro(met) if met else None) == reason


def test_the_state_has_what_waits_until_it_is_decided() -> None:
    approval = ask("agent:a/1/7", leg("buy", "20"), ApprovalRule(), seen(), 0)
    data = {
        "orderId": "o1",
        "wallet": "main",
        "marketId": "1",
        "marketQuestion": "Will it rain?",
        "outcome": "Yes",
        "side": "BUY",
        "price": "0.5",
        "size": "20",
        "postOnly": False,
        "status": "intended",
        "approval": approval.data(),
    }
    asked = event(1, Type.ORDER, "a", data)
    state = FleetState()
    state.apply(asked)
    assert state.waiting == {"o1": waiting_order(asked)}
    assert (state.waiting["o1"].amount, state.waiting["o1"].approval) == (10 * ONE, approval)
    state.apply(event(2, Type.ORDER, "a", data | {"status": "signed"}))
    assert state.waiting == {}


def test_a_spec_says_true_false_or_which() -> None:
    def rule(value: object) -> ApprovalRule | None:
        return AgentSpec.model_validate({"id": "a", "strategy": "x", "approval": value}).approval

    assert rule(True) == rule({}) == ApprovalRule()
    assert rule(False) is rule(None) is None
    assert rule({"above": 50, "expires": 60, "sells": True}) == ApprovalRule(above=50, expires=60.0, sells=True)
    spec = AgentSpec.model_validate({"id": "a", "strategy": "x", "approval": {"above": 0.5}})
    assert AgentSpec.model_validate(spec.wire()) == spec
    for wrong in ("yes", 1, {"above": -1}, {"expires": 1}, {"more": 1}):
        with pytest.raises(ValueError, match="approval"):
            rule(wrong)

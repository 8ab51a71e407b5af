import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from agents import agent as agent_module
from agents.agent import REFUSED_ROUNDS, Agent, Plan
from agents.errors import InvalidInput
from agents.model import STALE_AFTER, Account, Decision, MarketView, Side, TimeInForce, View
from agents.money import ONE, micro
from agents.ports import Placed
from agents.risk import spend
from agents.strategies.strategy import Params, Strategy
from tests.unit.agents.worlds import NOW, account, decision, market, order, seen, spec, view

M = market()


class Script(Strategy[Params]):
    """Wants what it is told to want."""

    name = "script"
    description = "Wants what it is told to want."
    params_type = Params

    def __init__(self) -> None:
        super().__init__(Params())
        self.wants: list[Decision] = []

    def decide(self, view: View) -> list[Decision]:
        return self.wants


Make = Callable[..., tuple[Agent, Script]]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    def made(*wants: Decision, **changes: Any) -> tuple[Agent, Script]:
        script = Script()
        script.wants = list(wants)
        monkeypatch.setattr(agent_module, "create", lambda name, params: script)
        return Agent(spec(**changes)), script

    return made


def step(agent: Agent, *markets: MarketView, of: Account | None = None) -> Plan:
    return agent.step(view(*(markets or (seen(M),)), of=of))


def reasons(plan: Plan) -> list[tuple[str, str]]:
    return [(each.action, each.reasoning.removesuffix(". because")) for each in plan.decisions]


def test_what_passes_is_logged_and_ordered_as_it_is(make: Make) -> None:
    wanted = decision(M)
    agent, _ = make(wanted)
    plan = step(agent)
    assert plan == Plan((wanted,), ())
    assert plan.orders == (wanted,)


def test_low_confidence_is_held_with_its_reason(make: Make) -> None:
    agent, _ = make(decision(M, confidence=0.699))
    plan = step(agent)
    assert plan.orders == ()
    (held,) = plan.decisions
    assert (held.action, held.size) == ("hold", 0)
    assert held.reasoning == "Held, confidence 0.70 is below 0.70. because"


def test_a_confidence_that_is_no_number_is_held(make: Make) -> None:
    agent, _ = make(decision(M, confidence=float("nan")))
    assert step(agent).orders == ()


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (seen(market(accepting_orders=False)), "Held, the market takes no orders now"),
        (seen(market(closed=True)), "Held, the market takes no orders now"),
        (seen(market(payouts=(ONE, 0))), "Held, the market takes no orders now"),
        (seen(market(2)), "Held, the market takes no orders now"),
        (seen(M, age=STALE_AFTER + 1), "Held, nothing was heard of the market for 61 s"),
    ],
)
def test_a_market_that_does_not_trade_or_is_silent_is_held(make: Make, item: MarketView, reason: str) -> None:
    agent, _ = make(decision(M))
    assert reasons(step(agent, item)) == [("hold", reason)]


def test_a_hold_is_logged_once_until_something_else_happens(make: Make) -> None:
    weak, strong = decision(M, confidence=0.1), decision(M)
    agent, script = make(weak)
    assert len(step(agent).decisions) == 1
    assert step(agent).decisions == ()
    assert reasons(step(agent, seen(M, age=99))) == [("hold", "Held, nothing was heard of the market for 99 s")]
    assert len(step(agent).decisions) == 1
    script.wants = [strong]
    assert step(agent).orders == (strong,)
    script.wants = [weak]
    assert reasons(step(agent)) == [("hold", "Held, confidence 0.10 is below 0.70")]


def test_a_strategys_own_hold_keeps_its_words_and_is_logged_once(make: Make) -> None:
    agent, _ = make(decision(M, action="hold", size="0", confidence=0.0))
    assert reasons(step(agent)) == [("hold", "because")]
    assert step(agent).decisions == ()


def test_a_decision_is_cut_to_the_most_that_it_may_spend(make: Make) -> None:
    agent, _ = make(decision(M, size="1000"), maxTradeAmount=50)
    (cut,) = step(agent).orders
    assert micro("49") < spend(cut) <= micro("50")


def test_decisions_share_the_free_cash_in_order(make: Make) -> None:
    other = market(2)
    agent, _ = make(decision(M, size="150"), decision(other, size="150"), maxTradeAmount=1000)
    first, second = step(agent, seen(M), seen(other), of=account("100")).orders
    assert first.size == 150 * ONE
    assert second.size == micro("40.46")
    assert spend(first) + spend(second) <= 100 * ONE


def test_what_cash_cannot_buy_is_held(make: Make) -> None:
    agent, _ = make(decision(M))
    plan = step(agent, of=account("0.5"))
    assert reasons(plan) == [("hold", "Held, it may spend 0.47 pUSD on it, and the venue takes 1 or more")]
    assert step(agent, of=account("0.4")).decisions == ()


def test_it_sells_what_it_holds_and_no_more(make: Make) -> None:
    agent, _ = make(decision(M, "sell", size="10"), decision(M, "sell", size="10", price="0.4"))
    first, second = step(agent, of=account(held={"1-yes": ("15", "7")})).orders
    assert (first.size, second.size) == (10 * ONE, 5 * ONE)


def test_sales_are_not_cut_to_the_most_that_it_may_spend(make: Make) -> None:
    agent, _ = make(decision(M, "sell", size="500"), maxTradeAmount=1)
    assert step(agent, of=account("0", held={"1-yes": ("500", "7")})).orders[0].size == 500 * ONE


def quote(**changes: Any) -> Decision:
    return decision(M, quote=True, **changes)


def test_a_quote_that_stands_is_neither_logged_nor_placed_again(make: Make) -> None:
    agent, _ = make(quote())
    assert step(agent, of=account(orders=[order(M)])) == Plan()


@pytest.mark.parametrize(
    "standing",
    [
        order(M, price="0.49"),
        order(M, token_id="1-no"),
        order(M, side=Side.SELL),
        order(M, size="4.9"),
        order(M, size="20.5"),
        order(M, filled=micro("5.1")),
    ],
)
def test_an_order_that_is_not_what_is_wanted_is_cancelled_and_replaced(make: Make, standing: Any) -> None:
    agent, _ = make(quote())
    assert step(agent, of=account(orders=[standing], held={"1-yes": ("10", "5")})) == Plan((quote(),), ("o1",))


def test_a_price_off_the_grid_is_moved_to_the_safe_side_and_stands_there(make: Make) -> None:
    wanted = decision(M, price="0.4567", quote=True)
    agent, _ = make(wanted)
    assert step(agent).orders == (replace(wanted, price=micro("0.45")),)
    assert step(agent, of=account(orders=[order(M, price="0.45")])) == Plan(), "it is not replaced in every round"
    finer = seen(replace(M, tick=1_000))
    assert step(agent, finer).orders == (replace(wanted, price=micro("0.456")),), "by the grid that there is now"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": "0.004"}, "Held, price 0.004 leaves none on the market's grid of 0.01"),
        ({"quote": True, "time_in_force": TimeInForce.FOK}, "Held, a quote rests, and a FOK order does not"),
        ({"expires": 5}, "Held, it was good until 5"),
    ],
)
def test_what_the_venue_would_not_take_is_held(make: Make, changes: dict[str, Any], reason: str) -> None:
    agent, _ = make(decision(M, **changes))
    [(action, said)] = reasons(step(agent))
    assert (action, said.startswith(reason)) == ("hold", True)


@pytest.mark.parametrize(
    ("standing", "wanted", "stays"),
    [(NOW + 5, NOW + 9, True), (NOW + 9, NOW + 5, False), (None, NOW + 5, False), (NOW + 5, None, True), (None, None, True)],
)
def test_an_order_stays_if_it_ends_no_later_than_is_wanted(
    make: Make, standing: int | None, wanted: int | None, stays: bool
) -> None:
    agent, _ = make(quote(expires=wanted))
    plan = step(agent, of=account(orders=[order(M, expires=standing)]))
    assert (plan.cancels, len(plan.orders)) == (((), 0) if stays else (("o1",), 1))


def test_an_order_that_rests_without_being_a_quote_stands_too(make: Make) -> None:
    agent, _ = make(decision(M, time_in_force=TimeInForce.GTC))
    assert step(agent, of=account(orders=[order(M)])) == Plan()


def test_a_cap_cuts_one_decision_below_what_the_spec_allows(make: Make) -> None:
    agent, _ = make(decision(M, size="1000", max_spend=20 * ONE), maxTradeAmount=50)
    (cut,) = step(agent).orders
    assert micro("19") < spend(cut) <= micro("20")


def test_an_order_partly_filled_stays_while_half_of_it_is_left(make: Make) -> None:
    agent, _ = make(quote())
    assert step(agent, of=account(orders=[order(M, filled=micro("5"))])) == Plan()


def test_one_order_serves_one_quote(make: Make) -> None:
    agent, _ = make(quote())
    assert step(agent, of=account(orders=[order(M, "o1"), order(M, "o2")])).cancels == ("o2",)
    agent, _ = make(quote(), quote())
    assert step(agent, of=account(orders=[order(M)])).orders == (quote(),)


def test_what_is_no_longer_wanted_is_cancelled(make: Make) -> None:
    agent, _ = make()
    assert step(agent, of=account(orders=[order(M), order(market(7), "o2")])) == Plan((), ("o1", "o2"))


def test_a_quote_that_is_held_does_not_stay(make: Make) -> None:
    agent, _ = make(quote(confidence=0.2))
    assert step(agent, of=account(orders=[order(M)])).cancels == ("o1",)


def test_a_decision_to_take_does_not_match_a_resting_order(make: Make) -> None:
    agent, _ = make(decision(M))
    assert step(agent, of=account(orders=[order(M)])).cancels == ("o1",)


def test_cancelling_frees_the_cash_for_what_replaces_it(make: Make) -> None:
    agent, _ = make(quote(price="0.4"))
    plan = step(agent, of=account("0.1", orders=[order(M, price="0.5", size="10", filled=micro("1"))]))
    assert plan.cancels == ("o1",)
    assert plan.orders[0].size == 10 * ONE


def test_shares_that_a_standing_order_sells_are_not_sold_twice(make: Make) -> None:
    agent, _ = make(decision(M, "sell", "0.6", quote=True), decision(M, "sell", "0.5"))
    standing = order(M, side=Side.SELL, price="0.6")
    (sale,) = step(agent, of=account(orders=[standing], held={"1-yes": ("14", "7")})).orders
    assert (sale.price, sale.size) == (micro("0.5"), 4 * ONE)


def test_a_quote_cut_to_what_is_free_is_not_replaced_in_every_round(make: Make) -> None:
    agent, _ = make(quote(size="100"))
    (first,) = step(agent, of=account("10")).orders
    assert first.size == micro("19.99")
    assert step(agent, of=account("0.005", orders=[order(M, size="19.99")])) == Plan()


def test_a_group_falls_with_one_of_its_legs(make: Make) -> None:
    other = market(2)
    good, bad = decision(M, group="g"), decision(other, group="g", confidence=0.5)
    agent, _ = make(good, bad, decision(market(3)))
    plan = step(agent, seen(M), seen(other), seen(market(3)))
    assert [each.market.id for each in plan.orders] == ["3"]
    assert reasons(plan)[:2] == [
        ("hold", "Held, another leg of the trade is held, confidence 0.50 is below 0.70"),
        ("hold", "Held, confidence 0.50 is below 0.70"),
    ]


def test_a_group_is_cut_as_one(make: Make) -> None:
    legs = [decision(market(n), price=price, size="300", group="g") for n, price in ((1, "0.5"), (2, "0.2"), (3, "0.25"))]
    agent, _ = make(*legs, maxTradeAmount=60)
    plan = step(agent, *(seen(leg.market) for leg in legs))
    assert {leg.size for leg in plan.orders} == {micro("114.2")}
    assert len(plan.orders) == 3


def test_a_group_that_cash_cannot_buy_is_held_whole(make: Make) -> None:
    legs = [decision(market(n), price=price, size="30", group="g") for n, price in ((1, "0.9"), (2, "0.05"))]
    agent, _ = make(*legs)
    plan = step(agent, *(seen(leg.market) for leg in legs), of=account("15"))
    assert [action for action, _ in reasons(plan)] == ["hold", "hold"]


@pytest.mark.parametrize("placed", [Placed("i", None, "rejected", "no"), Placed("i", "0x", "rejected", "no")])
def test_what_the_broker_refused_waits_at_that_price(make: Make, placed: Placed) -> None:
    wanted = decision(M)
    agent, script = make(wanted)
    agent.report(step(agent).orders[0], placed)
    assert reasons(step(agent)) == [("hold", "Held, the broker refused it at this price a moment ago: no")]
    script.wants = [decision(M, price="0.51")]
    assert len(step(agent).orders) == 1
    script.wants = [wanted]
    assert [len(step(agent).orders) for _ in range(REFUSED_ROUNDS)] == [0] * (REFUSED_ROUNDS - 2) + [1, 1]


@pytest.mark.parametrize("status", ["live", "matched", "unknown", "pending"])
def test_what_was_placed_may_be_wanted_again(make: Make, status: str) -> None:
    agent, _ = make(decision(M))
    agent.report(step(agent).orders[0], Placed("i", "0x", status))
    assert len(step(agent).orders) == 1


def test_a_changed_spec_counts_from_the_next_round(make: Make) -> None:
    agent, _ = make(decision(M, confidence=0.5))
    assert step(agent).orders == ()
    agent.configure(spec(minConfidence=0.4))
    assert len(step(agent).orders) == 1


def test_a_strategy_keeps_its_memory_until_its_params_change(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []

    def create(name: str, params: dict[str, Any]) -> Script:
        made.append(params)
        return Script()

    monkeypatch.setattr(agent_module, "create", create)
    agent = Agent(spec())
    agent.configure(spec(budget=5))
    agent.configure(spec(params={"window": 9}))
    assert made == [{}, {"window": 9}]


def test_a_wrong_change_leaves_the_old_spec() -> None:
    agent = Agent(spec())
    with pytest.raises(InvalidInput, match=r"params\.window: input should be a valid integer"):
        agent.configure(spec(params={"window": "x"}))
    assert agent.spec == spec()
    with pytest.raises(InvalidInput, match="strategy: there is no 'nothing'"):
        Agent(spec(strategy="nothing"))


def test_its_memory_is_bounded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "_REMEMBERED", 3)
    agent, script = make()
    for n in range(10):
        of = market(n)
        script.wants = [decision(of, confidence=0.1)]
        assert len(step(agent, seen(of)).decisions) == 1
    assert len(agent._held) <= 4


def test_the_same_view_makes_the_same_plan(make: Make) -> None:
    wants: Sequence[Decision] = [decision(M), quote(price="0.4"), decision(M, confidence=0.1, price="0.3")]
    first, second = (step(make(*wants)[0], of=account(orders=[order(M)])) for _ in range(2))
    assert first == second
    assert replace(first) == first


def test_deciding_takes_no_heavy_import() -> None:
    code = (
        "import sys, agents.agent as a\n"
        "from agents.spec import AgentSpec\n"
        "for name in ('market_maker', 'momentum', 'favourite_longshot', 'neg_risk_arbitrage'):\n"
        "    a.Agent(AgentSpec(id='a', strategy=name))\n"
        "heavy = {'ray', 'numpy', 'scipy', 'pandas', 'yaml', 'httpx', 'sqlalchemy', 'fastapi', 'polymarket', 'actors'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

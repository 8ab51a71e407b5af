"""Losses from results, and the folds that they are measured with: all of it must be the same after the log is read anew."""

from dataclasses import replace
from typing import Any

from agents import facts
from agents.events import Event, Type
from agents.fleet import AgentRecord, FleetState, agent_data
from agents.limits.losses import Findings, High, look, results
from agents.limits.state import Mark, RiskState, Rule, Stop, marks_data, resumed_data, stop_data
from agents.model import Side
from agents.money import ONE, micro
from agents.orders import OrderStatus
from tests.unit.agents.worlds import event, market, spec

MARKET = market(1)
YES, NO = MARKET.tokens


class History:
    """A fleet's log in the making, and its fold."""

    def __init__(self) -> None:
        self.state = FleetState()
        self.events: list[Event] = []

    def log(self, type: Type, data: dict[str, Any], agent: str | None = None) -> None:
        made = event(len(self.events) + 1, type, agent, data)
        self.events.append(made)
        self.state.apply(made)

    def agent(self, id: str = "a", budget: int = 1000, **changes: Any) -> None:
        record = AgentRecord(spec(id=id, budget=budget, **changes))
        self.log(Type.AGENT, agent_data(record, "created", with_spec=True), id)

    def order(self, status: OrderStatus, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "order_id": "o1",
            "decision_id": "d",
            "wallet": "main",
            "market": MARKET,
            "token_id": YES,
            "side": Side.BUY,
            "price": micro("0.5"),
            "size": 10 * ONE,
            "filled": 0,
            "status": status,
            "order_type": "GTC",
            "post_only": True,
            "venue_time": 0,
            "may_cost": micro("5.2"),
        }
        self.log(Type.ORDER, facts.order_data(**fields | changes), "a")

    def trade(self, size: int, price: str, side: Side = Side.BUY, fee: str = "0", order_id: str = "o1") -> None:
        data = facts.trade_data(
            trade_id=f"t{len(self.events)}",
            order_id=order_id,
            decision_id="d",
            wallet="main",
            market=MARKET,
            token_id=YES,
            side=side,
            size=size * ONE,
            price=micro(price),
            fee=micro(fee),
            profit=0,
            maker=False,
            tx_hash="0x",
            timestamp=0,
            venue_time=0,
        )
        self.log(Type.TRADE, data, "a")

    def look(self, day: int, result: str, highs: dict[str, High] | None = None) -> Findings:
        """Look at agent a with this result, and log what it calls for."""
        state = self.state
        assert state.risk.settings is not None
        specs = {id: record.spec for id, record in state.agents.items()}
        capital = {"agent:a": 1000 * ONE}
        found = look(state.risk, state.risk.settings, specs, {"agent:a": micro(result)}, capital, day, highs or {})
        if found.marks:
            self.log(Type.INFO, marks_data(found.marks, 0))
        for scope, stops in found.stops.items():
            for stop in stops:
                self.log(Type.RISK, stop_data(scope, stop, 0), "a")
        return found

    def again(self) -> RiskState:
        """Read the log anew, as a process that was killed does."""
        state = FleetState()
        for each in self.events:
            state.apply(each)
        return state.risk


def test_a_result_is_what_was_realised_and_what_shares_are_worth_beyond_their_cost() -> None:
    history = History()
    history.agent()
    history.trade(100, "0.5", fee="1")
    history.trade(40, "0.6", Side.SELL, fee="0.5")
    found = results(history.state.portfolio, {YES: micro("0.45")})
    # 4 - 1.5 realised, and 60 shares that cost 30 and are worth 27.
    assert found == {"agent:a": micro("-0.5"), "wallet:main": micro("-0.5"), "fleet": micro("-0.5")}
    assert results(history.state.portfolio, {})["agent:a"] == micro("2.5")
    history.log(Type.INFO, facts.deposit_data(wallet="main", address="0x", cash=500 * ONE, reason="more"))
    history.agent(budget=2000)
    assert results(history.state.portfolio, {YES: micro("0.45")})["agent:a"] == micro("-0.5")


def test_a_new_agents_first_losses_count() -> None:
    history = History()
    history.agent(risk={"maxDailyLoss": 10})
    history.look(7, "-11")
    assert history.state.risk.marks == {"agent:a": Mark(7, 0, 0)}
    assert history.look(7, "-11").stops


def test_a_loss_of_the_day_stops_the_agent_until_the_venues_day_ends() -> None:
    history = History()
    history.agent(risk={"maxDailyLoss": "10%", "maxDrawdown": "off"})
    history.look(6, "20")
    history.look(7, "50")
    assert history.state.risk.marks == {"agent:a": Mark(7, 50 * ONE, 50 * ONE)}
    assert not history.look(7, "-50").stops
    found = history.look(7, "-50.000001").stops["agent:a"]
    assert [(stop.rule, stop.limit, stop.figure) for stop in found] == [(Rule.DAILY_LOSS, "100", "100.000001")]
    blocked = history.state.blocked(history.state.agents["a"])
    assert blocked is not None
    assert "maxDailyLoss: agent:a lost 100.000001 pUSD today" in blocked
    assert history.again().blocked("a", "main") == blocked
    assert not history.look(7, "-90").stops, "it is stopped already"
    history.look(8, "-90")
    assert history.state.blocked(history.state.agents["a"]) is None
    assert history.again() == history.state.risk
    assert history.state.risk.marks["agent:a"].start == -90 * ONE


def test_a_drawdown_stops_the_agent_over_days_until_an_operator_resumes_it() -> None:
    history = History()
    history.agent(risk={"maxDailyLoss": "off", "maxDrawdown": 100})
    history.look(7, "0")
    high = history.look(7, "4").highs
    assert history.state.risk.marks["agent:a"].peak == 0, "too little for an event"
    high = history.look(7, "-96", high).highs
    assert not history.state.risk.stops
    found = history.look(7, "-96.5", high).stops["agent:a"]
    assert [(stop.rule, stop.figure) for stop in found] == [(Rule.DRAWDOWN, "100.5")]
    history.look(8, "-96.5")
    assert history.again().stopped("a", "main") is not None
    history.log(Type.RISK, resumed_data("agent:a", [Rule.DRAWDOWN], "go on"), "a")
    assert history.again().stopped("a", "main") is None
    assert not history.look(8, "-196.5", high).stops, "measured from where it was stopped"
    assert history.look(8, "-196.500001", high).stops


def test_a_new_peak_is_logged_once_it_is_worth_an_event() -> None:
    history = History()
    history.agent()
    history.look(7, "0")
    assert not history.look(7, "5").marks
    assert history.look(7, "5.000001").marks["agent:a"].peak == micro("5.000001")
    assert history.again().marks["agent:a"] == Mark(7, 0, micro("5.000001"))


def test_the_first_word_on_a_day_says_where_it_began() -> None:
    state = RiskState()
    for day, start, peak in ((7, 3, 3), (7, 9, 9), (6, 1, 1)):
        state.apply(event(1, Type.INFO, None, marks_data({"fleet": Mark(day, start * ONE, peak * ONE)}, 0)))
    assert state.marks == {"fleet": Mark(7, 3 * ONE, 9 * ONE)}


def test_the_narrowest_stop_is_the_reason_and_a_wallets_stops_all_its_agents() -> None:
    state = RiskState()
    for scope in ("fleet", "wallet:main", "agent:a"):
        stop = replace(_stop(), message=scope)
        state.apply(event(1, Type.RISK, None, stop_data(scope, stop, 0)))
    assert (state.blocked("a", "main"), state.blocked("b", "main"), state.blocked("a", "other")) == (
        "agent:a",
        "wallet:main",
        "agent:a",
    )
    assert state.blocked("c", "other") == "fleet"


def test_a_deleted_agents_marks_and_stops_go_with_it() -> None:
    history = History()
    history.agent()
    history.look(7, "0")
    history.log(Type.RISK, stop_data("agent:a", _stop(), 0), "a")
    history.log(Type.AGENT, agent_data(history.state.agents["a"], "deleted"), "a")
    assert (history.state.risk.marks, history.state.risk.stops) == ({}, {})


def test_limits_that_cannot_be_read_block_everybody_until_there_are_others() -> None:
    history = History()
    history.agent()
    history.log(Type.RISK, {"kind": "limits", "limits": {"agent": {"maxTemper": 1}}})
    blocked = history.state.blocked(history.state.agents["a"])
    assert blocked is not None
    assert blocked.startswith("the limits in the log cannot be read (risk.agent.maxTemper: there is no such field)")
    history.log(Type.RISK, {"kind": "limits", "limits": {"agent": {"maxTrade": 1}}})
    assert history.state.blocked(history.state.agents["a"]) is None


def test_an_open_buy_commits_what_it_may_still_spend() -> None:
    history = History()
    history.agent()
    history.order(OrderStatus.INTENDED)
    history.order(OrderStatus.LIVE)
    assert history.state.risk.working["o1"].left == micro("5.2")
    history.trade(4, "0.5", fee="0.01")
    history.order(OrderStatus.PARTIALLY_FILLED)
    assert history.state.risk.working["o1"].left == micro("3.19")
    history.order(OrderStatus.CANCELLED)
    assert history.state.risk.working == {}
    history.order(OrderStatus.LIVE, order_id="o2", side=Side.SELL, may_cost=0)
    assert history.state.risk.working["o2"].left == 0


def _stop() -> Stop:
    return Stop(Rule.DRAWDOWN, "1", "2", "m", 7)

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agents import facts, sampling
from agents.equity import COARSE, FINE, Curve, Equity, Point
from agents.events import Event, Type
from agents.fleet import AgentRecord, FleetState, agent_data
from agents.money import ONE, micro
from agents.sampling import Sampler
from agents.valuation import Valuation, quotes
from tests.unit.agents.worlds import market, seen, spec

MINUTE = 60_000


def traded() -> FleetState:
    """Return a fleet whose agent "a" of 100 pUSD bought 10 shares at 0.4, for a fee of 0.02, in a wallet of 1000."""
    state = FleetState()

    def fold(kind: Type, agent: str | None, data: dict[str, object]) -> None:
        state.apply(Event(f"t/1/{state.seq}", kind, "t", agent, 1, 0, data, state.seq + 1))

    fold(Type.INFO, None, facts.deposit_data(wallet="main", address="0x1", cash=1000 * ONE, reason="it came"))
    fold(Type.AGENT, "a", agent_data(AgentRecord(spec(id="a", budget="100")), "created", with_spec=True))
    trade: dict[str, object] = {"tradeId": "t", "orderId": "o", "wallet": "main", "tokenId": "1-yes", "side": "BUY"}
    fold(Type.TRADE, "a", trade | {"size": "10", "exactPrice": "0.4", "fee": "0.02"})
    return state


def sample(state: FleetState, bid: str, sampler: Sampler | None = None, time: int = 1) -> dict[str, object] | None:
    valued = Valuation(state, quotes([seen(market(1), bids=[(bid, 100)], asks=[("0.99", 1)])]))
    data = (sampler or Sampler()).sample(state, valued, 7)
    if data is not None:
        state.apply(Event("s/1/1", Type.EQUITY, "s", None, 1, time, data, state.seq + 1))
    return data


def test_a_sample_says_what_all_books_are_worth_and_only_what_is_new() -> None:
    state = traded()
    assert sample(state, "0.5") == {
        "venueTime": 7,
        "unpriced": 0,
        "total": {"equity": "1000.98", "profit": "0.98"},
        "wallets": {"main": {"equity": "1000.98", "profit": "0.98"}},
        "agents": {"a": {"equity": "100.98", "profit": "0.98"}},
    }
    assert sample(state, "0.5", time=2) is None
    assert sample(state, "0.3", time=3) is not None
    assert state.equity.fleet.points == [Point(1, micro("1000.98"), micro("0.98")), Point(3, micro("998.98"), micro("-1.02"))]
    for curve in (state.equity.fleet, state.equity.wallets["main"], state.equity.agents["a"]):
        assert (curve.drawdown, curve.fall, curve.peak) == (2 * ONE, 2 * ONE, micro("0.98"))
    sample(state, "0.6", time=4)
    assert (state.equity.fleet.drawdown, state.equity.fleet.fall, state.equity.time) == (2 * ONE, 0, 4)


def test_what_is_paid_in_is_no_profit_and_ends_no_drawdown() -> None:
    state = traded()
    sample(state, "0.5")
    more = facts.deposit_data(wallet="main", address="0x1", cash=500 * ONE, reason="it came")
    state.apply(Event("t/1/9", Type.INFO, "t", None, 1, 0, more, state.seq + 1))
    sample(state, "0.3", time=2)
    assert (state.equity.fleet.points[-1].equity, state.equity.fleet.drawdown) == (micro("1498.98"), 2 * ONE)


def test_a_deleted_agents_curve_goes_with_it() -> None:
    state = traded()
    sample(state, "0.5")
    state.apply(Event("t/1/9", Type.AGENT, "t", "a", 1, 0, {"change": "deleted"}, state.seq + 1))
    assert (state.equity.agents, len(state.equity.wallets)) == ({}, 1)


def test_prices_that_are_missing_are_waited_for_but_not_for_ever() -> None:
    state, sampler = traded(), Sampler()
    unpriced = Valuation(state, {})
    for _ in range(sampling.PATIENCE):
        assert sampler.sample(state, unpriced, 7) is None
    data = sampler.sample(state, unpriced, 7)
    assert data is not None
    assert (data["unpriced"], data["total"]) == (1, {"equity": "999.98", "profit": "-0.02"})


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=400))
def test_the_deepest_fall_is_that_of_every_sample_however_few_are_kept(profits: list[int]) -> None:
    curve = Curve(COARSE)
    for n, profit in enumerate(profits):
        curve.add(Point(n * MINUTE, 10**9 + profit, profit))
    assert curve.drawdown == max(max(profits[: n + 1]) - profit for n, profit in enumerate(profits))
    assert curve.points[0].time == 0
    assert curve.points[-1] == Point((len(profits) - 1) * MINUTE, 10**9 + profits[-1], profits[-1])


def test_years_of_samples_are_a_few_hundred_points_the_new_ones_close_together() -> None:
    fine, coarse = Curve(FINE), Curve(COARSE)
    for n in range(300_000):
        for curve in (fine, coarse):
            curve.add(Point(n * MINUTE, n, n))
    assert (len(fine.points) < 900, len(coarse.points) < 350) == (True, True)
    times = [point.time for point in fine.points]
    assert times == sorted(set(times))
    now = times[-1]
    assert all(later - earlier <= max(MINUTE, (now - earlier) // FINE) for earlier, later in pairwise(times))
    assert sum(now - time <= 30 * MINUTE for time in times) >= 30


def test_a_sample_that_is_not_newer_changes_nothing() -> None:
    curve = Curve()
    curve.add(Point(5, 1, 1))
    curve.add(Point(5, 2, 2))
    assert curve == Curve(points=[Point(5, 1, 1)], peak=1)
    assert (Curve().fall, Equity().fleet) == (0, Curve())

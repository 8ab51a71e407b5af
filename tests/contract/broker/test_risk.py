"""Limits before every order, stops and breakers, one of each family, against the real wire of the simulated venue."""

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from actors.sandbox.faults import Faults
from actors.sandbox.records import MarketRecord
from agents.errors import Unavailable
from agents.events import Event, Type
from agents.fleet import FleetState
from agents.limits.settings import RiskSettings
from agents.limits.state import Rule, limits_data, resumed_data
from agents.model import Side
from agents.money import ONE
from tests.contract.broker.fleet import Fleet, injected, until
from tests.contract.broker.rival import Rival
from tests.contract.sandbox.served import Served


async def limit(trading: Fleet, **limits: Any) -> None:
    """Let these limits stand, as the supervisor does, and wait until the broker knows of them."""
    settings = RiskSettings.model_validate(limits)
    [seq] = await trading.supervisor.store([trading.supervisor.event(Type.RISK, limits_data(settings))])
    assert await trading.broker._desk.follower.reached(seq, 10.0)


async def stops(fleet: Fleet) -> list[dict[str, Any]]:
    """Return the stops that were logged."""
    return [event.data for event in await fleet.events(Type.RISK) if event.data["kind"] == "stop"]


async def blocked(fleet: Fleet, agent_id: str = "a") -> str | None:
    """Return why an agent is blocked, by what the broker has folded."""
    state = fleet.broker._desk.fleet
    return state.blocked(state.agents[agent_id])


async def test_orders_count_against_exposure_from_the_moment_that_they_are_placed(fleet: Fleet) -> None:
    await fleet.start(a="1000", b="1000")
    await limit(fleet, wallet={"maxMarketExposure": 10})
    market = await fleet.market(fleet.served.market())
    quotes = [fleet.intent(market, "buy", "0.4", "10", quote=True) for _ in range(4)]
    # Side by side: each sees what the others are about to place.
    placed = [
        one for [one] in await asyncio.gather(*(fleet.place(agent, quote) for agent, quote in zip("abab", quotes, strict=True)))
    ]
    assert sorted(one.status for one in placed) == ["live", "live", "rejected", "rejected"]
    [reason] = {one.reason for one in placed if one.status == "rejected"}
    assert reason == "its market would have 12 pUSD at risk, and maxMarketExposure of wallet:main is 10"
    await fleet.broker.cancel_agent("a")
    await fleet.broker.cancel_agent("b")
    [again] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert again.status == "live"
    await fleet.agreed()


async def test_the_spec_and_the_book_are_checked_again(fleet: Fleet) -> None:
    await fleet.start()
    await fleet.create_agent("a", "1000", maxTradeAmount=5, risk={"maxPriceDistance": 0.1})
    record = fleet.served.market()
    market = await fleet.market(record)
    rival = Rival(fleet.served)
    rival.rest(record.tokens[0], Side.BUY, "0.48", "100")
    rival.rest(record.tokens[0], Side.SELL, "0.5", "100")
    await until(lambda: _offers(fleet, record))
    dear, unsure, far, fine = await fleet.place(
        "a",
        fleet.intent(market, "buy", "0.5", "20"),
        replace(unsure_of := fleet.intent(market, "buy", "0.5", "6"), decision=replace(unsure_of.decision, confidence=0.5)),
        fleet.intent(market, "buy", "0.7", "6"),
        fleet.intent(market, "buy", "0.5", "6"),
    )
    assert "maxTradeAmount of the agent is 5" in dear.reason
    assert unsure.reason == "its confidence 0.50 is below the agent's minConfidence of 0.70"
    assert far.reason == "to buy at 0.7 is 0.2 above the best price 0.5, and maxPriceDistance is 0.1"
    assert (fine.status, fine.filled) == ("matched", 6 * ONE)


async def test_a_trade_of_several_legs_is_not_begun_if_one_is_beyond_a_limit(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    await limit(fleet, fleet={"maxExposure": 6})
    market = await fleet.market(fleet.served.market())
    legs = [fleet.intent(market, "buy", "0.4", "10", quote=True, group="g") for _ in range(2)]
    placed = await fleet.place("a", *legs, fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert [one.status for one in placed] == ["rejected", "rejected", "live"]
    assert "there would be 8 pUSD at risk, and maxExposure of fleet is 6" in placed[0].reason
    assert len({event.data["orderId"] for event in await fleet.events(Type.ORDER)}) == 1


async def test_a_loss_stops_an_agent_over_a_kill_and_it_can_still_sell(fleet: Fleet) -> None:
    await fleet.start()
    await fleet.create_agent("a", "1000", risk={"maxDailyLoss": 4, "maxDrawdown": "off"})
    record = fleet.served.market()
    market = await fleet.market(record)
    rival = Rival(fleet.served)
    rival.rest(record.tokens[0], Side.BUY, "0.1", "100")
    rival.rest(record.tokens[0], Side.SELL, "0.5", "20")
    [bought] = await fleet.place("a", fleet.intent(market, "buy", "0.5", "20"))
    assert bought.status == "matched"
    [quote] = await fleet.place("a", fleet.intent(market, "buy", "0.05", "10", quote=True))
    assert quote.status == "live"
    await until(lambda: blocked(fleet))
    await until(lambda: fleet.ended(quote.order_id, "cancelled"))
    [stop] = await stops(fleet)
    assert (stop["scope"], stop["rule"], stop["limit"]) == ("agent:a", "maxDailyLoss", "4")
    assert float(stop["figure"]) > 8
    await fleet.restart()
    [more] = await fleet.place("a", fleet.intent(market, "buy", "0.1", "20", quote=True))
    assert more.reason == stop["message"]
    [sold] = await fleet.place("a", fleet.intent(market, "sell", "0.1", "20"))
    assert (sold.status, sold.filled) == ("matched", 20 * ONE)
    assert len(await stops(fleet)) == 1, "it is told once"
    resumed = fleet.supervisor.event(Type.RISK, resumed_data("agent:a", [Rule.DAILY_LOSS], "go on"), "a")
    [seq] = await fleet.supervisor.store([resumed])
    assert await fleet.broker._desk.follower.reached(seq, 10.0)
    [free] = await fleet.place("a", fleet.intent(market, "buy", "0.1", "20", quote=True))
    assert free.status == "live"
    assert _folded(await fleet.events()).blocked("a", "main") is None
    await fleet.agreed()


async def test_limits_that_cannot_be_read_let_nothing_be_bought(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    market = await fleet.market(fleet.served.market())
    torn = fleet.supervisor.event(Type.RISK, {"kind": "limits", "limits": {"agent": {"maxTrade": "?"}}})
    [seq] = await fleet.supervisor.store([torn])
    assert await fleet.broker._desk.follower.reached(seq, 10.0)
    [placed] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert placed.reason.startswith("nothing is bought while the limits are unknown: the limits in the log cannot be read")


class _Broken(Faults):
    """No order can be taken, and the venue says so with an error of its own."""

    def before(self, operation: str, address: str) -> None:
        if operation == "place":
            raise RuntimeError("the matching engine is away")


@pytest.fixture
def broken(served: Served) -> Iterator[None]:
    with injected(served, _Broken()):
        yield


@pytest.mark.usefixtures("broken")
async def test_a_venue_that_fails_opens_a_breaker_which_closes_by_itself(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    await limit(fleet, breakers={"minVenueRequests": 3, "maxVenueErrors": 0.5})
    market = await fleet.market(fleet.served.market())
    for _ in range(3):
        await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    await until(lambda: blocked(fleet))
    [stop] = await stops(fleet)
    assert (stop["scope"], stop["rule"], stop["figure"]) == ("wallet:main", "maxVenueErrors", "1.00")
    [refused] = await fleet.place("a", fleet.intent(market, "buy", "0.4", "10", quote=True))
    assert re.search(r"maxVenueErrors: the venue failed (\d+) of \1 requests of the last minute", refused.reason)
    fleet.broker._watch_risk._breakers._requests.clear()  # As a minute does.
    await until(lambda: _free(fleet))


async def test_a_silent_feed_opens_a_breaker(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    await fleet.start(a="1000")
    await limit(fleet, breakers={"maxFeedAge": 1})

    async def away(*_: Any) -> Any:
        raise Unavailable("the feed is away")

    monkeypatch.setattr(fleet.feed, "snapshot", away)
    await until(lambda: blocked(fleet))
    [stop] = await stops(fleet)
    assert (stop["scope"], stop["rule"], stop["limit"]) == ("wallet:main", "maxFeedAge", "1")
    monkeypatch.undo()
    await until(lambda: _free(fleet))


async def test_a_venue_whose_clock_differs_opens_a_breaker(fleet: Fleet) -> None:
    await fleet.start(a="1000")
    fleet.broker._desk.wall = lambda: time.time() + 30
    await until(lambda: blocked(fleet))
    [stop] = await stops(fleet)
    assert (stop["rule"], stop["limit"]) == ("maxClockSkew", "10")


async def _offers(fleet: Fleet, record: MarketRecord) -> bool:
    view = await fleet.feed.market(record.condition_id)
    return view is not None and view.books[0].ask is not None and view.books[0].bid is not None


async def _free(fleet: Fleet) -> bool:
    return await blocked(fleet) is None


def _folded(events: list[Event]) -> Any:
    state = FleetState()
    for event in events:
        state.apply(event)
    return state.risk

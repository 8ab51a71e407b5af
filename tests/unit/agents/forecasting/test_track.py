from typing import Any

from agents.events import Event, Type
from agents.forecasting import track
from agents.forecasting.scoring import Resolved
from agents.forecasting.track import TrackRecord


def forecast(agent: str, condition: str = "0x1", **data: Any) -> Event:
    found = {
        "conditionId": condition,
        "tokenId": "11",
        "strategy": "llm",
        "model": "m",
        "category": "tech",
        "event": "e1",
        "venueTime": 5,
        "pooled": 0.6,
        "calibrated": 0.65,
        "blended": 0.55,
        "marketPrice": 0.5,
    }
    return Event("f/1/1", Type.FORECAST, "forecaster", agent, 1, 0, found | data)


def resolution(first: str, second: str, condition: str = "0x1", **data: Any) -> Event:
    payouts = {"11": first, "22": second}
    return Event("m/1/1", Type.RESOLUTION, "market_feed", None, 1, 0, {"conditionId": condition, "payouts": payouts} | data)


def test_a_forecast_waits_for_its_market_and_is_then_scored_by_each_of_its_probabilities() -> None:
    record = TrackRecord()
    record.apply(forecast("a"))
    assert record.of("a") == []
    record.apply(resolution("1", "0"))
    (entry,) = record.of("a")
    assert entry.resolved() == Resolved("e1", 0.55, 0.5, 1.0)
    assert entry.resolved("pooled").p == 0.6
    assert record.open == {}


def test_a_market_that_comes_out_even_is_kept_and_not_scored() -> None:
    record = TrackRecord()
    record.apply(forecast("a"))
    record.apply(resolution("0.5", "0.5"))
    assert record.of("a") == []
    assert record.done["a"][0].outcome == 0.5


def test_a_resolution_that_is_told_twice_counts_once() -> None:
    record = TrackRecord()
    record.apply(forecast("a"))
    record.apply(resolution("0", "1"))
    record.apply(resolution("0", "1", redeemed=[]))
    assert [entry.outcome for entry in record.of("a")] == [0.0]


def test_each_agent_strategy_and_model_has_its_own_group() -> None:
    record = TrackRecord()
    for agent, model in (("a", "m"), ("a", "n"), ("b", "m")):
        record.apply(forecast(agent, model=model))
    record.apply(resolution("1", "0"))
    assert sorted(record.grouped()) == [("a", "llm", "m"), ("a", "llm", "n"), ("b", "llm", "m")]


def test_what_is_kept_of_an_agent_is_bounded() -> None:
    record = TrackRecord()
    for number in range(track.KEPT + 5):
        record.apply(forecast("a", venueTime=number))
    record.apply(resolution("1", "0"))
    assert len(record.done["a"]) == track.KEPT
    assert record.done["a"][0].at == 5

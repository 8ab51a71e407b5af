from itertools import pairwise
from typing import Any

from agents.events import Event, Type
from agents.forecasting import track
from agents.forecasting.scoring import Resolved, score
from agents.forecasting.track import TrackRecord


def forecast(agent: str, token: str = "11", **data: Any) -> Event:
    found = {
        "conditionId": f"0x{token}",
        "tokenId": token,
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


def resolution(first: str, second: str, token: str = "11", **data: Any) -> Event:
    payouts = {token: first, f"{token}-no": second}
    return Event("m/1/1", Type.RESOLUTION, "market_feed", None, 1, 0, {"conditionId": f"0x{token}", "payouts": payouts} | data)


def test_a_forecast_waits_for_its_market_and_is_then_scored_by_each_of_its_probabilities() -> None:
    record = TrackRecord()
    record.apply(forecast("a"))
    assert (record.of("a"), record.waiting) == ([], 1)
    record.apply(resolution("1", "0"))
    (entry,) = record.of("a")
    assert entry.resolved() == Resolved("e1", 0.55, 0.5, 1.0, "0x11")
    assert entry.resolved("pooled").p == 0.6
    assert record.waiting == 0


def test_a_market_that_comes_out_even_is_forgotten() -> None:
    record = TrackRecord()
    record.apply(forecast("a"))
    record.apply(resolution("0.5", "0.5"))
    assert (record.of("a"), record.waiting) == ([], 0)


def test_a_resolution_that_is_told_twice_counts_once() -> None:
    record = TrackRecord()
    record.apply(forecast("a"))
    record.apply(resolution("0", "1"))
    record.apply(resolution("0", "1", redeemed=[]))
    assert [entry.outcome for entry in record.of("a")] == [0.0]


def test_forecasts_are_grouped_by_agent_with_strategy_and_model_or_by_one_of_their_fields() -> None:
    record = TrackRecord()
    for agent, model in (("a", "m"), ("a", "n"), ("b", "m")):
        record.apply(forecast(agent, model=model, category=agent))
    record.apply(resolution("1", "0"))
    assert sorted(record.grouped()) == [("a", "llm", "m"), ("a", "llm", "n"), ("b", "llm", "m")]
    assert {key: len(found) for key, found in record.grouped("model").items()} == {("m",): 2, ("n",): 1}
    assert {key: len(found) for key, found in record.grouped("category").items()} == {("a",): 2, ("b",): 1}
    assert {key: len(found) for key, found in record.grouped("strategy").items()} == {("llm",): 3}


def test_of_many_forecasts_of_one_market_some_are_kept_that_span_all_of_the_time() -> None:
    record = TrackRecord()
    for at in range(100):
        record.apply(forecast("a", venueTime=at))
    record.apply(resolution("1", "0"))
    times = [entry.at for entry in record.of("a")]
    assert (len(times), times[0], times[-1]) == (track.PER_MARKET, 0, 99)
    assert max(later - earlier for earlier, later in pairwise(times)) <= 66


def test_a_market_counts_once_however_often_it_was_asked_about() -> None:
    record = TrackRecord()
    for _ in range(track.PER_MARKET):
        record.apply(forecast("a", blended=0.9))
    record.apply(forecast("a", "22", blended=0.9))
    record.apply(resolution("1", "0"))
    record.apply(resolution("0", "1", "22"))
    found = score(entry.resolved() for entry in record.of("a"))
    assert found is not None
    assert (found.n, found.events) == (track.PER_MARKET + 1, 1)
    assert abs(found.brier - (0.01 + 0.81) / 2) < 1e-12


def test_what_is_kept_of_an_agent_is_bounded() -> None:
    record = TrackRecord()
    for number in range(track.KEPT + 5):
        record.apply(forecast("a", f"{number}", venueTime=number))
        record.apply(resolution("1", "0", f"{number}"))
    assert len(record.of("a")) == track.KEPT
    assert record.of("a")[0].at == 5


def test_markets_that_never_end_do_not_pile_up_and_the_one_asked_about_least_recently_goes() -> None:
    record = TrackRecord()
    for number in range(track.OPEN):
        record.apply(forecast("a", f"{number}"))
    record.apply(forecast("a", "0"))
    record.apply(forecast("a", "new"))
    assert len(record.open["a"]) == track.OPEN
    assert {"0", "new"} <= record.open["a"].keys()
    assert "1" not in record.open["a"]


def test_an_agent_can_be_forgotten() -> None:
    record = TrackRecord()
    record.apply(forecast("a", "11"))
    record.apply(resolution("1", "0"))
    record.apply(forecast("a", "22"))
    record.forget("a")
    assert record == TrackRecord()

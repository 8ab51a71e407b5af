import json
from typing import Any

import pytest

from agents.events import Event, Type
from agents.forecasting import journal
from agents.forecasting.calibration import Platt
from agents.forecasting.journal import Basis, SampleSet
from agents.forecasting.prompts import BaseRate
from agents.forecasting.records import Evidence, PastMarket, Recipe, Sample
from agents.forecasting.track import TrackRecord
from agents.money import micro
from tests.unit.agents.worlds import NOW, market, seen

RECIPE = Recipe(("openai:x", "openai:y"), 3, 0.1, 15, 0.2, 2.0)
MARKET = market(tags=("tech",), event_id="e1")
BASIS = Basis(
    NOW,
    (Evidence("wire", "http://a", "T", "S", NOW - 1, NOW, 0.9),),
    (PastMarket("Q?", "tech", "Yes", NOW - 5, ((24.0, 0.3), (1.0, 0.9)), 0.7),),
)
SAMPLES = tuple(Sample(model, 'P("Yes")', p, f"Because {p}.") for model, p in (("x", 0.6), ("y", 0.7), ("x", 0.9)))


def samples_data(samples: tuple[Sample, ...] = SAMPLES, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        **{"id": "f/1/1", "recipe": RECIPE, "market": MARKET, "basis": BASIS, "base_rate": BaseRate(0.3, "Seldom.")},
        **{"prompts": [], "samples": samples, "tokens": (10, 5), "usd": micro("0.012"), "payer": "a", "latency": 1.5},
        **{"notes": ["a note"]},
    }
    return journal.samples_data(**fields | changes)


def the_set() -> SampleSet:
    found = journal.sample_set(json.loads(json.dumps(samples_data())))
    assert found is not None
    return found


def test_samples_come_back_from_the_log_as_they_were() -> None:
    key = journal.recipe_key(RECIPE)
    assert the_set() == SampleSet("f/1/1", key, "0x1", BASIS, SAMPLES, 15, micro("0.012"), 1.5)
    assert the_set().models == "x+y"


def test_a_set_that_failed_or_was_only_begun_is_none() -> None:
    assert journal.sample_set(samples_data((), error="no answer")) is None
    assert journal.sample_set(journal.begun_data(id="f/1/1", condition_id="0x1", payer="a", usd=5)) is None


def test_recipes_that_differ_only_in_what_an_agent_makes_of_samples_share_them() -> None:
    same = Recipe(RECIPE.models, 3, 0.3, 15, 0.9, 50.0)
    assert journal.recipe_key(same) == journal.recipe_key(RECIPE)
    assert journal.recipe_key(Recipe(RECIPE.models, 4, 0.1, 15, 0.2, 2.0)) != journal.recipe_key(RECIPE)


def test_a_forecast_is_told_with_what_it_is_made_of_and_comes_back_from_the_log() -> None:
    book = seen(MARKET, bids=[("0.40", 100)], asks=[("0.44", 50)]).books[0]
    said = journal.told(the_set(), "f/1/2", trim=0.4, platt=Platt(0.5, 0.1, 60), weight=0.5, discount=0.5, price=book.mid or 0)
    assert said.forecast.pooled == pytest.approx(0.7)
    assert said.forecast.reasoning == "Because 0.7."
    assert said.price == 0.42
    assert said.price < said.blended < said.forecast.calibrated < said.forecast.pooled
    data = journal.forecast_data(
        said, the_set(), market=MARKET, book=book, strategy="llm", discount=0.5, timestamp=7, venue_time=NOW + 3
    )
    assert (data["id"], data["timestamp"], data["venueTime"], data["marketPriceAt"]) == ("f/1/2", 7, NOW, NOW + 3)
    assert (data["weight"], data["discount"], data["slope"], data["offset"]) == (0.5, 0.5, 0.5, 0.1)
    assert (data["usd"], data["latencyMs"], data["n"], data["samplesId"]) == (0.012, 1500, 3, "f/1/1")
    assert data["depth"] == pytest.approx(100 * 0.40 + 50 * 0.56)
    assert 0 < data["confidence"] < 1
    assert journal.forecast_of(json.loads(json.dumps(data)), the_set()) == said.forecast
    record = TrackRecord()
    record.apply(Event("f/1/2", Type.FORECAST, "forecaster", "a", 1, 0, data))
    resolution = {"conditionId": "0x1", "payouts": {"1-yes": "1", "1-no": "0"}}
    record.apply(Event("m/1/1", Type.RESOLUTION, "feed", None, 1, 0, resolution))
    (entry,) = record.of("a")
    assert (entry.price, entry.category, entry.model) == (0.42, "tech", "x+y")
    assert entry.blended == pytest.approx(said.blended, abs=1e-5)


def test_why_an_agent_is_blocked_is_known_by_its_words() -> None:
    assert journal.blocked_kind("its forecasts have cost 2 USD") == "budget"
    assert journal.blocked_kind("the model x does not answer: HTTP 500") == "model"
    assert journal.blocked_kind("a loss of 10 pUSD today") is None
    assert journal.blocked_kind(None) is None
    assert journal.blocked_data("model", None)["blocked"] is None

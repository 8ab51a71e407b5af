"""What is logged of forecasts: builders of `forecast` event data, and what is read back from them after a restart.

There are three kinds: a set of samples `begun` (what it may cost is reserved), its `samples` (all that went into them; shared
by agents), and what one agent was told, which has an agent's id and no kind.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from agents.forecasting.blend import blended
from agents.forecasting.calibration import Platt
from agents.forecasting.pooling import pooled, spread
from agents.forecasting.prompts import BaseRate
from agents.forecasting.records import Evidence, Forecast, PastMarket, Recipe, Sample
from agents.forecasting.sizing import depth_of
from agents.model import Book, Market
from agents.money import Micro, micro, number, text

_BUDGET, _MODEL = "budget", "model"
_BEGINNINGS = {_BUDGET: ("its forecasts have cost", "the fleet's forecasts have cost"), _MODEL: ("the model ",)}


@dataclass(frozen=True, slots=True)
class Basis:
    """What samples are made from: evidence and markets like this one, as of a moment in venue milliseconds."""

    at: int
    evidence: tuple[Evidence, ...] = ()
    similar: tuple[PastMarket, ...] = ()


@dataclass(frozen=True, slots=True)
class SampleSet:
    """The answers to one question under one recipe; they serve every agent with that recipe. At least one sample.

    `articles` is how many documents could be shown, `usd` what it cost in millionths, `latency` the seconds that it took.
    """

    id: str
    key: str
    condition_id: str
    basis: Basis
    samples: tuple[Sample, ...]
    articles: int
    usd: Micro
    latency: float

    @property
    def models(self) -> str:
        """The names of the models that answered, joined."""
        return "+".join(dict.fromkeys(sample.model for sample in self.samples))


@dataclass(frozen=True, slots=True)
class Told:
    """What one agent's record makes of samples: how they are corrected, and what they weigh beside the price."""

    forecast: Forecast
    platt: Platt
    price: float
    blended: float


def recipe_key(recipe: Recipe) -> str:
    """Return what recipes share whose samples serve each other."""
    return sha256(json.dumps(recipe.shared).encode()).hexdigest()[:16]


def begun_data(*, id: str, condition_id: str, payer: str, usd: Micro) -> dict[str, Any]:
    """Return the data of the `forecast` that reserves what a set of samples may cost; `usd` is millionths."""
    return {"kind": "begun", "id": id, "conditionId": condition_id, "agentId": payer, "usd": text(usd)}


def samples_data(
    *,
    id: str,
    recipe: Recipe,
    market: Market,
    basis: Basis,
    base_rate: BaseRate | None,
    prompts: Sequence[Mapping[str, Any]],
    samples: Sequence[Sample],
    tokens: tuple[int, int],
    usd: Micro,
    payer: str,
    latency: float,
    notes: Sequence[str],
    error: str = "",
) -> dict[str, Any]:
    """Return the data of the `forecast` that settles a set of samples, with all that went into it.

    `prompts` are the messages of each step, those of equal samples once; `latency` is seconds, `error` why there are no
    samples.
    """
    return {
        "kind": "samples",
        "id": id,
        "key": recipe_key(recipe),
        "articles": recipe.articles,
        "market": market.question,
        "marketId": market.id,
        "marketQuestion": market.question,
        "conditionId": market.condition_id,
        "venueTime": basis.at,
        "evidence": [asdict(each) for each in basis.evidence],
        "similar": [asdict(each) for each in basis.similar],
        "baseRate": None if base_rate is None else {"p": base_rate.p, "reasoning": base_rate.reasoning},
        "prompts": list(prompts),
        "samples": [asdict(each) for each in samples],
        "tokens": {"in": tokens[0], "out": tokens[1]},
        "usd": text(usd),
        "payer": payer,
        "latencyMs": round(latency * 1000),
        "notes": list(notes),
        "error": error,
    }


def sample_set(data: Mapping[str, Any]) -> SampleSet | None:
    """Return the samples that an event tells of, or None if it tells of none."""
    if data.get("kind") != "samples" or not data["samples"]:
        return None
    similar = (PastMarket(**each | {"prices": tuple(map(tuple, each["prices"]))}) for each in data["similar"])
    basis = Basis(data["venueTime"], tuple(Evidence(**each) for each in data["evidence"]), tuple(similar))
    samples = tuple(Sample(**each) for each in data["samples"])
    return SampleSet(
        id=data["id"],
        key=data["key"],
        condition_id=data["conditionId"],
        basis=basis,
        samples=samples,
        articles=data["articles"],
        usd=micro(data["usd"]),
        latency=data["latencyMs"] / 1000,
    )


def told(found: SampleSet, id: str, *, trim: float, platt: Platt, weight: float, discount: float, price: Micro) -> Told:
    """Return what an agent is told of a set, and how it stands beside a price that the forecast has not seen."""
    chances = [sample.p for sample in found.samples]
    raw = pooled(chances, trim)
    nearest = min(found.samples, key=lambda sample: abs(sample.p - raw))
    forecast = Forecast(
        id=id,
        condition_id=found.condition_id,
        at=found.basis.at,
        pooled=raw,
        calibrated=platt.apply(raw),
        weight=weight,
        spread=spread(chances),
        n=len(chances),
        reasoning=nearest.reasoning,
        evidence=found.basis.evidence,
    )
    return Told(forecast, platt, number(price), blended(forecast.calibrated, number(price), weight * discount))


def forecast_data(
    said: Told,
    found: SampleSet,
    *,
    market: Market,
    book: Book,
    strategy: str,
    discount: float,
    timestamp: int,
    venue_time: int,
) -> dict[str, Any]:
    """Return the data of the `forecast` of one agent; probabilities and prices are of the first outcome.

    `confidence` is how far the samples agree: 1 if all say the same, 0.5 if they are 1 apart in log-odds. `usd` is what the
    set cost, whoever paid.
    """
    forecast = said.forecast
    return {
        "id": forecast.id,
        "timestamp": timestamp,
        "venueTime": forecast.at,
        "market": market.question,
        "marketId": market.id,
        "marketQuestion": market.question,
        "conditionId": market.condition_id,
        "tokenId": market.tokens[0],
        "outcome": market.outcomes[0],
        "event": market.event,
        "category": market.category,
        "strategy": strategy,
        "model": found.models,
        "probability": said.blended,
        "pooled": forecast.pooled,
        "calibrated": forecast.calibrated,
        "blended": said.blended,
        "confidence": 1 / (1 + forecast.spread),
        "reasoning": forecast.reasoning,
        "evidence": [
            {"title": each.title, "url": each.url, "published": each.published, "relevance": each.relevance}
            for each in forecast.evidence
        ],
        "samplesId": found.id,
        "n": forecast.n,
        "spread": forecast.spread,
        "weight": forecast.weight,
        "discount": discount,
        "slope": said.platt.slope,
        "offset": said.platt.offset,
        "marketPrice": said.price,
        "bid": None if book.bid is None else number(book.bid),
        "ask": None if book.ask is None else number(book.ask),
        "depth": depth_of(book),
        "marketPriceAt": venue_time,
        "usd": number(found.usd),
        "latencyMs": round(found.latency * 1000),
    }


def forecast_of(data: Mapping[str, Any], found: SampleSet) -> Forecast:
    """Return what an agent was told, from its event and the samples behind it."""
    return Forecast(
        id=data["id"],
        condition_id=data["conditionId"],
        at=data["venueTime"],
        pooled=data["pooled"],
        calibrated=data["calibrated"],
        weight=data["weight"],
        spread=data["spread"],
        n=data["n"],
        reasoning=data["reasoning"],
        evidence=found.basis.evidence,
    )


def blocked_data(kind: str, reason: str | None) -> dict[str, Any]:
    """Return the data of the `risk` event that says why an agent gets no forecasts (budget or model), or that it does again."""
    message = f"forecasts wait: {reason}" if reason else "forecasts are being made again"
    return {"kind": kind, "blocked": reason, "message": message}


def blocked_kind(reason: str | None) -> str | None:
    """Return the kind of a reason that stands in an agent's `blocked`, or None if it is not about forecasts."""
    found = (kind for kind, beginnings in _BEGINNINGS.items() if reason and reason.startswith(beginnings))
    return next(found, None)

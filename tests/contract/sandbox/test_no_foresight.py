"""No decision on recorded markets depends on what happened later: what comes after a moment is changed, decisions are not.

Views are built as the market feed builds them, from the wire of the simulated venue, so that a leak anywhere on the way from
the recording to the strategy shows. News may lean towards the outcome, that is what they are for; which there are may not.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from actors.feed.prices import PriceSeries
from actors.live_book import LiveBook
from actors.polymarket.market_data import MarketData
from actors.sandbox.api.server import Server, listen
from actors.sandbox.recording import read
from actors.sandbox.script import Script
from actors.sandbox.venue import Venue, VenueConfig
from agents.forecasting.records import Forecast
from agents.model import Account, Decision, Holding, MarketView, View
from agents.money import ONE, Micro
from agents.strategies.llm import Llm, LlmParams
from agents.strategies.registry import create, names
from agents.strategies.strategy import Strategy
from tests.unit.actors.sandbox.stage import Wall

DAY = 86_400
#: Venue seconds in a wall second, and the wall seconds that pass before the decisions: two days and a half.
SPEED, PASSED = 500_000, 0.432

#: Params with which each strategy trades on daily prices.
PARAMS: dict[str, dict[str, Any]] = {
    "favourite_longshot": {"bets": 50, "min_edge": 0.0},
    "market_maker": {"max_markets": 100, "window": 8},
    "momentum": {"window": 5, "entry": 0.5, "persistence": 1.0, "min_edge": 0.0},
    "neg_risk_arbitrage": {},
}
#: Another program decides there, and sees no more than the others.
ELSEWHERE = {"llm", "process"}


def strategies() -> list[Strategy[Any]]:
    """Return one of every strategy that there is."""
    assert set(names()) - ELSEWHERE == set(PARAMS)
    llm = Llm(LlmParams(markets=100, max_edge=0.9, weight=1.0, near=1.0, deep=1e12))
    return [*(create(name, params) for name, params in PARAMS.items()), llm]


def changed(row: dict[str, Any], moment: int, random: Random) -> dict[str, Any]:
    """Return a recorded market with another future: prices, their times, its end and its outcome after an epoch second."""
    if row["resolved_at"] <= moment:
        return row
    later = moment + 1
    outcomes = {}
    for label, side in row["outcomes"].items():
        past = [point for point in side["history"] if point["t"] <= moment]
        future = side["history"][len(past) :]
        times = list(accumulate((random.randint(1, 3 * DAY) for _ in future), initial=later))[1:]
        moved = [{"t": t, "p": round(1 - 0.9 * point["p"], 4)} for t, point in zip(times, future, strict=True)]
        outcomes[label] = side | {"history": past + moved}
        # What has a past may end at any time from now on; what begins only later cannot end before.
        later = later if past else max(later, times[0])
    labels = [*outcomes, *({"Yes", "No"} - outcomes.keys())]
    won = next(label for label in labels if label != row["winning_outcome"])
    return row | {"outcomes": outcomes, "resolved_at": later + random.randint(1, 90 * DAY), "winning_outcome": won}


def with_another_future(markets: Path, moment: int, folder: Path) -> Path:
    """Write the markets file again, with another future after an epoch second."""
    random = Random(moment)
    rows = [json.loads(line) for line, _ in read(str(markets))]
    path = folder / f"{moment}.jsonl"
    path.write_text("".join(json.dumps(changed(row, moment, random)) + "\n" for row in rows))
    return path


async def world(markets: Path, start: str) -> tuple[View, list[tuple[str, int]]]:
    """Return what an agent sees some time after a venue has begun: every open market, with an account that holds some.

    Beside it stands which articles there are, and of when.
    """
    wall = Wall()
    venue = Venue(VenueConfig(markets_file=str(markets), start=start, seed=3, speed=SPEED), wall)
    for _ in range(16):
        wall.pass_by(PASSED / 16)
        venue.tick()
    server = Server(venue, listen(0))
    await server.start()
    data = MarketData(server.endpoints)
    try:
        seen = await _read(data, venue.now)
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"{server.endpoints.news_url}/articles", params={"limit": 100})
        articles = [(article["id"], article["publishedAt"]) for article in answer.raise_for_status().json()["articles"]]
    finally:
        await data.close()
        server.stop()
        await server.finished()
        venue.close()
    held = {one.market.tokens[0]: Holding(one.market.tokens[0], 40 * ONE, 20 * ONE) for one in seen[::5]}
    view = View(venue.now, tuple(seen), Account(10_000 * ONE, held), seed=7, forecasts=_told(seen, venue.now))
    return view, articles


async def _read(data: MarketData, now: int) -> list[MarketView]:
    listings = sorted(await data.open_markets(), key=lambda one: one.market.condition_id)
    tokens = [one.market.tokens[0] for one in listings]
    frames, histories = await data.books(tokens), await data.histories(tokens, 0, now, DAY * 1000)
    seen = []
    for one in listings:
        book, prices = LiveBook(one.market.tokens), PriceSeries()
        frame = frames[one.market.tokens[0]]
        book.load(frame)
        prices.fill(histories[one.market.tokens[0]], DAY * 1000)
        seen.append(MarketView(replace(one.market, tick=frame.tick or one.market.tick), book.books, prices.points))
    return seen


def _told(seen: Sequence[MarketView], now: int) -> dict[str, Forecast]:
    """Return a forecast of each market, made of nothing but its id."""
    found = {}
    for one in seen:
        id = one.market.condition_id
        p = Random(id).uniform(0.05, 0.95)
        found[id] = Forecast(f"f{id}", id, now, p, p, weight=0.5, spread=0.2, n=6, reasoning="So.")
    return found


def decided(view: View) -> dict[str, tuple[Any, list[Decision]]]:
    """Return what every strategy asks about and wants."""
    return {one.name: (one.wanted(view), one.decide(view)) for one in strategies()}


@pytest.mark.parametrize("start", ["2025-03-10", "2025-11-20", "2026-01-05"])
async def test_another_future_changes_no_decision(recorded: Path, tmp_path: Path, start: str) -> None:
    markets = recorded / "resolved_markets.jsonl.gz"
    view, articles = await world(markets, start)
    again, others = await world(with_another_future(markets, view.now // 1000, tmp_path), start)
    assert again == view
    assert others == articles
    assert articles
    found = decided(view)
    assert decided(again) == found
    # No recorded market has sisters whose outcomes exclude each other.
    assert {name for name, (_, wanted) in found.items() if not wanted} <= {"neg_risk_arbitrage", "momentum"}


async def test_a_venue_that_looks_ahead_is_found_out(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ahead(self: Script, now: int) -> Micro:
        return next((price for at, price in self.bars[0] if at > now), self.bars[0][-1][1])

    monkeypatch.setattr(Script, "price", ahead)
    markets = recorded / "resolved_markets.jsonl.gz"
    view, _ = await world(markets, "2025-11-20")
    again, _ = await world(with_another_future(markets, view.now // 1000, tmp_path), "2025-11-20")
    assert decided(again) != decided(view)

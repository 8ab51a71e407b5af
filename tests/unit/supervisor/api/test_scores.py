import httpx
import pytest

from agents.events import Type
from agents.facts import deposit_data
from agents.money import ONE
from supervisor.api.context import FleetContext
from tests.unit.supervisor.api.stand import AgentStand, Stand

Api = httpx.AsyncClient


async def forecast(stand: Stand, context: FleetContext) -> None:
    """Let two agents make the same forecast, one of them twice, and the other one more that has not come out."""
    await stand.supervisor.store(Type.INFO, deposit_data(wallet="main", address="0xw", cash=1000 * ONE, reason="found"))
    for name in ("default", "other"):
        await stand.supervisor.create({"id": name, "strategy": "momentum", "budget": 100, "enabled": False})
    first, second = AgentStand(stand.ledger), AgentStand(stand.ledger, "other")
    await first.log(Type.FORECAST, Type.TRADE)
    await first.log(Type.FORECAST, model="ollama:smollm2", blended=0.9)
    await second.log(Type.FORECAST)
    await second.log(Type.FORECAST, conditionId="0xc2", tokenId="201", event="e2")
    await stand.supervisor.store(Type.RESOLUTION, {"conditionId": "0xc1", "payouts": {"101": "1", "102": "0"}})
    await context.settle(await stand.ledger.head())


async def test_forecasts_are_scored_against_the_price(api: Api, stand: Stand, context: FleetContext) -> None:
    await forecast(stand, context)
    answer = (await api.get("/api/scores")).json()
    assert answer["waiting"] == 1
    rows = {(row["agentId"], row["model"]): row for row in answer["scores"]}
    assert sorted(rows) == [("default", "ollama:smollm2"), ("default", "openai:gpt-5-mini"), ("other", "openai:gpt-5-mini")]
    row = rows["default", "openai:gpt-5-mini"]
    figures = ("n", "events", "brier", "marketBrier", "skill", "logScore", "ece")
    assert [row[name] for name in figures] == pytest.approx([1, 1, 0.16, 0.25, 0.09, -0.5108256, 0.4])
    assert (row["strategy"], row["category"], row["verdict"], row["moreEvents"]) == ("llm", None, "no skill shown", None)
    assert row["low"] < 0 < row["high"]
    assert (row["raw"]["brier"], row["calibrated"]["brier"]) == pytest.approx((0.09, 0.0625))
    assert row["bins"] == [{"low": 0.6, "n": 1, "mean": 0.6, "cameTrue": 1.0}]
    assert (row["profit"], rows["other", "openai:gpt-5-mini"]["profit"]) == (-0.01, 0)


@pytest.mark.parametrize(
    ("by", "names", "counts", "profit"),
    [
        ("model", ["ollama:smollm2", "openai:gpt-5-mini"], [1, 2], None),
        ("category", ["weather"], [3], None),
        ("strategy", ["llm"], [3], 0),
    ],
)
async def test_they_can_be_grouped_otherwise(
    api: Api, stand: Stand, context: FleetContext, by: str, names: list[str], counts: list[int], profit: float | None
) -> None:
    await forecast(stand, context)
    rows = (await api.get(f"/api/scores?by={by}")).json()["scores"]
    assert [row[by] for row in rows] == names
    assert [row["n"] for row in rows] == counts
    assert {row["agentId"] for row in rows} == {None}
    assert [row["profit"] for row in rows] == [profit] * len(rows)


async def test_without_forecasts_there_are_no_scores(api: Api) -> None:
    assert (await api.get("/api/scores")).json() == {"scores": [], "waiting": 0}
    assert (await api.get("/api/scores?by=colour")).status_code == 422


async def test_prometheus_reads_them_too(api: Api, stand: Stand, context: FleetContext) -> None:
    await forecast(stand, context)
    lines = (await api.get("/metrics")).text.splitlines()
    assert 'polyfleet_forecasts_total{agent="default"} 2.0' in lines
    labels = '{agent="other",model="openai:gpt-5-mini",strategy="llm"}'
    assert any(line.startswith(f"polyfleet_brier{labels} 0.16") for line in lines)
    assert f"polyfleet_market_brier{labels} 0.25" in lines


async def test_an_agents_forecasts_are_shown_with_what_came_of_them(api: Api, stand: Stand, context: FleetContext) -> None:
    await forecast(stand, context)
    page = (await api.get("/api/agents/other/forecasts")).json()
    assert (page["total"], page["next"]) == (2, None)
    assert [(shown["conditionId"], shown["payout"]) for shown in page["forecasts"]] == [("0xc2", None), ("0xc1", "1")]
    assert {"agentId", "pooled", "calibrated", "blended", "marketPrice", "model", "seq"} <= page["forecasts"][0].keys()

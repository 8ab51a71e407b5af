import csv
import io
from typing import Any

import httpx
import pytest

from agents.events import Event, Type
from agents.facts import deposit_data
from agents.money import ONE, micro
from supervisor.api import csv_views
from supervisor.api.context import FleetContext
from tests.unit.supervisor.api.stand import NOW, AgentStand, Stand

Api = httpx.AsyncClient

FORMULA = '=HYPERLINK("http://evil","Yes, ""really""")'


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def begin(stand: Stand, *agents: str) -> None:
    cash = deposit_data(wallet="main", address="0xw", cash=1000 * ONE, reason="found")
    await stand.supervisor.store(Type.INFO, cash)
    for agent in agents:
        await stand.supervisor.create({"id": agent, "strategy": "momentum", "budget": 100, "enabled": False})


async def sample(stand: Stand, context: FleetContext, n: int, equity: str, profit: str) -> None:
    figures = {"equity": equity, "profit": profit}
    data = {"venueTime": NOW, "unpriced": 0, "total": figures, "wallets": {"main": figures}, "agents": {"default": figures}}
    [seq] = await stand.ledger.append([Event(f"sampler/1/{n}", Type.EQUITY, "sampler", None, 1, NOW + n, data)])
    await context.settle(seq)


async def test_equity_over_time_with_its_deepest_fall(api: Api, stand: Stand, context: FleetContext) -> None:
    await begin(stand, "default", "idle")
    for n, figures in enumerate((("1000", "0"), ("1010", "10"), ("1003.5", "3.5"), ("1007", "7"))):
        await sample(stand, context, n, *figures)
    for query in ("", "?agent=default", "?wallet=main"):
        found = (await api.get(f"/api/portfolio/equity{query}")).json()
        assert [(point["equity"], point["profit"], point["drawdown"]) for point in found["points"]] == [
            ("1000", "0", "0"),
            ("1010", "10", "0"),
            ("1003.5", "3.5", "6.5"),
            ("1007", "7", "3"),
        ]
        assert (found["drawdown"], found["fall"]) == ("6.5", "3")
    part = (await api.get(f"/api/portfolio/equity?from={NOW + 1}&to={NOW + 2}")).json()
    assert [point["timestamp"] for point in part["points"]] == [NOW + 1, NOW + 2]
    assert [point["drawdown"] for point in part["points"]] == ["0", "6.5"]
    idle = (await api.get("/api/portfolio/equity?agent=idle")).json()
    assert idle == {"agentId": "idle", "wallet": None, "points": [], "drawdown": "0", "fall": "0"}
    portfolio = (await api.get("/api/portfolio")).json()
    assert (portfolio["total"]["drawdown"], portfolio["wallets"][0]["drawdown"]) == ("6.5", "6.5")
    drawdowns = {book["agentId"]: book["drawdown"] for book in portfolio["wallets"][0]["books"]}
    assert drawdowns == {None: None, "default": "6.5", "idle": None}


async def test_equity_of_who_is_not_there(api: Api, stand: Stand, context: FleetContext) -> None:
    await begin(stand, "default")
    await context.settle(await stand.ledger.head())
    for query, status, word in (
        ("agent=nobody", 404, "nobody"),
        ("wallet=none", 404, "none"),
        ("agent=default&wallet=main", 400, "agent, wallet"),
        ("from=-1", 422, "from"),
    ):
        answer = await api.get(f"/api/portfolio/equity?{query}")
        assert (answer.status_code, word in str(answer.json())) == (status, True), answer.json()
    assert (await api.get("/api/portfolio/trades.csv?agent=nobody")).status_code == 404
    assert (await api.get("/api/portfolio/trades.csv?wallet=none")).status_code == 404


async def test_the_books_as_csv_are_read_back(api: Api, stand: Stand, context: FleetContext) -> None:
    await begin(stand, "default")
    await context.settle((await AgentStand(stand.ledger).log(Type.TRADE))[-1])
    answer = await api.get("/api/portfolio.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="portfolio.csv"'
    found = rows(answer.text)
    assert [(row["agent"], row["kind"], row["value"]) for row in found] == [
        ("", "cash", "900"),
        ("default", "cash", "97.49"),
        ("default", "position", "2.4"),
    ]
    held = found[2]
    portfolio = (await api.get("/api/portfolio")).json()["wallets"][0]["books"][1]["positions"][0]
    names = {"market": "marketQuestion", "event": "eventTitle", "agent": "agentId"}
    assert {name: held[name] for name in held if name != "kind"} == {
        name: portfolio[names.get(name, name)] for name in held if name != "kind"
    }


async def test_every_fill_and_payout_as_csv_with_cost_and_profit(api: Api, stand: Stand, context: FleetContext) -> None:
    await begin(stand, "default", "other")
    agent, other = AgentStand(stand.ledger), AgentStand(stand.ledger, "other")
    await agent.log(Type.TRADE, marketQuestion=FORMULA, basis="0", realised="-0.01")
    sold = {"id": "t2/o2", "tradeId": "t2", "orderId": "o2", "side": "SELL", "size": "2", "basis": "1", "realised": "-0.01"}
    await agent.log(Type.TRADE, **sold)
    await agent.log(Type.ORDER, tradeId="t2", orderId="o2", tradeStatus="failed", realised="0.01")
    await agent.log(Type.ORDER, tradeId="t1", tradeStatus="confirmed")
    await other.log(Type.TRADE, tradeId="t3", profit=-0.01)
    line = {"agentId": "default", "tokenId": "101", "size": "5", "payout": "5", "basis": "2.5", "realised": "2.5"}
    redeemed = {"wallet": "main", "redeemed": [line], "txHash": "0xr", "payouts": {"101": "1"}, "conditionId": "0xc1"}
    await context.settle(await stand.supervisor.store(Type.RESOLUTION, redeemed))
    found = rows((await api.get("/api/portfolio/trades.csv")).text)
    shown = [[row[name] for name in ("kind", "agent", "size", "amount", "fee", "basis", "realised")] for row in found]
    assert shown == [
        ["buy", "default", "5", "2.5", "0.01", "0", "-0.01"],
        ["sell", "default", "2", "1", "0.01", "1", "-0.01"],
        ["failed", "default", "", "", "", "", "0.01"],
        ["buy", "other", "5", "2.5", "0.01", "", "-0.010000"],
        ["redemption", "default", "5", "5", "0", "2.5", "2.5"],
    ]
    assert found[0]["market"] == f"'{FORMULA}"
    assert found[0]["time"].startswith("2025-11-24T16:00:00.")
    assert (found[4]["price"], found[4]["tokenId"], found[4]["txHash"]) == ("1", "101", "0xr")
    profit = sum(micro(row["realised"]) for row in found if row["agent"] == "default")
    assert profit == context.state.profit("default")
    of_other = rows((await api.get("/api/portfolio/trades.csv?agent=other&wallet=main")).text)
    assert [row["tradeId"] for row in of_other] == ["t3"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("  =1", "'  =1"),
        ("\uff1d1", "'\uff1d1"),
        ("Will it rain, or = not?", "Will it rain, or = not?"),
        (None, ""),
        ("a\x00b", "ab"),
    ],
)
def test_no_cell_is_a_formula(text: str | None, shown: str) -> None:
    assert csv_views.cell(text) == shown


def test_any_text_is_read_back_as_it_is() -> None:
    told = 'He said "yes", \n twice; ünïcode'
    data: dict[str, Any] = {"wallet": "main", "side": "BUY", "size": "1", "exactPrice": "0.5", "fee": "0", "market": told}
    text = csv_views.trades_header() + csv_views.trades_csv([Event("a/1/1", Type.TRADE, "a", "x", 1, NOW, data, 3)])
    assert [(row["market"], row["seq"], row["amount"]) for row in rows(text)] == [(told, "3", "0.5")]

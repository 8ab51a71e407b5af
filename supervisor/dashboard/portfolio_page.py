"""What the fleet holds and what it is worth: equity, drawdown, exposure, by wallet and by agent."""

from nicegui import ui

from supervisor.api.book_views import OwnerBook, Sums
from supervisor.dashboard import charts
from supervisor.dashboard.chart import Chart
from supervisor.dashboard.fleet_page import money, tile
from supervisor.dashboard.live import Live, panel, put
from supervisor.dashboard.live_table import LiveTable, Row, column

_MONEY = (
    column("equity", "Equity", "number", sort=True),
    column("cash", "Cash", "number", sort=True, narrow=False),
    column("cost", "Exposure", "number", sort=True),
    column("unrealised", "Unrealised", "signed", sort=True),
    column("realised", "Realised", "signed", sort=True),
    column("fees", "Fees", "number", sort=True, narrow=False),
)


async def portfolio_page(live: Live) -> None:
    """Build the page."""
    watch = live.desk.watch
    tiles: dict[str, ui.label] = {}
    with ui.element("dl").classes("pf-tiles"):
        for name in ("Equity", "Exposure", "Cash", "Unrealised", "Realised", "Fees", "Deepest fall"):
            tiles[name] = tile(name)
    with panel("Equity and drawdown, in pUSD, since this dashboard started"):
        chart = Chart(charts.equity(watch.equity.points), "Equity and drawdown over time")
    with panel("By wallet", "pf-flush"):
        wallets = LiveTable("Wallets", (column("name", "Wallet"), *_MONEY), empty="No wallet has been seen yet.")
    with panel("By agent", "pf-flush"):
        columns = (
            column("name", "Agent", "link", sort=True),
            *_MONEY,
            column("fall", "Deepest fall", "number", sort=True, narrow=False),
        )
        agents = LiveTable("Agents", columns, empty="No agent has a book yet.", search=True)

    async def refresh() -> None:
        found = await watch.portfolio.get()
        total = found["total"]
        for name, key in (("Equity", "equity"), ("Exposure", "cost"), ("Cash", "cash"), ("Fees", "fees")):
            put(tiles[name], f"{float(total[key]):,.2f}")  # type: ignore[literal-required]
        money(tiles["Unrealised"], float(total["unrealised"]))
        money(tiles["Realised"], float(total["realised"]))
        put(tiles["Deepest fall"], f"{watch.equity.drawdown:,.2f}")
        chart.put(charts.equity_series(watch.equity.points))
        wallets.put(
            [
                {"key": wallet["wallet"], "name": {"text": wallet["wallet"], "sub": wallet["address"] or ""}} | _figures(wallet)
                for wallet in found["wallets"]
            ]
        )
        agents.put([_book(live, wallet["wallet"], book) for wallet in found["wallets"] for book in wallet["books"]])

    await live.show(refresh)


def _figures(sums: Sums) -> Row:
    return {
        "equity": float(sums["equity"]),
        "cash": float(sums["cash"]),
        "cost": float(sums["cost"]),
        "unrealised": float(sums["unrealised"]),
        "realised": float(sums["realised"]),
        "fees": float(sums["fees"]),
    }


def _book(live: Live, wallet: str, book: OwnerBook) -> Row:
    owner = book["agentId"]
    series = live.desk.watch.books.get(owner) if owner else None
    name = {"text": owner, "to": f"/agent/{owner}"} if owner else {"text": "unallocated", "sub": "of no agent"}
    return {"key": f"{wallet}/{owner}", "name": name, "fall": round(series.drawdown, 2) if series else 0.0} | _figures(book)

"""What the fleet holds and what it is worth: equity, drawdown, exposure, by wallet and by agent."""

from nicegui import ui

from supervisor.api.book_views import OwnerBook, Sums
from supervisor.api.stake_views import Exposed, Redemption
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

_STAKE = (
    column("cost", "Cost", "number", sort=True),
    column("value", "Value", "number", sort=True),
    column("positions", "Positions", "number", sort=True, narrow=False),
)
_UNPAID = (
    column("name", "Market"),
    column("redeemable", "Pays", "number", sort=True),
    column("reason", "What it waits for", "long"),
)
#: Lines of a list at most.
_LINES = 100


async def portfolio_page(live: Live) -> None:
    """Build the page."""
    watch, context = live.desk.watch, live.desk.context
    tiles: dict[str, ui.label] = {}
    with ui.element("dl").classes("pf-tiles"):
        for name in ("Equity", "Exposure", "Cash", "Unrealised", "Realised", "Fees", "To be paid out", "Deepest fall"):
            tiles[name] = tile(name)
    with panel("Equity and drawdown, in pUSD"):
        chart = Chart(charts.equity(context.state.equity.fleet.points), "Equity and drawdown over time")
    with panel("By wallet", "pf-flush"):
        wallets = LiveTable("Wallets", (column("name", "Wallet"), *_MONEY), empty="No wallet has been seen yet.")
    with panel("By agent", "pf-flush"):
        columns = (
            column("name", "Agent", "link", sort=True),
            *_MONEY,
            column("fall", "Deepest fall", "number", sort=True, narrow=False),
        )
        agents = LiveTable("Agents", columns, empty="No agent has a book yet.", search=True)
    with panel("At stake by event", "pf-flush pf-scroll"):
        events = LiveTable("Events", (column("name", "Event"), *_STAKE), empty="Nothing is at stake.")
    with panel("At stake by category", "pf-flush pf-scroll"):
        categories = LiveTable("Categories", (column("name", "Category"), *_STAKE), empty="Nothing is at stake.")
    with panel("To be paid out", "pf-flush pf-scroll"):
        unpaid = LiveTable("Payouts", _UNPAID, empty="All that has resolved is paid out.")

    async def refresh() -> None:
        found = await watch.portfolio.get()
        total = found["total"]
        for name, key in (("Equity", "equity"), ("Exposure", "cost"), ("Cash", "cash"), ("Fees", "fees")):
            put(tiles[name], f"{float(total[key]):,.2f}")  # type: ignore[literal-required]
        money(tiles["Unrealised"], float(total["unrealised"]))
        money(tiles["Realised"], float(total["realised"]))
        put(tiles["To be paid out"], f"{float(total['redeemable']):,.2f}")
        put(tiles["Deepest fall"], f"{float(total['drawdown'] or 0):,.2f}")
        chart.put(charts.equity_series(context.state.equity.fleet.points))
        at_stake = found["exposure"]
        events.put([_stake(each["eventId"], each["eventTitle"], each) for each in at_stake["byEvent"][:_LINES]])
        categories.put([_stake(each["category"], each["category"], each) for each in at_stake["byCategory"][:_LINES]])
        unpaid.put([_payout(each) for each in found["redemptions"][:_LINES]])
        wallets.put(
            [
                {"key": wallet["wallet"], "name": {"text": wallet["wallet"], "sub": wallet["address"] or ""}} | _figures(wallet)
                for wallet in found["wallets"]
            ]
        )
        agents.put([_book(wallet["wallet"], book) for wallet in found["wallets"] for book in wallet["books"]])

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


def _book(wallet: str, book: OwnerBook) -> Row:
    owner = book["agentId"]
    name = {"text": owner, "to": f"/agent/{owner}"} if owner else {"text": "unallocated", "sub": "of no agent"}
    return {"key": f"{wallet}/{owner}", "name": name, "fall": float(book["drawdown"] or 0)} | _figures(book)


def _stake(id: str | None, name: str | None, exposed: Exposed) -> Row:
    figures = {"cost": float(exposed["cost"]), "value": float(exposed["value"]), "positions": exposed["positions"]}
    return {"key": f"{id}", "name": "unknown to the feed" if name is None else name or "none"} | figures


def _payout(unpaid: Redemption) -> Row:
    reason = f"{unpaid['reason']} ({unpaid['attempts']} attempts)" if unpaid["reason"] else "the next payout"
    name = {"text": unpaid["marketQuestion"] or unpaid["conditionId"], "sub": unpaid["wallet"]}
    key = f"{unpaid['wallet']}/{unpaid['conditionId']}"
    return {"key": key, "name": name, "redeemable": float(unpaid["redeemable"]), "reason": reason}

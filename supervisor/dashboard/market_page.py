"""Markets: all that the feed knows, and one with its books, its price, and the fleet's forecasts and trades on it."""

from datetime import UTC, datetime
from typing import Any

from nicegui import ui

from agents.errors import PolyfleetError
from agents.events import Event, Type
from agents.fleet import FleetState
from agents.model import MarketView
from agents.money import number
from supervisor.api import market_views
from supervisor.dashboard import charts
from supervisor.dashboard.chart import Chart
from supervisor.dashboard.fleet_page import tile
from supervisor.dashboard.live import Live, link, panel, put
from supervisor.dashboard.live_table import LiveTable, Row, column

#: Markets in the list, levels of a book, and forecasts and trades that are read from the past and kept in the chart.
_LISTED = 200
_LEVELS = 10
_PAST = 1000
_MARKS = 300


async def markets_page(live: Live) -> None:
    """Build the list: markets that the fleet holds first, then the open ones that end soonest."""
    columns = (
        column("market", "Market", "link", sort=True),
        column("state", "State", "state", narrow=False),
        column("price", "Price", "text", sort=True),
        column("book", "Bid, ask", "text"),
        column("held", "Held by the fleet", "number", sort=True),
        column("end", "Ends", "text", sort=True, narrow=False),
    )
    with ui.element("section").classes("pf-panel pf-flush").props('aria-label="Markets"'):
        table = LiveTable("Markets", columns, empty="The feed knows no market yet.", search=True)

    async def refresh() -> None:
        context = live.desk.context
        views = await context.markets.get()
        held = _held(context.state)
        rows = [(_row(view, held), view) for view in views]
        rows.sort(key=lambda pair: (-pair[0]["held"], pair[1].market.closed, pair[1].market.end or 1 << 60))
        table.put([row for row, _ in rows[:_LISTED]])

    await live.show(refresh)


def _held(state: FleetState) -> dict[str, float]:
    """Return what the shares of each token have cost, over all books."""
    held: dict[str, float] = {}
    for books in state.portfolio.wallets.values():
        for book in books.values():
            for token, position in book.positions.items():
                if position.size:
                    held[token] = held.get(token, 0.0) + number(position.cost)
    return held


def _row(view: MarketView, held: dict[str, float]) -> Row:
    shown = market_views.market(view)
    first = shown["outcomes"][0]
    state = "resolved" if first["payout"] is not None else "closed" if shown["closed"] else "open"
    return {
        "key": shown["conditionId"],
        "market": {"text": shown["question"], "sub": ", ".join(shown["tags"]), "to": f"/market/{shown['conditionId']}"},
        "state": state,
        "price": {"text": first["payout"] or first["price"] or "-", "sub": first["outcome"]},
        "book": f"{first['bid'] or '-'} / {first['ask'] or '-'}",
        "held": round(sum(held.get(token, 0.0) for token in view.market.tokens), 2),
        "end": _date(shown["endDate"]),
    }


def _date(time: int | None) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC") if time else ""


class _Marks:
    """The fleet's forecasts and trades of one market, as points of the chart: time, price of the first outcome, text."""

    def __init__(self, view: MarketView) -> None:
        self.market = view.market
        self.forecasts: list[list[Any]] = []
        self.trades: list[list[Any]] = []

    def take(self, event: Event) -> None:
        """Take an event of the log."""
        self.add(event.type, {"timestamp": event.timestamp} | event.data, event.agent_id)

    def add(self, kind: Type, data: dict[str, Any], agent_id: str | None) -> None:
        """Add what is of this market."""
        if data.get("conditionId") != self.market.condition_id and data.get("tokenId") not in self.market.tokens:
            return
        time = data.get("venueTime") or data.get("timestamp")
        if kind is Type.FORECAST and isinstance(data.get("blended"), int | float):
            self.forecasts = [*self.forecasts, [time, round(data["blended"], 4), agent_id or ""]][-_MARKS:]
        elif kind is Type.TRADE and isinstance(data.get("price"), int | float):
            second = data.get("tokenId") == self.market.tokens[1]
            price = round(1 - data["price"], 6) if second else data["price"]
            bought = (data.get("side") == "BUY") != second
            self.trades = [*self.trades, [time, price, agent_id or "", bought]][-_MARKS:]

    async def recall(self, live: Live) -> None:
        """Read what was."""
        ledger = live.desk.context.ledger
        for kind, name in ((Type.FORECAST, "forecasts"), (Type.TRADE, "trades")):
            for item in reversed((await ledger.history(name, limit=_PAST)).items):
                self.add(kind, item, item.get("agentId"))


async def market_page(live: Live, market_id: str) -> None:
    """Build the page of one market."""
    try:
        view = await live.desk.watch.market(market_id)
    except PolyfleetError as error:
        ui.label(f"The market cannot be shown now: {error}").props('role="alert"')
        return
    if view is None:
        ui.label("There is no market of that id.").props('role="alert"')
        link("All markets", "/markets")
        return
    marks = _Marks(view)
    try:
        await marks.recall(live)
    except PolyfleetError as error:
        ui.label(f"Past forecasts and trades cannot be read now: {error}").props('role="alert"')
    live.hear(marks.take)
    await _figures(live, view)
    with panel("Price, forecasts and trades"):
        chart = Chart(charts.market((), (), ()), "Price of the first outcome with the fleet's forecasts and trades on it")
    with ui.element("div").classes("pf-grid"):
        books = [_book(outcome) for outcome in view.market.outcomes]

    async def refresh() -> None:
        now = await live.desk.watch.market(market_id)
        if now is None:
            return
        prices = [(time, number(price)) for time, price in now.prices]
        chart.put(charts.market_series(prices, marks.forecasts, marks.trades))
        for table, outcome in zip(books, market_views.market_book(now)["outcomes"], strict=True):
            table.put(_levels(outcome))

    await live.show(refresh)


async def _figures(live: Live, view: MarketView) -> None:
    tiles: dict[str, ui.label] = {}
    with ui.element("dl").classes("pf-tiles"):
        for name in (*dict.fromkeys(view.market.outcomes), "Tick", "Fee rate", "Ends"):
            tiles[name] = tile(name, small=name == "Ends")

    async def refresh() -> None:
        now = await live.desk.watch.market(view.market.condition_id) or view
        shown = market_views.market(now)
        for outcome in shown["outcomes"]:
            paid = f"paid {outcome['payout']}" if outcome["payout"] is not None else None
            put(tiles[outcome["outcome"]], paid or outcome["price"] or "-")
        put(tiles["Tick"], shown["tick"])
        put(tiles["Fee rate"], shown["feeRate"])
        put(tiles["Ends"], _date(shown["endDate"]) or "-")

    await live.show(refresh)


def _book(outcome: str) -> LiveTable:
    columns = (
        column("bids", "Bid size", "number"),
        column("bid", "Bid", "number"),
        column("ask", "Ask", "number"),
        column("asks", "Ask size", "number"),
    )
    with panel(f"Book of {outcome}", "pf-flush"):
        return LiveTable(f"Book of {outcome}", columns, empty="Nobody bids or offers.")


def _levels(outcome: market_views.OutcomeBook) -> list[Row]:
    bids, asks = outcome["bids"][:_LEVELS], outcome["asks"][:_LEVELS]
    return [
        {
            "key": str(n),
            "bids": float(bids[n]["size"]) if n < len(bids) else "",
            "bid": {"text": bids[n]["price"], "tone": "pf-up"} if n < len(bids) else "",
            "ask": {"text": asks[n]["price"], "tone": "pf-down"} if n < len(asks) else "",
            "asks": float(asks[n]["size"]) if n < len(asks) else "",
        }
        for n in range(max(len(bids), len(asks)))
    ]

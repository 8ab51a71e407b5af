"""One agent: what it decides and why, its orders, positions, forecasts, log, and its params to be edited in place."""

import asyncio
from typing import Any

from nicegui import ui

from agents.errors import PolyfleetError
from supervisor.api import agent_views
from supervisor.api.book_views import positions
from supervisor.dashboard import charts
from supervisor.dashboard.agent_form import agent_form
from supervisor.dashboard.agent_history import KEPT, Histories, evidence_of
from supervisor.dashboard.chart import Chart
from supervisor.dashboard.fleet_page import buttons, control, money, tile
from supervisor.dashboard.live import Live, link, panel, put, shown
from supervisor.dashboard.live_table import LiveTable, Row, column

#: Seconds between looks at a process's log.
_LOG_PAUSE = 3.0


def _decision(key: str, item: dict[str, Any], evidence: str) -> Row:
    price = item.get("price") or 0
    return {
        "key": key,
        "time": item.get("timestamp"),
        "action": {
            "text": f"{str(item.get('action', '')).upper()} {item.get('outcome') or ''}",
            "sub": f"@ {price:g}" if price else "",
        },
        "market": {
            "text": item.get("marketQuestion") or "",
            "to": f"/market/{item['conditionId']}" if item.get("conditionId") else None,
        },
        "confidence": f"{float(item.get('confidence') or 0):.0%}",
        "reasoning": {"text": item.get("reasoning") or "", "sub": ""},
        "evidence": {"text": evidence, "sub": "evidence"},
    }


def _order(key: str, item: dict[str, Any]) -> Row:
    return {
        "key": key,
        "time": item.get("timestamp") or item.get("created"),
        "status": {"text": item.get("status", ""), "sub": item.get("reason") or ""},
        "order": {"text": f"{item.get('side', '')} {item.get('outcome') or ''}", "sub": item.get("marketQuestion") or ""},
        "price": item.get("price", ""),
        "size": {
            "text": item.get("size", ""),
            "sub": f"{item['filled']} filled" if item.get("filled") not in (None, "0") else "",
        },
    }


def _forecast(key: str, item: dict[str, Any], evidence: str) -> Row:
    return {
        "key": key,
        "time": item.get("timestamp"),
        "market": {
            "text": item.get("marketQuestion") or item.get("conditionId") or "",
            "to": f"/market/{item.get('conditionId')}",
        },
        "blended": _share(item.get("blended")),
        "raw": {"text": _share(item.get("pooled")), "sub": _share(item.get("calibrated"))},
        "price": _share(item.get("marketPrice")),
        "evidence": {"text": evidence, "sub": "evidence"},
    }


def _share(value: Any) -> str:
    return f"{value:.1%}" if isinstance(value, int | float) else "-"


def _milliseconds(time: Any) -> int | None:
    return int(time) if isinstance(time, int | float) else None


async def agent_page(live: Live, agent_id: str) -> None:
    """Build the page."""
    record = live.desk.context.state.agents.get(agent_id)
    if record is None:
        ui.label("There is no agent of that name; it may have been deleted.").props('role="alert"')
        link("All agents", "/")
        return
    await _head(live, agent_id)
    past = Histories(agent_id)
    try:
        await past.recall(live)
    except PolyfleetError as error:
        ui.label(f"Its history cannot be read now: {error}").props('role="alert"').classes("pf-down")
    with ui.element("div").classes("pf-grid"):
        await _histories(live, past)
        await _positions(live, agent_id)
        await _reliability(live, agent_id)
        with panel("Params and limits", "pf-span"):
            agent_form(live, record)
        _log(live, agent_id)


async def _head(live: Live, agent_id: str) -> None:
    tiles: dict[str, ui.label] = {}
    with ui.element("dl").classes("pf-tiles"):
        for name in ("State", "Profit", "Decisions", "Trades", "Life", "Process"):
            tiles[name] = tile(name)
    with ui.element("div").classes("pf-row").style("margin-bottom: 16px"):
        acts = {name: _button(live, name, agent_id) for name in ("start", "stop", "pause", "resume", "restart", "kill")}
        reason = ui.label("").classes("pf-muted")

    def refresh() -> None:
        context = live.desk.context
        record = context.state.agents.get(agent_id)
        if record is None:
            put(tiles["State"], "deleted")
            return
        status = agent_views.agent_status(context.state, record, now=context.clock(), heartbeat=None)
        put(tiles["State"], record.state.replace("_", " "))
        money(tiles["Profit"], status["totalProfit"])
        put(tiles["Decisions"], f"{record.total_decisions:,}")
        put(tiles["Trades"], f"{record.total_trades:,}")
        put(tiles["Life"], f"{record.incarnation}, {record.restarts} restarts")
        put(tiles["Process"], f"{record.pid or '-'}")
        blocked = f"Blocked: {status['blocked']}. " if status["blocked"] else ""
        put(reason, f"{blocked}{record.reason}"[:400])
        offered = {button["name"]: button["on"] for button in buttons(record.state)}
        for name, button in acts.items():
            shown(button, name in offered)
            if button.enabled != offered.get(name, False):
                button.set_enabled(offered.get(name, False))

    await live.show(refresh)


def _button(live: Live, action: str, agent_id: str) -> ui.button:
    async def act() -> None:
        await control(live, action, agent_id)

    names = {"kill": "Kill its process"}
    return ui.button(names.get(action, action.capitalize()), on_click=act).props("outline dense")


async def _histories(live: Live, past: Histories) -> None:
    decisions = (
        column("time", "Time", "time"),
        column("action", "Decision"),
        column("market", "Market", "link"),
        column("confidence", "Sure", "text"),
        column("reasoning", "Reasoning", "long"),
        column("evidence", "Evidence", "details"),
    )
    orders = (
        column("time", "Time", "time"),
        column("status", "Status", "state"),
        column("order", "Order"),
        column("price", "Price", "number"),
        column("size", "Size", "number"),
    )
    forecasts = (
        column("time", "Time", "time"),
        column("market", "Market", "link"),
        column("blended", "Forecast", "text"),
        column("price", "Price", "text"),
        column("raw", "Raw, calibrated", "text"),
        column("evidence", "Evidence", "details"),
    )
    with panel("Decisions", "pf-flush pf-scroll pf-span"):
        shown_decisions = LiveTable("Decisions", decisions, empty="It has not decided anything yet.")
    with panel("Orders", "pf-flush pf-scroll"):
        shown_orders = LiveTable("Orders", orders, empty="It has not ordered anything yet.")
    with panel("Forecasts", "pf-flush pf-scroll"):
        shown_forecasts = LiveTable("Forecasts", forecasts, empty="It has asked for no forecast; only llm agents do.")
    seen = -1

    def refresh() -> None:
        nonlocal seen
        if past.version == seen:
            return
        seen = past.version
        shown_decisions.put([_decision(key, item, past.evidence(item)) for key, item in past.decisions])
        shown_orders.put([_order(key, item) for key, item in past.orders])
        shown_forecasts.put([_forecast(key, item, evidence_of(item)) for key, item in past.forecasts])

    await live.show(refresh)


async def _positions(live: Live, agent_id: str) -> None:
    columns = (
        column("market", "Market", "link"),
        column("size", "Shares", "number"),
        column("price", "Price, paid", "number"),
        column("value", "Value", "number"),
        column("unrealised", "Unrealised", "signed"),
    )
    with panel("Positions", "pf-flush pf-scroll"):
        table = LiveTable("Positions", columns, empty="It holds nothing.")

    async def refresh() -> None:
        context = live.desk.context
        found = positions(context.state, await context.quotes(), agent_id)[:KEPT]
        table.put(
            [
                {
                    "key": f"{held['wallet']}/{held['tokenId']}",
                    "market": {
                        "text": held["marketQuestion"] or held["tokenId"],
                        "sub": held["outcome"] or "",
                        "to": f"/market/{held['conditionId']}" if held["conditionId"] else None,
                    },
                    "size": float(held["size"]),
                    "price": {"text": held["price"] or "-", "sub": held["averagePrice"]},
                    "value": float(held["value"]) if held["value"] is not None else "-",
                    "unrealised": float(held["unrealised"]) if held["unrealised"] is not None else "-",
                }
                for held in found
            ]
        )

    await live.show(refresh)


async def _reliability(live: Live, agent_id: str) -> None:
    with panel("Reliability of its forecasts"):
        verdict = ui.label("").classes("pf-muted")
        chart = Chart(charts.reliability(()), "What was forecast against what came true")

    def refresh() -> None:
        row = live.desk.watch.scores.get(agent_id)
        if row is None:
            put(verdict, "None of its forecasts has come out yet.")
            return
        interval = f"{row['low']:+.4f} to {row['high']:+.4f}"
        put(verdict, f"Skill {row['skill']:+.4f} ({interval}) over {row['n']} forecasts: {row['verdict']}.")
        chart.put(charts.reliability_series(row["bins"]))

    await live.show(refresh)


def _log(live: Live, agent_id: str) -> None:
    columns = (column("time", "Time", "time"), column("level", "Level", "text"), column("message", "Message", "long"))
    with panel("Log of its process", "pf-flush pf-scroll pf-span"):
        note = ui.label("").classes("pf-muted")
        table = LiveTable("Log", columns, empty="It has logged nothing that can be read now.")
    loop = asyncio.get_running_loop()
    due = 0.0

    async def refresh() -> None:
        nonlocal due
        if loop.time() < due:
            return
        due = loop.time() + _LOG_PAUSE
        answer = await live.desk.rest.call("GET", f"/api/agents/{agent_id}/logs?limit={KEPT}")
        put(note, answer.get("note") or "")
        lines = answer["logs"]
        table.put(
            [
                {
                    "key": f"{line.get('timestamp')}/{line.get('pid')}/{n}",
                    "time": _milliseconds(line.get("timestamp")),
                    "level": str(line.get("level", "")),
                    "message": "\n".join(str(line[name]) for name in ("message", "exception") if line.get(name)),
                }
                for n, line in reversed(list(enumerate(lines)))
            ]
        )

    live.later(refresh)

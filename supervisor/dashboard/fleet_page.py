"""The fleet at a glance: every agent and what may be done to it, totals, services."""

from typing import Any

from nicegui import ui

from agents.fleet import AgentRecord
from agents.money import number
from agents.spec import AgentState
from supervisor.api import agent_views
from supervisor.api.score_views import ScoreRow
from supervisor.dashboard.live import Live, put
from supervisor.dashboard.live_table import LiveTable, Row, column

S = AgentState

#: The states that allow what an operator may do.
ALLOWED = {
    "start": {S.STOPPED, S.QUARANTINED},
    "stop": set(S) - {S.STOPPED, S.STOPPING},
    "pause": {S.RUNNING},
    "resume": {S.PAUSED, S.QUARANTINED},
    "restart": {S.STARTING, S.RUNNING, S.PAUSED, S.BACKING_OFF},
    "kill": {S.RUNNING, S.PAUSED},
}

#: Points of a sparkline.
_POINTS = 40

_COLUMNS = (
    column("agent", "Agent", "link", sort=True),
    column("state", "State", "state", sort=True),
    column("profit", "Profit", "signed", sort=True),
    column("spark", "Profit over time", "spark"),
    column("decision", "Last decision"),
    column("skill", "Skill", "text", sort=True, narrow=False),
    column("life", "Life", "text", sort=True, narrow=False),
    column("counts", "Decisions", "text", narrow=False),
    column("actions", "Control", "actions"),
)


async def fleet_page(live: Live) -> None:
    """Build the page."""
    await _tiles(live)
    with ui.element("section").classes("pf-panel pf-flush").props('aria-label="Agents"'):

        async def act(action: str, agent_id: str) -> None:
            await control(live, action, agent_id)

        table = LiveTable("Agents", _COLUMNS, empty="There is no agent yet.", search=True, on_action=act)

        def refresh() -> None:
            table.put([_row(live, record) for record in live.desk.context.state.agents.values()])

        await live.show(refresh)
    await _services(live)


async def control(live: Live, action: str, agent_id: str) -> None:
    """Do to an agent what a button says, and show the effect."""
    if action in ALLOWED:
        done = f"The process of {agent_id} was killed; watch it come back" if action == "kill" else ""
        await live.rest("POST", f"/api/agents/{agent_id}/{action}", done=done)


def buttons(state: AgentState) -> list[dict[str, Any]]:
    """Return the buttons of an agent in a state: what is not allowed is there and disabled, so that nothing moves."""
    first = "start" if state in ALLOWED["start"] else "stop"
    second = "resume" if state in ALLOWED["resume"] else "pause"
    return [{"name": name, "on": state in ALLOWED[name]} for name in (first, second, "restart", "kill")]


def spark(live: Live, agent_id: str) -> list[float]:
    """Return an agent's realised profit over time."""
    series = live.desk.watch.profits.get(agent_id)
    return [round(value, 4) for value in series.thinned(_POINTS)] if series else []


def skill(score: ScoreRow | None) -> dict[str, Any] | str:
    """Return an agent's skill in forecasting as a cell."""
    if score is None:
        return "-"
    sub = f"{score['low']:+.3f} to {score['high']:+.3f}, n {score['n']}"
    return {"text": f"{score['skill']:+.4f}", "sub": f"{sub}: {score['verdict']}"}


def decided(decision: dict[str, Any] | None) -> dict[str, Any]:
    """Return a decision as a cell: what and how sure, and about which market."""
    if not decision:
        return {"text": "-"}
    price = decision.get("price")
    what = f"{str(decision.get('action', '')).upper()} {decision.get('outcome') or ''}".strip()
    at = f" @ {price:g}" if isinstance(price, int | float) and price else ""
    return {"text": f"{what}{at} · {float(decision.get('confidence') or 0):.0%}", "sub": decision.get("marketQuestion") or ""}


def _row(live: Live, record: AgentRecord) -> Row:
    spec, state = record.spec, live.desk.context.state
    blocked = record.blocked or ("kill switch" if state.halted else None)
    calm = record.state in (S.RUNNING, S.STOPPED)
    return {
        "key": spec.id,
        "agent": {"text": spec.id, "sub": spec.strategy, "to": f"/agent/{spec.id}"},
        "state": {"text": str(record.state), "sub": f"blocked: {blocked}" if blocked else "" if calm else record.reason[:160]},
        "profit": number(state.profit(spec.id)),
        "spark": spark(live, spec.id),
        "decision": decided(live.desk.watch.decisions.get(spec.id)),
        "skill": skill(live.desk.watch.scores.get(spec.id)),
        "life": {"text": record.incarnation, "sub": f"{record.restarts} restarts" if record.restarts else ""},
        "counts": {"text": record.total_decisions, "sub": f"{record.total_trades} trades"},
        "actions": buttons(record.state),
    }


async def _tiles(live: Live) -> None:
    labels: dict[str, ui.label] = {}
    with ui.element("dl").classes("pf-tiles"):
        for name in ("Agents", "Running", "Profit", "Exposure", "Decisions", "Trades"):
            labels[name] = tile(name)

    def refresh() -> None:
        context = live.desk.context
        fleet = agent_views.fleet(context.state, context.mode, None, supervised=True)
        put(labels["Agents"], str(fleet["agents"]["total"]))
        put(labels["Running"], str(fleet["agents"]["byState"][S.RUNNING]))
        money(labels["Profit"], fleet["totalProfit"])
        put(labels["Exposure"], f"{fleet['exposure']:,.2f}")
        put(labels["Decisions"], f"{fleet['totalDecisions']:,}")
        put(labels["Trades"], f"{fleet['totalTrades']:,}")

    await live.show(refresh)


def tile(name: str, small: bool = False) -> ui.label:
    """Make a tile and return the label that shows its figure."""
    with ui.element("div").classes("pf-tile"):
        with ui.element("dt"):
            ui.label(name)
        with ui.element("dd").classes("pf-small" if small else ""):
            return ui.label("-")


def money(label: ui.label, amount: float) -> None:
    """Show a profit or loss in pUSD with its sign and colour."""
    text = f"{amount:+,.2f}".replace("-", "\u2212")
    if label.text != text:
        label.set_text(text)
        label.classes(replace="pf-up" if amount > 0 else "pf-down" if amount < 0 else "")


async def _services(live: Live) -> None:
    columns = (column("name", "Service"), column("state", "State", "state"), column("restarts", "Restarts", "text"))
    with ui.element("section").classes("pf-panel pf-flush"):
        with ui.element("h2"):
            ui.label("Services")
        table = LiveTable("Services", columns, empty="No service has reported yet.")

    def refresh() -> None:
        services = sorted(live.desk.context.state.services.items())
        table.put([{"key": name, "name": name, "state": found.state, "restarts": found.restarts} for name, found in services])

    await live.show(refresh)

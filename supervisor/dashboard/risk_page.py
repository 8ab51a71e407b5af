"""What is used up of every limit, who is stopped for it and why, and the button that lets a scope buy again."""

from agents.limits.exposure import agent_of
from agents.limits.state import LIFTABLE
from supervisor.api.risk_views import ScopeRisk, Use
from supervisor.dashboard.live import Live, panel
from supervisor.dashboard.live_table import LiveTable, Row, column

_RULES = {
    "maxMarketExposure": "In one market",
    "maxEventExposure": "In one event",
    "maxDailyLoss": "Day's loss",
    "maxDrawdown": "Fall",
}
_ORDERS = "maxOpenOrders"


async def risk_page(live: Live) -> None:
    """Build the page."""

    async def act(action: str, key: str) -> None:
        if action == "resume":
            await live.rest("POST", "/api/risk/resume", {"scope": key}, f"{key} may buy again")
            await live.refresh()

    columns = (
        column("scope", "Scope", "link", sort=True),
        column("result", "Result", "signed", sort=True),
        column("maxExposure", "Exposure", "number", sort=True),
        *(column(rule, label, "number", sort=True, narrow=False) for rule, label in _RULES.items()),
        column(_ORDERS, "Open orders", sort=True, narrow=False),
        column("blocked", "Why it buys nothing", "long"),
        column("actions", "Resume", "actions"),
    )
    with panel("Limits, and what is used up of them; in pUSD", "pf-flush"):
        table = LiveTable("Limits", columns, empty="Nothing has a limit yet.", search=True, on_action=act)

    async def refresh() -> None:
        table.put([_row(scope) for scope in (await live.desk.watch.risk.get())["scopes"]])

    await live.show(refresh)


def _row(risk: ScopeRisk) -> Row:
    agent_id = agent_of(risk["scope"])
    return {
        "key": risk["scope"],
        "scope": {"text": risk["scope"], "to": f"/agent/{agent_id}" if agent_id else None},
        "result": float(risk["result"]),
        "blocked": {"text": risk["blocked"] or ""},
        "actions": [{"name": "resume", "on": True}] if any(stop["rule"] in LIFTABLE for stop in risk["stops"]) else [],
    } | {use["rule"]: _use(use) for use in risk["uses"]}


def _use(use: Use) -> dict[str, float | int | str]:
    if use["rule"] == _ORDERS:
        return {"text": int(use["used"] or 0), "sub": f"of {use['limit']}"}
    return {"text": float(use["used"] or 0), "sub": "no limit" if use["limit"] is None else f"of {float(use['limit']):,.2f}"}

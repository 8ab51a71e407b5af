"""What waits for a person: each trade with its reasons, and two buttons."""

from nicegui import ui

from supervisor.api.approval_views import Approval, approvals
from supervisor.dashboard.live import Live
from supervisor.dashboard.live_table import LiveTable, Row, column

_COLUMNS = (
    column("asked", "Asked", "time"),
    column("agent", "Agent", "link"),
    column("trade", "Trade", "long"),
    column("amount", "pUSD", "number"),
    column("reasons", "Reasons", "long"),
    column("until", "Dropped at", "time"),
    column("actions", "Decide", "actions"),
)

_DONE = {"approve": "It is approved and sent", "reject": "It is rejected"}


async def approvals_page(live: Live) -> None:
    """Build the page."""

    async def act(action: str, key: str) -> None:
        if action in _DONE:
            await live.rest("POST", f"/api/approvals/{key}/{action}", done=_DONE[action])
            # Refused, it may have ended all the same.
            await live.refresh()

    with ui.element("section").classes("pf-panel pf-flush").props('aria-label="Approvals"'):
        table = LiveTable("Approvals", _COLUMNS, empty="Nothing waits to be approved.", on_action=act)

    def refresh() -> None:
        table.put([_row(trade) for trade in approvals(live.desk.context.state)])

    await live.show(refresh)


def _row(trade: Approval) -> Row:
    orders = trade["orders"]
    first = orders[0]
    lines = [f"{order['side'].lower()} {order['size']} {order['outcome']} @ {order['price']}" for order in orders]
    questions = dict.fromkeys(order["marketQuestion"] for order in orders)
    return {
        "key": trade["id"],
        "label": f"{lines[0]} of {trade['agentId']}"[:80],
        "asked": trade["askedAt"],
        "agent": {"text": trade["agentId"], "to": f"/agent/{trade['agentId']}"},
        "trade": {"text": "; ".join(lines)[:300], "sub": "; ".join(questions)[:300]},
        "amount": sum(float(order["amount"]) for order in orders),
        "reasons": {"text": first["reasoning"][:600], "sub": f"{first['confidence']:.0%} sure"},
        "until": trade["expiresAt"],
        "actions": [{"name": "approve", "on": True}, {"name": "reject", "on": True}],
    }

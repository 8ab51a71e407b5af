"""What an alert says: the seed's text for a trade, title and sentence for everything else."""

import json
from datetime import UTC, datetime
from typing import Any

from agents.alerts.markup import bold, outside
from agents.events import Event, Type
from agents.fleet import FleetState
from agents.money import ONE, Micro
from agents.notifications import notification

#: Characters of one sentence that are told.
_LONGEST = 700


def alert(event: Event) -> str:
    """Return the text of one event, in `Markdown`."""
    if event.type is Type.TRADE:
        return trade(event)
    if event.type is Type.ORDER and "approval" in event.data and event.data["status"] == "intended":
        return approval(event)
    told = notification(event)
    if told is None:
        return _plain(event)
    who = f"{outside(event.agent_id)}: " if event.agent_id and event.type is not Type.AGENT else ""
    return f"{_sign(told)} {bold(_title(told['title']))}\n{who}{outside(told['message'], _LONGEST)}"


def trade(event: Event) -> str:
    """Return the seed's message for a trade, character by character, what comes from outside escaped.

    The time is in the form of the seed's locale (en-US), in UTC.
    """
    data = event.data
    profit = _number(data.get("profitLoss"))
    sign = "💚" if profit > 0 else "❌"
    plus = "+" if profit > 0 else ""
    lines = (
        f"Market: {outside(data.get('marketQuestion') or data.get('market') or data.get('token') or '')}",
        f"Action: {outside(str(data.get('side') or data.get('action') or '').upper(), 20)}",
        f"Amount: {_amount(data.get('amount'))} USDC",
        f"P/L: {plus}{profit:.2f} USDC",
        f"Time: {local_time(int(data.get('timestamp') or event.timestamp))}",
    )
    return f"{sign} {bold('Polymarket Trade')}\n\n" + "\n".join(lines)


def approval(event: Event) -> str:
    """Return the message on an order that waits for a person."""
    data, asked = event.data, event.data["approval"]
    what = f"{data['side'].lower()} {data['size']} {data['outcome']} @ {data['price']}"
    return "\n".join(
        (
            f"❓ {bold('Approval')}",
            f"{outside(event.agent_id)}: {outside(what, 120)} {outside(data['marketQuestion'])}",
            outside(asked["reasoning"], 200),
            f"/approve {asked['id']} or /reject {asked['id']}; /approvals has buttons",
            f"It is dropped at {local_time(asked['expiresAt'])} (UTC).",
        )
    )


def local_time(timestamp: int) -> str:
    """Return epoch milliseconds as en-US writes them: 11/29/2026, 2:56:26 AM (UTC)."""
    at = datetime.fromtimestamp(timestamp / 1000, UTC)
    hour = at.hour % 12 or 12
    return f"{at.month}/{at.day}/{at.year}, {hour}:{at:%M:%S} {'AM' if at.hour < 12 else 'PM'}"


def money(amount: Micro, *, sign: bool = False) -> str:
    """Return an amount in pUSD to the cent."""
    return f"{amount / ONE:{'+' if sign else ''}.2f} pUSD"


def totals(state: FleetState) -> dict[str, int]:
    """Return the sums that a daily summary compares with those of the day before."""
    agents = state.agents.values()
    return {
        "decisions": sum(agent.total_decisions for agent in agents),
        "trades": sum(agent.total_trades for agent in agents),
        "profit": state.total_profit,
    }


def summary(day: str, before: dict[str, int], now: dict[str, int], state: FleetState) -> str:
    """Return what a day has brought."""
    change = {name: now[name] - before.get(name, 0) for name in now}
    running = sum(agent.state == "running" for agent in state.agents.values())
    return "\n".join(
        (
            f"📊 {bold('Daily Summary')}",
            f"Day: {day} (UTC)",
            f"Profit: {money(change['profit'], sign=True)} realised, {money(now['profit'], sign=True)} in all",
            f"Trades: {change['trades']}",
            f"Decisions: {change['decisions']}",
            f"Agents: {running} of {len(state.agents)} running",
        )
    )


def _plain(event: Event) -> str:
    """Return the text of an event that is no notification: an order, a forecast, or a request that changed something."""
    data = event.data
    question = data.get("marketQuestion") or data.get("market") or ""
    if event.type is Type.ORDER:
        said = f"{data['status']} {data.get('side', '')} {data.get('size', '')} @ {data.get('price', '')} {question}"
    elif event.type is Type.AUDIT:
        said = f"{data.get('by', '')}: {data.get('method', '')} {data.get('path', '')}, answered with {data.get('status', '')}"
    elif event.type is Type.EQUITY:
        total = data.get("total", {})
        said = f"{total.get('equity', '')} pUSD, profit {total.get('profit', '')}"
    elif "blended" in data:
        said = f"{data['blended']:.1%}, the price {data['marketPrice']:.1%}: {question}"
    else:
        said = question or json.dumps({name: data[name] for name in ("kind", "agentId", "usd") if name in data})
    who = f"{outside(event.agent_id)}: " if event.agent_id else ""
    return f"ℹ️ {bold(event.type.capitalize())}\n{who}{outside(said, _LONGEST)}"  # noqa: RUF001


def _title(title: str) -> str:
    """Return a title that may be bold: markup cannot be escaped within bold words."""
    return outside(title, 200).replace("\\", "").translate(str.maketrans("_*`[", "  '("))


def _sign(told: dict[str, Any]) -> str:
    if told["type"] == "error":
        return "⚠️"
    return "🔔" if told["priority"] == "high" else "ℹ️"  # noqa: RUF001


def _amount(value: Any) -> str:
    """Return a number as JavaScript writes it: 50, 12.5."""
    number = _number(value)
    return str(int(number)) if number.is_integer() else str(number)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0

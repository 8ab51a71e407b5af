"""Events as the seed's clients know them: notifications, and the names of the Socket.IO events."""

from collections.abc import Callable
from typing import Any

from agents.events import Event, Type

#: The Socket.IO event of a type where the two differ.
_SOCKET_EVENTS = {Type.DECISION: "ai-decision"}

#: States and changes of an agent, as a title and a sentence about `who`.
_AGENT_NEWS = {
    "running": ("Agent Started", "{who} is now running"),
    "stopped": ("Agent Stopped", "{who} has been stopped"),
    "paused": ("Agent Paused", "{who} is paused"),
    "starting": ("Agent Starting", "{who} is starting"),
    "stopping": ("Agent Stopping", "{who} is stopping"),
    "pending": ("Agent Pending", "{who} waits to be started"),
    "backing_off": ("Agent Crashed", "{who} failed and will be started again"),
    "quarantined": ("Agent Quarantined", "{who} failed too often and stays stopped"),
    "created": ("Agent Created", "{who} was created"),
    "updated": ("Agent Updated", "{who} was changed"),
    "deleted": ("Agent Deleted", "{who} was deleted"),
}

#: Title, message, data, priority.
_Parts = tuple[str, str, dict[str, Any], str]


def socket_event(event: Event) -> str:
    """Return the name under which Socket.IO clients get an event besides `notification`."""
    return _SOCKET_EVENTS.get(event.type, str(event.type))


def socket_payload(event: Event) -> dict[str, Any]:
    """Return the payload of that event: its data, with the agent that it is about."""
    data = {name: value for name, value in event.data.items() if name != "notification"}
    return {"id": event.id, "timestamp": event.timestamp, "agentId": event.agent_id} | data


def notification(event: Event) -> dict[str, Any] | None:
    """Return the seed's NotificationPayload for an event, with its id; None for a type that is none.

    What an outside system gave with the event (`data["notification"]`: type, title, message, priority) stands.
    """
    make = _MAKERS.get(event.type)
    if make is None:
        return None
    kind, (title, message, data, priority) = make(event)
    payload = {
        "id": event.id,
        "type": kind,
        "title": title,
        "message": message,
        "timestamp": event.timestamp,
        "priority": priority,
        "agentId": event.agent_id,
        "data": data,
    }
    given: dict[str, Any] = event.data.get("notification", {})
    return payload | given


def _trade(event: Event) -> tuple[str, _Parts]:
    data = event.data
    action, token = _upper(data, "side", "action"), _text(data, "token", "marketQuestion", "market")
    amount, price = _number(data, "amount"), _number(data, "price")
    shown = {"tradeId": _text(data, "id", "tradeId"), "action": action, "token": token, "amount": amount, "price": price}
    if data.get("profitLoss") is not None:
        shown["profitLoss"] = data["profitLoss"]
    message = f"{action} {amount:.4f} {token} @ ${price:.4f}"
    return "trade", (f"Trade Executed: {action} {token}", message, shown, "high")


def _decision(event: Event) -> tuple[str, _Parts]:
    data = event.data
    action, token = _upper(data, "side", "action"), _text(data, "marketQuestion", "market", "token")
    confidence, reasoning = _number(data, "confidence"), _text(data, "reasoning")
    shown = {"token": token, "action": action, "confidence": confidence, "reasoning": reasoning}
    message = f"{reasoning} ({confidence * 100:.1f}% confident)"
    return "ai-decision", (f"AI Decision: {action} {token}", message, shown, "low" if action == "HOLD" else "medium")


def _opportunity(event: Event) -> tuple[str, _Parts]:
    data = event.data
    percent = _number(data, "profitPercent")
    message = f"{_text(data, 'description')} - {percent:.2f}% profit"
    shown = _only(data, "opportunityId", "source", "description", "profitPercent", "confidence")
    return "opportunity", (f"New Opportunity: {_text(data, 'source')}", message, shown, "high" if percent > 5 else "medium")


def _telegram(event: Event) -> tuple[str, _Parts]:
    data = event.data
    failed = data.get("status") == "failed"
    title = "Telegram Message Failed" if failed else "Telegram Message Sent"
    shown = _only(data, "messageId", "message", "status", "chatId")
    return "telegram", (title, _text(data, "message"), shown, "high" if failed else "low")


def _crosschain(event: Event) -> tuple[str, _Parts]:
    data = event.data
    percent, net = _number(data, "profitPercent"), _number(data, "netProfit")
    way = f"{_text(data, 'sourceChain')} → {_text(data, 'targetChain')}"
    shown = _only(data, "tokenSymbol", "sourceChain", "targetChain", "profitPercent", "netProfit")
    title = f"Cross-Chain Arbitrage: {_text(data, 'tokenSymbol')}"
    return "crosschain", (title, f"{way}: +{percent:.2f}% (${net:.2f})", shown, "high" if percent > 2 else "medium")


def _error(event: Event) -> tuple[str, _Parts]:
    data = event.data
    message = _text(data, "message", "error", "reason") or "An error was reported"
    return "error", ("Error", message, _only(data, "code", "details"), "high")


def _agent(event: Event) -> tuple[str, _Parts]:
    data = event.data
    state, change = data.get("state", ""), data.get("change", "state")
    who = "Polymarket trading agent" + ("" if event.agent_id == "default" else f" {event.agent_id}")
    title, sentence = _AGENT_NEWS.get(change) or _AGENT_NEWS.get(state) or ("Agent", "{who} is " + str(state))
    message = sentence.format(who=who)
    if data.get("reason") and state not in ("running", "stopped"):
        message += f": {data['reason']}"
    failed = change == "state" and state in ("backing_off", "quarantined")
    shown = {"agentId": event.agent_id} | _only(data, "change", "state", "reason", "incarnation", "lastError")
    return "error" if failed else "info", (title, message, shown, "high" if failed else "low")


def _risk(event: Event) -> tuple[str, _Parts]:
    data = event.data
    if data.get("kind") == "kill_switch":
        on = bool(data.get("on"))
        title = "Kill Switch On" if on else "Kill Switch Off"
        message = f"All trading is stopped: {_text(data, 'reason')}" if on else "Trading is allowed again"
        return "info", (title, message, data, "high")
    blocked = _text(data, "blocked")
    message = _text(data, "message", "reason") or (f"Blocked: {blocked}" if blocked else "No longer blocked")
    who = event.agent_id or _text(data, "scope") or "fleet"
    return "info", (f"Risk: {who}", message, data, "high" if blocked or data.get("kind") == "stop" else "medium")


def _resolution(event: Event) -> tuple[str, _Parts]:
    data = event.data
    title = "Position Redeemed" if "redeemed" in data else "Market Resolved"
    message = f"{_text(data, 'marketQuestion')}: {_text(data, 'outcome')}"
    return "info", (title, message, data, "medium" if "redeemed" in data else "low")


def _info(event: Event) -> tuple[str, _Parts]:
    data = event.data
    if data.get("kind") == "service":
        message = f"{_text(data, 'name')} is {_text(data, 'state')}"
        return "info", ("Service", message, data, "low" if data.get("state") == "running" else "medium")
    shown = {name: value for name, value in data.items() if name != "notification"}
    return "info", ("Info", _text(data, "message", "reason", "kind"), shown, "low")


_MAKERS: dict[Type, Callable[[Event], tuple[str, _Parts]]] = {
    Type.TRADE: _trade,
    Type.DECISION: _decision,
    Type.OPPORTUNITY: _opportunity,
    Type.TELEGRAM: _telegram,
    Type.CROSSCHAIN: _crosschain,
    Type.ERROR: _error,
    Type.AGENT: _agent,
    Type.RISK: _risk,
    Type.RESOLUTION: _resolution,
    Type.INFO: _info,
}

#: The types of event that make a notification.
NOTIFYING = frozenset(_MAKERS)


def _text(data: dict[str, Any], *names: str) -> str:
    return next((str(data[name]) for name in names if data.get(name) not in (None, "")), "")


def _upper(data: dict[str, Any], *names: str) -> str:
    return _text(data, *names).upper()


def _number(data: dict[str, Any], name: str) -> float:
    value = data.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _only(data: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: data[name] for name in names if name in data}

"""An event as a line for people, as `polyfleet events` shows it."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any


def clock(timestamp: int) -> str:
    """Return the time of day here at epoch milliseconds."""
    return datetime.fromtimestamp(timestamp / 1000).astimezone().strftime("%H:%M:%S")


def event_line(event: Mapping[str, Any]) -> str:
    """Return an event as one line."""
    who = event["agentId"] or event["source"]
    return f"{event['seq']:>7} {clock(event['timestamp'])} {event['type']:<10} {who:<24} {_summary(event)}"


def _summary(event: Mapping[str, Any]) -> str:
    data = event["data"]
    match event["type"]:
        case "decision":
            return f"{data['action']} {data['outcome']} @ {data['price']:g} {data['market']}: {data['reasoning']}"
        case "trade" if "size" in data:
            return f"{data['action']} {data['size']} {data['outcome']} @ {data['exactPrice']} {data['market']}"
        case "order":
            why = f" ({data['reason']})" if data.get("reason") else ""
            filled = f"{data['filled']}/{data['size']} @ {data['price']}"
            return f"{data['status']} {data['side']} {filled} {data['marketQuestion']}{why}"
        case "forecast":
            return _forecast(data)
        case "agent":
            return f"{data['state']}: {data['reason']}"
        case "audit":
            return f"{data['by']} {data['method']} {data['path']}: {data['status']}"
        case "equity":
            return f"{data['total']['equity']} pUSD, of it {data['total']['profit']} profit"
        case "resolution":
            return f"{data['outcome']} {data['marketQuestion']}" + (" (redeemed)" if "redeemed" in data else "")
    return str(data.get("message") or data.get("reason") or json.dumps(data))


def _forecast(data: dict[str, Any]) -> str:
    match data.get("kind"):
        case "begun":
            return f"begins one that {data['agentId']} asked for, for at most {data['usd']} USD"
        case "samples":
            return (
                f"{len(data['samples'])} answers from {len(data['evidence'])} documents for {data['usd']} USD: {data['market']}"
            )
    said = f"{data['outcome']} {data['pooled']:.1%}, the price {data['marketPrice']:.1%}, together {data['blended']:.1%}"
    return f"{said}: {data['market']}: {data['reasoning']}"

"""An agent's recent past, as its page shows it: bounded, read once and then kept up by the events of the log."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from agents.events import Event, Type
from supervisor.dashboard.live import Live

#: Rows of a list that are kept on a page.
KEPT = 50


class Recent:
    """The newest entries of one kind by key, the newest first; an entry that comes again takes the place of the old one."""

    def __init__(self, size: int = KEPT) -> None:
        self._size = size
        self._items: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def add(self, key: str, item: dict[str, Any]) -> None:
        """Add an entry or bring one up to date."""
        if key in self._items:
            self._items[key] = self._items[key] | item
            return
        self._items[key] = item
        if len(self._items) > self._size:
            self._items.popitem(last=False)

    def __iter__(self) -> Any:
        return reversed(self._items.items())


def evidence_of(forecast: dict[str, Any] | None) -> str:
    """Return what a forecast was made from, as plain text."""
    if not forecast:
        return ""
    lines = [str(forecast["reasoning"])] if forecast.get("reasoning") else []
    for found in forecast.get("evidence") or ():
        if isinstance(found, dict):
            source = " · ".join(str(found[name]) for name in ("source", "title") if found.get(name))
            lines.append(f"{source}\n{found.get('summary', '')}\n{found.get('url', '')}".strip())
        else:
            lines.append(str(found))
    return "\n\n".join(lines)


class Histories:
    """An agent's recent past: read once, then kept up by the events of the log."""

    def __init__(self, agent_id: str) -> None:
        self._agent_id = agent_id
        self.decisions, self.orders, self.forecasts = Recent(), Recent(), Recent()
        self.version = 0
        self._by_market: dict[str, dict[str, Any]] = {}

    async def recall(self, live: Live) -> None:
        """Hear what comes, then read what was."""
        waiting: list[Event] = []
        hear: Callable[[Event], None] = waiting.append
        live.hear(lambda event: hear(event))
        ledger = live.desk.context.ledger
        kinds = ("decisions", "orders", "forecasts")
        pages = await asyncio.gather(*(ledger.history(kind, self._agent_id, limit=KEPT) for kind in kinds))
        for kind, page in zip((Type.DECISION, Type.ORDER, Type.FORECAST), pages, strict=True):
            for item in reversed(page.items):
                self._add(kind, item)
        for event in waiting:
            self.take(event)
        hear = self.take

    def take(self, event: Event) -> None:
        """Take an event of the log."""
        if event.agent_id == self._agent_id and event.type in (Type.DECISION, Type.ORDER, Type.FORECAST):
            self._add(event.type, {"timestamp": event.timestamp} | event.data | {"seq": event.seq})

    def evidence(self, decision: dict[str, Any]) -> str:
        """Return what the latest forecast of a decision's market was made from."""
        return evidence_of(self._by_market.get(decision.get("conditionId") or ""))

    def _add(self, kind: Type, item: dict[str, Any]) -> None:
        self.version += 1
        if kind is Type.DECISION:
            self.decisions.add(str(item["seq"]), item)
        elif kind is Type.ORDER:
            self.orders.add(str(item.get("orderId") or item["seq"]), item)
        elif "blended" in item:
            self.forecasts.add(str(item["seq"]), item)
            self._by_market.pop(item.get("conditionId", ""), None)
            self._by_market[item.get("conditionId", "")] = item
            while len(self._by_market) > KEPT:
                self._by_market.pop(next(iter(self._by_market)))

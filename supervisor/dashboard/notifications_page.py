"""The notification centre: what happened, filtered by type, agent and level, and what of it was seen."""

from typing import Any

from nicegui import ui

from supervisor.dashboard.live import Live
from supervisor.dashboard.live_table import LiveTable, Row, column

#: Rows on the page.
_SHOWN = 100

_ALL = "all"
_LEVELS = ("high", "medium", "low")
_TYPES = ("trade", "ai-decision", "opportunity", "telegram", "crosschain", "error", "info", "success")


async def notifications_page(live: Live) -> None:
    """Build the page."""
    watch = live.desk.watch
    columns = (
        column("time", "Time", "time"),
        column("level", "Level", "state"),
        column("type", "Type", "state"),
        column("agent", "Agent", "link"),
        column("note", "Notification", "long"),
        column("actions", "Seen", "actions"),
    )
    agents = sorted(live.desk.context.state.agents)
    with ui.element("div").classes("pf-filters"):
        kind = (
            ui.select([_ALL, *_TYPES], value=_ALL, label="Type").props("outlined dense options-dense").style("min-width: 130px")
        )
        agent = (
            ui.select([_ALL, *agents], value=_ALL, label="Agent")
            .props("outlined dense options-dense")
            .style("min-width: 160px")
        )
        level = (
            ui.select([_ALL, *_LEVELS], value=_ALL, label="Level")
            .props("outlined dense options-dense")
            .style("min-width: 110px")
        )
        unseen = ui.switch("Only unseen", value=False)

        async def acknowledge_all() -> None:
            await watch.acknowledge(*(note["id"] for note in chosen()))
            await live.refresh()

        ui.button("Acknowledge all shown", on_click=acknowledge_all).props("outline dense")

    async def act(action: str, key: str) -> None:
        await watch.acknowledge(key)
        await live.refresh()

    with ui.element("section").classes("pf-panel pf-flush").props('aria-label="Notifications"'):
        table = LiveTable("Notifications", columns, empty="Nothing of that kind has happened.", on_action=act)

    def chosen() -> list[dict[str, Any]]:
        found = (
            note
            for note in watch.notes
            if kind.value in (_ALL, note["type"])
            and agent.value in (_ALL, note["agentId"])
            and level.value in (_ALL, note["priority"])
            and not (unseen.value and note["id"] in watch.acknowledged)
        )
        return [note for note, _ in zip(found, range(_SHOWN), strict=False)]

    def refresh() -> None:
        table.put([_row(note, note["id"] in watch.acknowledged) for note in chosen()])

    for choice in (kind, agent, level, unseen):
        choice.on_value_change(refresh)
    await live.show(refresh)


def _row(note: dict[str, Any], seen: bool) -> Row:
    agent = note.get("agentId")
    return {
        "key": note["id"],
        "label": str(note["title"])[:80],
        "time": note["timestamp"],
        "level": note["priority"],
        "type": note["type"],
        "agent": {"text": agent, "to": f"/agent/{agent}"} if agent else "",
        "note": {"text": str(note["title"])[:300], "sub": str(note["message"])[:600]},
        "actions": [{"name": "acknowledge", "on": not seen}],
        "tone": "pf-seen" if seen else "",
    }

"""Settings: those of the user interface, and Telegram's, both through the REST routes that other clients use."""

from typing import Any

from nicegui import ui

from supervisor.dashboard.live import Live, panel
from supervisor.dashboard.rest import Refused


async def settings_page(live: Live) -> None:
    """Build the page."""
    with panel("Settings of the user interface"):
        await _settings(live)
    with panel("Telegram"):
        await _telegram(live)


async def _settings(live: Live) -> None:
    stored: dict[str, Any] = await live.desk.rest.call("GET", "/api/settings")
    inputs: dict[tuple[str, ...], Any] = {}
    ui.label("They are what GET /api/settings returns, for this and other user interfaces.").classes("pf-muted")
    with ui.element("div").classes("pf-form").style("margin: 10px 0"):
        for path, value in _leaves(stored):
            name = " · ".join(path)
            if isinstance(value, bool):
                inputs[path] = ui.switch(name, value=value)
            elif isinstance(value, int | float):
                inputs[path] = ui.number(name, value=value).props("outlined dense step=any")
            else:
                inputs[path] = ui.input(name, value=str(value)).props("outlined dense")

    async def save() -> None:
        changed: dict[str, Any] = {name: value for name, value in stored.items() if name != "updatedAt"}
        for path, field in inputs.items():
            changed = _with(changed, path, field.value)
        await live.rest("POST", "/api/settings", changed, "Settings are saved")

    ui.button("Save settings", on_click=save).props("dense")


def _leaves(settings: dict[str, Any], *path: str) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, value in settings.items():
        if isinstance(value, dict):
            found += _leaves(value, *path, name)
        elif (isinstance(value, str | bool | int | float)) and name != "updatedAt":
            found.append(((*path, name), value))
    return found


def _with(settings: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    name, *rest = path
    return settings | {name: _with(settings.get(name, {}), tuple(rest), value) if rest else value}


async def _telegram(live: Live) -> None:
    try:
        config: dict[str, Any] = await live.desk.rest.call("GET", "/api/telegram/config")
    except Refused as error:
        ui.label(f"Telegram cannot be set up here: {error}").classes("pf-muted")
        return
    enabled = ui.switch("Send alerts", value=bool(config.get("enabled")))
    with ui.element("div").classes("pf-form").style("margin: 10px 0"):
        # The token is never sent to the browser: '***' stands for the stored one, and posting it keeps that.
        token = ui.input("Bot token", value=config.get("botToken", "")).props(
            'outlined dense type="password" autocomplete="off"'
        )
        chat = ui.input("Chat id", value=str(config.get("chatId", ""))).props("outlined dense")
        notifications = {
            name: ui.switch(name, value=bool(value)) for name, value in (config.get("notifications") or {}).items()
        }
        filters = {
            name: ui.number(name, value=value).props("outlined dense step=any")
            for name, value in (config.get("filters") or {}).items()
            if isinstance(value, int | float)
        }

    async def save() -> None:
        body = {
            "enabled": enabled.value,
            "botToken": token.value or "",
            "chatId": chat.value or "",
            "notifications": {name: field.value for name, field in notifications.items()},
            "filters": {name: field.value for name, field in filters.items()},
        }
        await live.rest("POST", "/api/telegram/config", body, "Telegram is set up")

    async def test() -> None:
        await live.rest("POST", "/api/telegram/send", {"message": "A test from the dashboard"}, "Sent; look into the chat")

    with ui.element("div").classes("pf-row"):
        ui.button("Save Telegram", on_click=save).props("dense")
        ui.button("Send a test message", on_click=test).props("outline dense")

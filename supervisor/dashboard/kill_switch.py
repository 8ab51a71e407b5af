"""The kill switch: thrown behind a typed confirmation, shown on every page while it is on, lifted from there."""

from nicegui import ui

from agents.fleet import FleetState
from supervisor.dashboard.live import Live, put, shown

#: What an operator types to stop all trading.
_WORD = "STOP"


def kill_switch_button(live: Live) -> None:
    """Offer the kill switch."""
    ui.button("Kill switch", icon="dangerous", on_click=lambda: _ask(live)).props(
        "outline dense color=negative aria-haspopup=dialog"
    )


def _ask(live: Live) -> None:
    """Ask for the word; the dialog is made when it is wanted, and gone when it is closed."""
    with ui.dialog(value=True) as dialog, ui.card():
        dialog.on("hide", dialog.delete)
        with ui.element("h2"):
            ui.label("Stop all trading")
        ui.label("Every order of every agent is cancelled and none is placed until you lift it. What is held stays held.")
        flatten = ui.checkbox("Sell out too: all that agents hold, at the best bids and at most a tenth below them")
        reason = (
            ui.input("Reason, for the log", value="by an operator").props("outlined dense maxlength=500").style("width: 100%")
        )
        word = ui.input(f"Type {_WORD} to confirm").props('outlined dense autofocus autocomplete="off"').style("width: 100%")

        async def throw() -> None:
            if word.value != _WORD:
                word.error = f"Type {_WORD}, in capital letters"
                return
            body = {"reason": reason.value or "by an operator", "flatten": bool(flatten.value)}
            if await live.rest("POST", "/api/fleet/kill-switch", body, "All trading is stopped"):
                dialog.close()

        with ui.element("div").classes("pf-row"):
            stop = ui.button("Stop all trading", on_click=throw).props("color=negative")
            stop.bind_enabled_from(word, "value", lambda typed: typed == _WORD)
            ui.button("Cancel", on_click=dialog.close).props("flat")
        word.on("keydown.enter", throw)


def _selling(state: FleetState) -> str:
    """Return what selling out has come to so far, as the end of a sentence."""
    if not state.flattening:
        return ""
    left = [each for sell_out in state.sell_outs.values() for each in sell_out.left]
    if not state.sell_outs:
        return ". What agents hold is being sold"
    if not left:
        return ". Everything is sold"
    reasons = "; ".join(dict.fromkeys(each.reason for each in left))
    return f". Not sold yet: {len(left)} positions ({reasons})"


async def halt_banner(live: Live) -> None:
    """Say that trading is stopped and why, and offer to lift that."""
    context = live.desk.context
    with ui.element("div").classes("pf-alert").props('role="alert"') as banner:
        label = ui.label("")

        async def lift() -> None:
            await live.rest("DELETE", "/api/fleet/kill-switch", done="Trading is allowed again")

        ui.button("Lift it", on_click=lift).props("outline dense color=negative")

    def refresh() -> None:
        state = context.follower.state
        halted = state.halted if state else None
        shown(banner, halted is not None)
        put(label, f"All trading is stopped: {halted}{_selling(state)}" if state and halted is not None else "")

    await live.show(refresh)

"""What is around every page: navigation, the mode, troubles, theme, kill switch."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from fastapi import Request
from nicegui import Client, ui

from supervisor.api.approval_views import approvals
from supervisor.dashboard.app import PREFIX, Desk
from supervisor.dashboard.kill_switch import halt_banner, kill_switch_button
from supervisor.dashboard.live import Live, link, put, shown

_PAGES = (
    ("Fleet", "/"),
    ("Markets", "/markets"),
    ("Portfolio", "/portfolio"),
    ("Risk", "/risk"),
    ("Approvals", "/approvals"),
    ("Notifications", "/notifications"),
    ("Settings", "/settings"),
)

_MODES = {
    "sandbox": ("Sandbox", "Simulated venue, markets and money: a profit here says nothing about real markets."),
    "paper": ("Paper", "Real prices, simulated fills: no order leaves this machine."),
    "live": ("LIVE", "Real orders with real money."),
}

Client.shared_head_html += f"<style>{Path(__file__).with_name('style.css').read_text()}</style>"

#: The cookie that remembers the theme: "dark" or "light"; without it the system's counts.
_THEME = "polyfleet_theme"


async def frame(request: Request, title: str, heading: str, build: Callable[[Live], Awaitable[None]]) -> None:
    """Build a page around its content, and keep it up to date from then on."""
    desk: Desk = request.scope["polyfleet"]
    client = ui.context.client
    client.title = f"{title} · polyfleet"
    live = Live(desk, client)
    with ui.element("a").props('href="#main"').classes("pf-skip"):
        ui.label("Skip to the content")
    with ui.element("header").classes("pf-head"):
        link("polyfleet", "/").classes("pf-brand")
        with ui.element("nav").props('aria-label="Main"'):
            await _navigation(live, title)
        with ui.element("div").classes("pf-tools"):
            kill_switch_button(live)
            _theme(request)
            if desk.guarded:
                with ui.element("form").props(f'method="post" action="{PREFIX}/logout"'):
                    ui.button("Log out").props('flat dense type="submit"')
    name, sentence = _MODES.get(desk.context.mode, (desk.context.mode, ""))
    with ui.element("div").classes(f"pf-mode pf-{desk.context.mode}").props('role="note" aria-label="Mode"'):
        with ui.element("b"):
            ui.label(name).style("display: inline")
        ui.label(sentence).style("display: inline")
    await halt_banner(live)
    await _trouble(live)
    # Quasar makes a `main` of everything; the part that is the page's own is the landmark.
    client.page_container.default_slot.children[0].props('role="none"')
    with ui.element("main").classes("pf-main").props('id="main" tabindex="-1"'):
        with ui.element("h1"):
            ui.label(heading)
        await (_loading(live) if desk.context.follower.state is None else build(live))
    live.start()


async def _navigation(live: Live, title: str) -> None:
    for name, path in _PAGES:
        entry = link(name, path)
        if name == title:
            entry.props('aria-current="page"')
        with entry:
            if name == "Notifications":
                count = ui.label("").classes("pf-count").props('aria-label="important and not seen"')
                await live.show(partial(_count, live, count))
            elif name == "Approvals":
                waiting = ui.label("").classes("pf-waiting").props('aria-label="waiting for a person"')
                await live.show(partial(_count_waiting, live, waiting))


def _count(live: Live, label: ui.label) -> None:
    put(label, str(live.desk.watch.unseen or ""))


def _count_waiting(live: Live, label: ui.label) -> None:
    state = live.desk.context.follower.state
    put(label, str(len(approvals(state)) or "") if state else "")


def _theme(request: Request) -> None:
    chosen = request.cookies.get(_THEME)
    mode = ui.dark_mode(chosen == "dark") if chosen in ("dark", "light") else None

    def toggle() -> None:
        ui.run_javascript(
            "const dark = !Quasar.Dark.isActive; Quasar.Dark.set(dark); "
            f"document.cookie = `{_THEME}=${{dark ? 'dark' : 'light'}}; path={PREFIX}; max-age=31536000; samesite=strict`"
        )
        if mode:
            mode.delete()

    ui.button(icon="contrast", on_click=toggle).props('flat dense round aria-label="Dark or light"')


async def _trouble(live: Live) -> None:
    watch = live.desk.watch
    with ui.element("div").classes("pf-alert").props('role="status"') as banner:
        label = ui.label("")

    def refresh() -> None:
        shown(banner, watch.trouble is not None)
        put(label, f"The log cannot be read now ({watch.trouble}). What you see is older; it goes on by itself.")

    await live.show(refresh)


async def _loading(live: Live) -> None:
    with ui.element("div").classes("pf-row").props('role="status"'):
        ui.spinner()
        ui.label("The log is being read; the page comes by itself.")

    def refresh() -> None:
        if live.desk.context.follower.state is not None:
            ui.navigate.reload()

    await live.show(refresh)

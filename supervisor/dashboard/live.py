"""Keeps an open page up to date: it waits for news, lets a little of it gather, and has each part of the page look again."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from nicegui import Client, background_tasks, ui

from agents.errors import PolyfleetError
from agents.events import Event
from supervisor.dashboard.app import PREFIX, Desk
from supervisor.dashboard.rest import Refused

log = logging.getLogger(__name__)

#: Seconds between updates of a page at least, and at most: some of what it shows is in no event, such as prices.
_PAUSE = 0.4
_TICK = 2.0

#: Looks at the state and changes what it shows; it must change only what differs.
Refresh = Callable[[], Awaitable[None] | None]


class Live:
    """One open page. Parts of it register with `show`; they are refreshed together, a few times a second at most."""

    def __init__(self, desk: Desk, client: Client) -> None:
        self.desk = desk
        self._client = client
        self._parts: list[Refresh] = []
        self._subscriptions = ExitStack()
        client.on_delete(self._subscriptions.close)

    async def show(self, refresh: Refresh) -> None:
        """Refresh a part now, and from now on."""
        await self._refresh(refresh)
        self._parts.append(refresh)

    def later(self, refresh: Refresh) -> None:
        """Refresh a part from when the page is open on: what may take long."""
        self._parts.append(refresh)

    def hear(self, listener: Callable[[Event], None]) -> None:
        """Hand every event to a listener for as long as the page is open."""
        self._subscriptions.enter_context(self.desk.watch.heard(listener))

    def start(self) -> None:
        """Begin; it ends with the page."""
        background_tasks.create(self._run(), name=f"page {self._client.id}")

    async def rest(self, method: str, path: str, body: Any = None, done: str = "") -> Any | None:
        """Do something through REST, show its effect, and say what was done or what is wrong; None if it was refused."""
        try:
            answer = await self.desk.rest.call(method, path, body)
        except Refused as error:
            ui.notify(str(error), type="negative", timeout=8000, close_button="Dismiss")
            return None
        if done:
            ui.notify(done, type="positive")
        await self.refresh()
        return answer

    async def refresh(self) -> None:
        """Refresh every part now."""
        for part in self._parts:
            await self._refresh(part)

    async def _run(self) -> None:
        await self._client.connected()
        watch, follower = self.desk.watch, self.desk.context.follower
        while not self._client.is_deleted:
            if self._client.has_socket_connection:
                with self._client:
                    await self.refresh()
            seen = watch.version
            await asyncio.sleep(_PAUSE)
            if watch.version == seen:
                # Wait, not sleep: what happens now is shown now.
                change = asyncio.ensure_future(follower.changed())
                await asyncio.wait([change], timeout=_TICK - _PAUSE)
                change.cancel()

    async def _refresh(self, part: Refresh) -> None:
        try:
            found = part()
            if inspect.isawaitable(found):
                await found
        except PolyfleetError as error:
            log.info("a part of a page could not be refreshed: %s", error)
        except Exception:
            log.exception("a part of a page could not be refreshed")


def put(label: ui.label, text: str) -> None:
    """Set a text, if it is another one."""
    if label.text != text:
        label.set_text(text)


def link(text: str, path: str) -> ui.element:
    """Make a link to a page; a plain one, which needs no component of its own to be loaded."""
    made = ui.element("a").props(f'href="{PREFIX}{path}"')
    if text:
        with made:
            ui.label(text).style("display: inline")
    return made


def shown(element: ui.element, visible: bool) -> None:
    """Show or hide an element, if it is not so already."""
    if element.visible != visible:
        element.set_visibility(visible)


@contextmanager
def panel(title: str, classes: str = "") -> Iterator[None]:
    """Make a part of a page with a heading; what is made inside goes into it."""
    with ui.element("section").classes(f"pf-panel {classes}"):
        with ui.element("h2"):
            ui.label(title)
        yield

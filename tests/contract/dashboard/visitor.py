"""Somebody with a browser who looks at the dashboard, and at the browser's own log."""

from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

#: Milliseconds within which an action shows its effect, on a machine that does a lot besides; the bench measures the time.
SOON = 10_000

#: Milliseconds for a page to come, on a busy machine.
PATIENCE = 20_000

expect.set_options(timeout=SOON)


class Visitor:
    """One tab. `leave` fails if the page has logged an error or has asked another host for something."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.troubles: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.troubles.append(f"{error}"))
        self.page.on("request", self._request)

    def go(self, path: str = "") -> None:
        """Open a page and wait until it is alive."""
        self.page.goto(self.url + path)
        expect(self.page.locator("#main h1")).to_be_visible(timeout=PATIENCE)
        self.page.wait_for_function("window.socket && window.socket.connected")

    def row(self, key: str, table: str = "Agents") -> Locator:
        """Return a row of a table."""
        return self.page.get_by_role("table", name=table).locator(f'tr[data-key="{key}"]')

    def press(self, name: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def leave(self) -> None:
        """Close the tab."""
        self.context.close()
        assert self.troubles == []
        origin = self.url.removesuffix("/dashboard/")
        strange = [url for url in self.requests if not url.startswith((origin, origin.replace("http", "ws", 1), "data:"))]
        assert self.requests
        assert strange == []

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(message.text)

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)

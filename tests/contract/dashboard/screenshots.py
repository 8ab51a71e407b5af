"""Writes the README's pictures into docs/: `python -m tests.contract.dashboard.screenshots [URL]`.

With the URL of a running fleet's dashboard they show that fleet, without one the tests' stand-ins.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.chromium import chromium
from tests.contract.dashboard.served import Loop, served

DOCS = Path(__file__).parents[3] / "docs"

#: Milliseconds for a page to have all that it shows, charts included.
_SETTLE = 3000


@contextmanager
def _example() -> Iterator[str]:
    loop = Loop()
    with tempfile.TemporaryDirectory() as folder, served(loop, Path(folder)) as dashboard:
        loop.run(dashboard.fill(20, 12))
        for action, agent_id in (("pause", "agent-04"), ("stop", "agent-11"), ("kill", "agent-07")):
            supervisor = dashboard.stand.supervisor
            loop.run(supervisor.kill(agent_id) if action == "kill" else supervisor.control(agent_id, action))
        yield dashboard.url
    loop.stop()


def main(url: str | None = None) -> None:
    """Take the pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        if url:
            _take(browser, url)
        else:
            with _example() as example:
                _take(browser, example)
        browser.close()


def _take(browser: Browser, url: str) -> None:
    wide, narrow = {"width": 1280, "height": 760}, {"width": 390, "height": 760}
    for name, path, size, scheme in (
        ("fleet", "", wide, "light"),
        ("agent", "agent/agent-03", wide, "dark"),
        ("phone", "", narrow, "light"),
    ):
        page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(f"{url.rstrip('/')}/{path}")
        page.wait_for_timeout(_SETTLE)
        page.screenshot(path=DOCS / f"dashboard-{name}.png")
        page.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

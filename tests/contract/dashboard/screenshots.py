"""Takes the pictures of README from a fleet that runs: `python -m tests.contract.dashboard.screenshots URL AGENT`."""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.chromium import chromium

DOCS = Path(__file__).parents[3] / "docs"

#: Milliseconds for a page to show what it was sent.
_SETTLE = 4000


def main(url: str, agent_id: str) -> None:
    """Take the pictures."""
    wide, narrow = {"width": 1280, "height": 760}, {"width": 390, "height": 760}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for name, path, size, scheme in (
            ("fleet", "", wide, "light"),
            ("agent", f"agent/{agent_id}", wide, "dark"),
            ("phone", "", narrow, "light"),
        ):
            page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(f"{url.rstrip('/')}/dashboard/{path}")
            page.wait_for_timeout(_SETTLE)
            page.screenshot(path=DOCS / f"dashboard-{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

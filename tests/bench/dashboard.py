"""The first paint of the dashboard against that of an empty NiceGUI page in the same Serve, and how soon an action shows."""

import shutil
import time
from statistics import median
from typing import Any

from playwright.sync_api import Browser, expect, sync_playwright
from ray import serve

from tests.bench.figures import compare, ratio_of, show

ROUNDS = 8
ACTIONS = 4

#: Milliseconds from the navigation to the first contentful paint, once there is one.
_PAINT = """new Promise(done => new PerformanceObserver(list => {
    const paint = list.getEntriesByName("first-contentful-paint")[0];
    if (paint) done(paint.startTime);
}).observe({type: "paint", buffered: true}))"""


@serve.ingress()
class EmptyPage:
    """NiceGUI as it comes, with one word."""

    def __serve_build_asgi_app__(self) -> Any:
        """Return the application, in the replica."""
        return empty_page("/empty_page")


def empty_page(prefix: str) -> Any:
    """Return an application whose one page, below the prefix, is all but empty."""
    from fastapi import FastAPI
    from nicegui import ui

    app = FastAPI()

    @ui.page("/")
    def page() -> None:
        ui.label("empty")

    ui.run_with(app, show_welcome_message=False)

    async def prefixed(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": prefix} if scope["type"] != "lifespan" else scope, receive, send)

    return prefixed


def dashboard(url: str) -> None:
    """Deploy the empty page beside the fleet's own and open both in turns."""
    found = shutil.which("chromium")
    if found is None:
        print("dashboard: left out, there is no chromium")
        return
    deployment = serve.deployment(num_replicas=1, max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0})
    serve.run(deployment(EmptyPage).bind(), name="empty_page", route_prefix="/empty_page")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        first_paint(browser, f"{url}/dashboard/", f"{url}/empty_page/")
        action(browser, f"{url}/dashboard/")
        browser.close()


def first_paint(browser: Browser, ours: str, empty: str) -> None:
    """Time both pages in turns, each time with an empty cache."""
    paints: dict[str, list[float]] = {ours: [], empty: []}
    for number in range(ROUNDS + 1):
        for address in (empty, ours):
            taken = _paint(browser, address)
            if number:  # The first round warms the servers up.
                paints[address].append(taken)
    compare(
        ("first paint of the dashboard, 20 agents", median(paints[ours])),
        ("first paint of an empty NiceGUI page", median(paints[empty])),
        *("ms", ratio_of(paints[ours], paints[empty]), "< 1.5"),
    )


def _paint(browser: Browser, address: str) -> float:
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    taken = float(page.evaluate(_PAINT))
    context.close()
    return taken


def action(browser: Browser, address: str) -> None:
    """Pause and resume an agent, and time each from the click to the state that it shows."""
    page = browser.new_page()
    page.goto(address)
    row = page.locator('tr[data-key="default"]')
    taken = []
    for _ in range(ACTIONS):
        for name, state in (("pause", "paused"), ("resume", "running")):
            button = row.get_by_role("button", name=f"{name} default")
            expect(button).to_be_enabled(timeout=30_000)
            began = time.perf_counter()
            button.click()
            expect(row.locator(".pf-badge")).to_have_text(state, timeout=30_000)
            taken.append((time.perf_counter() - began) * 1000)
    show("an action shows its effect", median(taken), "ms", "(goal <= 1000)")
    page.close()

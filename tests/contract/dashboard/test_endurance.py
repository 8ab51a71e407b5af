"""A page that is left open: it outlives outages, catches up by itself, and does not grow."""

import asyncio
import os
import re
from pathlib import Path

from playwright.sync_api import CDPSession, expect

from agents.errors import Unavailable
from agents.events import Type
from tests.contract.dashboard.served import Dashboard
from tests.contract.dashboard.visitor import PATIENCE, SOON, Visitor

#: Seconds for which a page is watched, after some in which its lists fill up.
_SECONDS = 60
_WARM_UP = 10


def test_a_page_comes_back_by_itself_after_an_outage(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go()
    dashboard.run(dashboard.hang_up())
    expect(visitor.page.get_by_text("Connection lost")).to_be_visible(timeout=PATIENCE)
    dashboard.run(dashboard.trade(dashboard.agents["default"], outcome="Meanwhile"))
    dashboard.run(dashboard.listen())
    expect(visitor.row("default")).to_contain_text("Meanwhile", timeout=30_000)
    expect(visitor.page.get_by_text("Connection lost")).to_be_hidden()
    dashboard.run(dashboard.trade(dashboard.agents["default"], outcome="Afterwards"))
    expect(visitor.row("default")).to_contain_text("Afterwards", timeout=SOON)
    visitor.troubles.clear()  # the browser logs the connections that were refused


def test_a_log_that_is_away_is_said_and_forgotten(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go()
    head = dashboard.ledger.head

    async def away() -> int:
        raise Unavailable("ledger is not running now")

    dashboard.ledger.head = away  # type: ignore[method-assign]
    banner = visitor.page.get_by_text("The log cannot be read now (ledger is not running now)")
    expect(banner).to_be_visible(timeout=SOON)
    expect(visitor.row("default")).to_be_visible()
    dashboard.ledger.head = head  # type: ignore[method-assign]
    expect(banner).to_be_hidden(timeout=SOON)


def test_a_dashboard_that_was_restarted_remembers(dashboard: Dashboard, visitor: Visitor) -> None:
    dashboard.run(dashboard.agents["default"].log(Type.ERROR, message="long ago"))
    dashboard.run(dashboard.settled())
    dashboard.run(dashboard.close())
    dashboard.run(dashboard.open())
    visitor.go()
    row = visitor.row("default")
    expect(row).to_contain_text(re.compile("(BUY|SELL) Yes @"), timeout=SOON)
    expect(row.locator("polyline")).to_have_attribute("points", re.compile(r"\d"), timeout=SOON)
    visitor.go("notifications")
    expect(visitor.page.get_by_text("long ago")).to_be_visible(timeout=SOON)


def test_a_page_does_not_grow(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go("agent/agent-03")
    cdp = visitor.context.new_cdp_session(visitor.page)
    cdp.send("HeapProfiler.enable")
    nodes, heap = [], []
    for second in range(_WARM_UP + _SECONDS):
        for _ in range(20):
            dashboard.run(dashboard.trade(dashboard.agents["agent-03"]))
        visitor.page.wait_for_timeout(200)
        if second in (_WARM_UP, _WARM_UP + _SECONDS - 1):
            found = _measured(cdp, visitor)
            nodes.append(found["nodes"])
            heap.append(found["jsHeapSizeUsed"])
    decisions = visitor.page.get_by_role("table", name="Decisions").locator("tbody tr")
    assert decisions.count() == 50
    assert len(dashboard.watch.notes) == 500
    assert nodes[1] < nodes[0] * 1.05
    assert heap[1] < heap[0] * 1.25


def _measured(cdp: CDPSession, visitor: Visitor) -> dict[str, float]:
    """Count what is really in use once the page has shown all: DOM nodes and the bytes of the JavaScript heap."""
    cdp.send("Performance.enable")
    before, nodes = -1, 0
    for _ in range(30):
        visitor.page.wait_for_timeout(1000)
        cdp.send("HeapProfiler.collectGarbage")
        nodes = cdp.send("Memory.getDOMCounters")["nodes"]
        if nodes == before:
            break
        before = nodes
    metrics = {each["name"]: each["value"] for each in cdp.send("Performance.getMetrics")["metrics"]}
    return {"nodes": nodes, "jsHeapSizeUsed": metrics["JSHeapUsedSize"]}


def test_a_page_that_is_closed_leaves_nothing(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go("agent/agent-03")
    assert len(dashboard.watch._listeners) == 1
    visitor.page.goto("about:blank")
    visitor.page.wait_for_timeout(1000)

    async def left() -> int:
        for _ in range(300):
            if not dashboard.watch._listeners:
                break
            await asyncio.sleep(0.1)
        return len(dashboard.watch._listeners)

    assert dashboard.run(left()) == 0


def test_nothing_is_written_into_the_working_directory(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go()
    visitor.go("settings")
    assert not (Path.cwd() / ".nicegui").exists()
    assert not os.environ.get("NICEGUI_STORAGE_PATH")


def test_a_log_that_is_still_being_read_is_waited_for(dashboard: Dashboard, visitor: Visitor) -> None:
    follower = dashboard.context.follower
    state, follower.state = follower.state, None
    visitor.go()
    expect(visitor.page.get_by_text("The log is being read")).to_be_visible()
    follower.state = state
    expect(visitor.row("default")).to_be_visible(timeout=PATIENCE)

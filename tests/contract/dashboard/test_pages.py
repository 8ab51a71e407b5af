"""Every page in a real browser: it shows what there is, changes as things happen, and its buttons do what they say."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from agents.events import Type
from agents.fleet import FleetState
from agents.limits.state import Rule, Stop, stop_data
from agents.money import ONE
from agents.sell_out import Left, SellOut, sell_out_data
from agents.spec import AgentState
from tests.contract.dashboard.served import Dashboard, Loop, served
from tests.contract.dashboard.visitor import SOON, Visitor
from tests.unit.supervisor.api.stand import asking, market_view

PATHS = ("", "agent/agent-03", "markets", "market/0xc3", "portfolio", "risk", "approvals", "notifications", "settings")


def state(dashboard: Dashboard) -> FleetState:
    return dashboard.context.state


def test_the_fleet_page_shows_every_agent_and_follows_what_it_does(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go()
    rows = visitor.page.get_by_role("table", name="Agents").locator("tbody tr")
    expect(rows).to_have_count(20)
    row = visitor.row("agent-03")
    expect(row).to_contain_text("running")
    expect(row.locator("polyline")).to_have_attribute("points", re.compile(r"\d"))
    dashboard.run(dashboard.trade(dashboard.agents["agent-03"], confidence=0.17, outcome="Maybe"))
    expect(row).to_contain_text("Maybe", timeout=SOON)
    expect(row).to_contain_text("17%")
    expect(row).to_contain_text("4 trades")
    dashboard.run(dashboard.stand.supervisor.store(Type.INFO, {"kind": "service", "name": "broker:main", "state": "down",
                                                              "restarts": 2, "pid": 1}))  # fmt: skip
    expect(visitor.row("broker:main", "Services")).to_contain_text("down", timeout=SOON)


@pytest.mark.parametrize(
    ("first", "then", "shown"),
    [("stop", "start", "running"), ("pause", "resume", "running"), ("restart", None, "running"), ("kill", None, "running")],
)
def test_each_button_does_its_action_at_once(
    dashboard: Dashboard, visitor: Visitor, first: str, then: str | None, shown: str
) -> None:
    visitor.go()
    row = visitor.row("agent-03")
    after = {"stop": "stopped", "pause": "paused", "restart": "running", "kill": "running"}[first]
    name = "kill the process of" if first == "kill" else first
    row.get_by_role("button", name=f"{name} agent-03", exact=True).click()
    expect(row.locator(".pf-badge")).to_have_text(after, timeout=SOON)
    if then is None:
        expect(row.locator("td.pf-text", has_text="2").first).to_be_visible(timeout=SOON)
        assert state(dashboard).agents["agent-03"].incarnation == 2
        assert state(dashboard).agents["agent-03"].restarts == (first == "kill")
        return
    row.get_by_role("button", name=f"{then} agent-03", exact=True).click()
    expect(row.locator(".pf-badge")).to_have_text(shown, timeout=SOON)


def test_what_is_refused_is_said(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go()
    dashboard.stand.supervisor.gone = True
    visitor.row("default").get_by_role("button", name="stop default").click()
    expect(visitor.page.get_by_text("supervisor is not running now")).to_be_visible(timeout=SOON)
    assert state(dashboard).agents["default"].state is AgentState.RUNNING
    visitor.troubles.clear()


def test_the_agent_page_shows_evidence_and_follows(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go("agent/agent-03")
    for table in ("Decisions", "Orders", "Forecasts", "Positions"):
        expect(visitor.page.get_by_role("table", name=table).locator("tbody tr").first).to_be_visible()
    expect(visitor.page.locator("canvas").first).to_be_visible()
    decisions = visitor.page.get_by_role("table", name="Decisions").locator("tbody tr")
    before = decisions.count()
    dashboard.run(dashboard.trade(dashboard.agents["agent-03"], reasoning="because of the wind"))
    expect(decisions.first).to_contain_text("because of the wind", timeout=SOON)
    expect(decisions).to_have_count(before + 1)
    decisions.first.locator("summary").click()
    expect(decisions.first).to_contain_text("They gather.")
    dashboard.run(dashboard.trade(dashboard.agents["agent-04"], reasoning="not of this agent"))
    visitor.press("Pause")
    expect(visitor.page.get_by_role("button", name="Resume", exact=True)).to_be_visible(timeout=SOON)
    expect(visitor.page.get_by_text("not of this agent")).to_have_count(0)


def test_params_are_changed_in_place_and_mistakes_stand_at_their_field(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go("agent/default")
    budget = visitor.page.get_by_label("maxTradeAmount")
    budget.fill("-5")
    visitor.press("Save")
    field = visitor.page.locator("label.q-field", has=budget)
    expect(field).to_contain_text("greater than or equal to 0", timeout=SOON)
    budget.fill("42")
    window = visitor.page.get_by_label("window", exact=True)
    window.fill("0.5")
    visitor.press("Save")
    expect(visitor.page.locator("label.q-field", has=window)).to_contain_text("integer", timeout=SOON)
    assert state(dashboard).agents["default"].spec.max_trade_amount == 100
    window.fill("7")
    visitor.press("Save")
    expect(visitor.page.get_by_text("Saved; the agent goes on with it")).to_be_visible(timeout=SOON)
    spec = state(dashboard).agents["default"].spec
    assert (spec.max_trade_amount, spec.params) == (42, {"window": 7})


def test_an_agent_or_a_market_that_is_not_there_is_said_so(visitor: Visitor) -> None:
    for path in ("agent/nobody", "market/nothing"):
        visitor.go(path)
        expect(visitor.page.get_by_role("alert").filter(has_text="There is no")).to_be_visible()


def test_the_market_page_shows_books_and_follows_the_price(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go("markets")
    visitor.row("0xc3", "Markets").get_by_role("link").click()
    expect(visitor.page.get_by_role("heading", name="Will it rain on day 3?")).to_be_visible()
    expect(visitor.page.locator("canvas")).to_be_visible()
    expect(visitor.page.get_by_role("table", name="Book of Yes")).to_contain_text("0.29")
    dashboard.stand.feed.views[2] = market_view(3, "0.77", "0.79")
    expect(visitor.page.get_by_role("table", name="Book of Yes")).to_contain_text("0.77", timeout=5000)
    expect(visitor.page.get_by_role("table", name="Book of No")).to_contain_text("0.21")


def test_the_portfolio_adds_up(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go("portfolio")
    expect(visitor.page.locator("canvas")).to_be_visible()
    rows = visitor.page.get_by_role("table", name="Agents").locator("tbody tr")
    expect(rows).to_have_count(21)
    cash = visitor.page.locator(".pf-tile", has_text="Fees")
    expect(cash).to_contain_text("0.60")
    dashboard.run(dashboard.trade(dashboard.agents["default"]))
    expect(cash).to_contain_text("0.61", timeout=5000)


def test_notifications_are_filtered_and_acknowledged(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go("notifications")
    page = visitor.page
    dashboard.run(dashboard.agents["agent-02"].log(Type.ERROR, message="the sky fell"))
    rows = page.get_by_role("table", name="Notifications").locator("tbody tr")
    expect(rows.first).to_contain_text("the sky fell", timeout=SOON)
    expect(page.locator(".pf-count")).to_have_text("1", timeout=SOON)
    for label, choice in (("Type", "error"), ("Agent", "agent-02"), ("Level", "high")):
        page.get_by_label(label, exact=True).click()
        page.get_by_role("option", name=choice, exact=True).click()
        expect(page.get_by_role("listbox")).to_have_count(0)
    expect(rows).to_have_count(1)
    rows.first.get_by_role("button").click()
    expect(rows.first.get_by_role("button")).to_be_disabled(timeout=SOON)
    expect(page.locator(".pf-count")).to_have_text("")
    page.get_by_role("switch", name="Only unseen").click()
    expect(page.get_by_text("Nothing of that kind has happened.")).to_be_visible(timeout=SOON)
    assert dashboard.run(dashboard.ledger.document("acknowledged"))


def test_settings_are_those_of_rest(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go("settings")
    visitor.page.get_by_label("trading · stopLoss").fill("12")
    visitor.press("Save settings")
    expect(visitor.page.get_by_text("Settings are saved")).to_be_visible(timeout=SOON)
    stored = dashboard.run(dashboard.ledger.document("settings"))
    assert stored is not None
    assert (stored["trading"]["stopLoss"], stored["trading"]["takeProfit"], stored["theme"]) == (12, 20, "dark")


def test_the_kill_switch_asks_for_a_word_and_can_be_lifted(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go("portfolio")
    visitor.press("Kill switch")
    dialog = visitor.page.get_by_role("dialog")
    word = dialog.get_by_label("Type STOP to confirm")
    word.fill("stop")
    word.press("Enter")
    expect(dialog).to_contain_text("in capital letters", timeout=SOON)
    expect(dialog.get_by_role("button", name="Stop all trading")).to_be_disabled()
    assert state(dashboard).halted is None
    dialog.get_by_label("Reason, for the log").fill("too wild")
    word.fill("STOP")
    word.press("Enter")
    banner = visitor.page.get_by_role("alert").filter(has_text="All trading is stopped: too wild")
    expect(banner).to_be_visible(timeout=SOON)
    assert state(dashboard).halted == "too wild"
    banner.get_by_role("button", name="Lift it").click()
    expect(banner).to_be_hidden(timeout=SOON)
    assert state(dashboard).halted is None


def test_the_kill_switch_sells_out_if_that_is_ticked(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go("markets")
    visitor.press("Kill switch")
    dialog = visitor.page.get_by_role("dialog")
    dialog.get_by_role("checkbox").click()
    dialog.get_by_label("Type STOP to confirm").fill("STOP")
    dialog.get_by_role("button", name="Stop all trading").click()
    banner = visitor.page.get_by_role("alert").filter(has_text="What agents hold is being sold")
    expect(banner).to_be_visible(timeout=SOON)
    left = (Left("agent-03", "101", 5 * ONE, "Will it rain?", "Yes", "nobody bids for them"),)
    data = sell_out_data("main", state(dashboard).flattening, SellOut({}, left))
    dashboard.run(dashboard.stand.supervisor.store(Type.RISK, data))
    expect(visitor.page.get_by_text("Not sold yet: 1 positions (nobody bids for them)")).to_be_visible(timeout=SOON)


def test_what_waits_is_counted_on_every_page_and_decided_on_with_a_button(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go("markets")
    page = visitor.page
    count = page.locator(".pf-waiting")
    expect(count).to_have_text("")
    for key in ("first", "second"):
        dashboard.run(dashboard.stand.supervisor.store(Type.ORDER, asking("agent-03", key), "agent-03"))
    expect(count).to_have_text("2", timeout=SOON)
    visitor.go("approvals")
    rows = page.get_by_role("table", name="Approvals").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("buy 20 Yes @ 0.5")
    expect(rows.first).to_contain_text("clouds gather")
    rows.first.get_by_role("button", name="approve").click()
    expect(rows).to_have_count(1, timeout=SOON)
    expect(count).to_have_text("1")
    assert dashboard.run(order_of(dashboard, "first")) == ("live", "dashboard")
    rows.first.get_by_role("button", name="reject").click()
    expect(page.get_by_text("Nothing waits to be approved.")).to_be_visible(timeout=SOON)
    expect(count).to_have_text("")
    assert dashboard.run(order_of(dashboard, "second")) == ("rejected", "dashboard")


def test_a_stop_for_losses_is_told_with_its_reason_and_lifted_with_a_button(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go("risk")
    row = visitor.row("agent:agent-03", "Limits")
    expect(row).to_contain_text("of 200")
    expect(row.get_by_role("button")).to_have_count(0)
    stop = Stop(Rule.DAILY_LOSS, "100", "120", "maxDailyLoss: agent:agent-03 lost 120 pUSD today", 0, -120 * ONE)
    dashboard.stand.supervisor.stopped["agent:agent-03"] = [Rule.DAILY_LOSS]
    dashboard.run(dashboard.stand.supervisor.store(Type.RISK, stop_data("agent:agent-03", stop, 1)))
    expect(row).to_contain_text("lost 120 pUSD today", timeout=SOON)
    row.get_by_role("button", name="resume").click()
    expect(row).not_to_contain_text("lost 120", timeout=SOON)
    assert not state(dashboard).risk.stops.get("agent:agent-03")


async def order_of(dashboard: Dashboard, key: str) -> tuple[str, str]:
    """Return what came of an order that waited, and who decided on it."""
    order = await dashboard.ledger.order(f"order-{key}")
    assert order is not None
    return order["status"], order["approval"]["by"]


def test_no_text_of_others_becomes_html(dashboard: Dashboard, visitor: Visitor) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>{{ 7*6 }}`${alert(1)}"
    agent = dashboard.agents["agent-03"]
    texts = {"marketQuestion": evil, "market": evil, "token": evil, "outcome": evil, "reasoning": evil}
    for kind in (Type.DECISION, Type.ORDER, Type.FORECAST, Type.OPPORTUNITY, Type.ERROR):
        more = {"evidence": [{"source": evil, "title": evil, "summary": evil, "url": "javascript:alert(1)"}], "message": evil}
        dashboard.run(agent.log(kind, **texts, **more, description=evil, reason=evil))
    view = dashboard.stand.feed.views[2]
    market = replace(view.market, question=evil, outcomes=(evil, "No"), tags=(evil,))
    dashboard.stand.feed.views[2] = replace(view, market=market)
    dashboard.stand.logs["agent:agent-03"] = [{"timestamp": 1, "level": evil, "message": evil, "life": 1}]
    for path in PATHS:
        visitor.go(path)
        if path in ("", "agent/agent-03", "markets", "market/0xc3", "notifications"):
            expect(visitor.page.get_by_text("<img src=x", exact=False).first).to_be_attached()
        # What came with the page, and what comes while it is open.
        dashboard.run(agent.log(Type.DECISION, **texts))
        visitor.page.wait_for_timeout(700)
        assert "polyfleet" in visitor.page.title()
        assert visitor.page.locator("img[src=x]").count() == 0
        assert visitor.page.get_by_text("42", exact=True).count() == 0


@pytest.mark.parametrize("path", PATHS)
def test_a_phone_shows_every_page_without_scrolling_sideways(browser: Browser, dashboard: Dashboard, path: str) -> None:
    visitor = Visitor(browser, dashboard.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visitor.go(path)
    visitor.page.wait_for_timeout(500)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") == 390
    too_wide = "[...document.querySelectorAll('#main *')].filter(e => e.getBoundingClientRect().right > 391).length"
    assert visitor.page.evaluate(too_wide) == 0
    visitor.leave()


def test_the_keyboard_reaches_and_works_everything(dashboard: Dashboard, visitor: Visitor) -> None:
    visitor.go()
    page = visitor.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    names = []
    for _ in range(8):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent.trim()"))
    assert names == [
        "Search in Agents", "Agent", "State", "Profit", "Skill", "Life", "default", "stop default",
    ]  # fmt: skip
    page.keyboard.press("Enter")
    expect(visitor.row("default").locator(".pf-badge")).to_have_text("stopped", timeout=SOON)
    named = "e.ariaLabel || e.textContent.trim() || e.labels?.length"
    unnamed = f"[...document.querySelectorAll('button, a, input')].filter(e => !({named})).length"
    assert page.evaluate(unnamed) == 0
    assert page.locator("html").get_attribute("lang") == "en-US"


def test_the_theme_is_the_system_s_until_one_is_chosen_which_is_remembered(browser: Browser, dashboard: Dashboard) -> None:
    visitor = Visitor(browser, dashboard.url, color_scheme="dark")
    visitor.go()
    dark = re.compile("body--dark")
    expect(visitor.page.locator("body")).to_have_class(dark)
    visitor.page.get_by_role("button", name="Dark or light").click()
    expect(visitor.page.locator("body")).not_to_have_class(dark)
    visitor.go("portfolio")
    expect(visitor.page.locator("body")).not_to_have_class(dark)
    visitor.leave()


def test_the_mode_is_unmistakable(loop: Loop, browser: Browser, tmp_path: Path) -> None:
    colours = {}
    for mode, word in (("sandbox", "Simulated"), ("live", "real money")):
        (tmp_path / mode).mkdir()
        with served(loop, tmp_path / mode, mode=mode) as dashboard:
            visitor = Visitor(browser, dashboard.url)
            visitor.go()
            banner = visitor.page.get_by_role("note", name="Mode")
            expect(banner).to_contain_text(word)
            colours[mode] = banner.evaluate("e => getComputedStyle(e).backgroundColor")
            expect(visitor.page.get_by_text("There is no agent yet.")).to_be_visible()
            visitor.leave()
    assert colours["live"] == "rgb(204, 0, 0)"
    assert colours["sandbox"] != colours["live"]


def test_a_hundred_agents_are_shown_found_and_sorted(loop: Loop, browser: Browser, tmp_path: Path) -> None:
    with served(loop, tmp_path) as dashboard:
        loop.run(dashboard.fill(100, trades=1))
        visitor = Visitor(browser, dashboard.url)
        visitor.go()
        rows = visitor.page.get_by_role("table", name="Agents").locator("tbody tr")
        expect(rows).to_have_count(100)
        visitor.press("Agent")
        expect(rows.first).to_contain_text("default")
        visitor.page.get_by_label("Search in Agents").fill("agent-77")
        expect(rows).to_have_count(1)
        loop.run(dashboard.trade(dashboard.agents["agent-77"], outcome="Perhaps"))
        expect(rows.first).to_contain_text("Perhaps", timeout=SOON)
        visitor.leave()

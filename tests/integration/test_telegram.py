"""A whole fleet with a Telegram bot, whose server is on loopback, and a dashboard in a browser, REST and hub beside it."""

import asyncio
import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.chromium import chromium
from tests.contract.dashboard.visitor import Visitor
from tests.integration.fleet import Fleet
from tests.unit.actors.telegram.bot_api import TOKEN, BotApi, serving

CHAT = 100


class Bot:
    """A Bot API server in a thread of its own, as the fleet is in processes of its own."""

    def __init__(self) -> None:
        self.server = BotApi()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._ready.wait(20)

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    def say(self, text: str) -> None:
        """Say something in the chat."""
        asyncio.run_coroutine_threadsafe(self.server.say(CHAT, text, date=int(time.time())), self._loop).result(5)

    def told(self, text: str, after: int = 0) -> float | None:
        """Return a moment by which a message with that text had been sent, after so many others."""
        return time.time() if any(text in each["shown"] for each in self.server.sent[after:]) else None

    def hears(self, fleet: Fleet, text: str) -> None:
        """Wait for a message with that text."""
        fleet.until(lambda: self.told(text), 90)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        async with serving(self.server):
            self._ready.set()
            await self._over.wait()


@pytest.fixture(scope="module")
def bot() -> Iterator[Bot]:
    bot = Bot()
    with bot:
        yield bot


@pytest.fixture(scope="module")
def fleet(bot: Bot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet that knows its bot, and not yet its chat."""
    settings = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": bot.server.url}
    fleet = Fleet(tmp_path_factory.mktemp("fleet") / "data", "--seed", "7", **settings)
    try:
        yield fleet.up()
        assert fleet.down() == 0, fleet.output
    finally:
        fleet.end()


@pytest.fixture(scope="module")
def visitor(fleet: Fleet) -> Iterator[Visitor]:
    """Somebody with the fleet's dashboard before them."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        visitor = Visitor(browser, f"{fleet.url}/dashboard/")
        yield visitor
        visitor.leave()
        browser.close()


def test_telegram_is_set_up_on_the_dashboard(bot: Bot, fleet: Fleet, visitor: Visitor) -> None:
    visitor.go("settings")
    page = visitor.page
    expect(page.get_by_label("Bot token")).to_have_value("***")
    page.get_by_label("Chat id").fill(str(CHAT))
    page.get_by_role("switch", name="Send alerts").click()
    visitor.press("Save Telegram")
    expect(page.get_by_text("Telegram is set up")).to_be_visible()
    visitor.press("Send a test message")
    bot.hears(fleet, "A test from the dashboard")
    expect(page.get_by_text("Sent; look into the chat")).to_be_visible()
    assert fleet.get("/api/telegram/config")["chatId"] == str(CHAT)
    bot.hears(fleet, "Polymarket Trade")


class Surfaces:
    """Everything that shows a fleet, and when it first showed something (wall seconds)."""

    def __init__(self, fleet: Fleet, bot: Bot, visitor: Visitor, heard: list[tuple[float, dict[str, Any]]]) -> None:
        self._fleet, self._bot, self._page, self._heard = fleet, bot, visitor.page, heard

    def delays(self, began: float, agent_id: str, state: str) -> dict[str, float]:
        """Return after how many seconds each surface showed an agent's new state; `began` is when it was asked for."""
        shown = {"REST": self._fleet.until(lambda: self._fleet.agents()[agent_id]["state"] == state and time.time())}
        already = len(self._bot.server.sent)
        self._bot.say(f"/agent {agent_id}")
        shown["Telegram"] = self._fleet.until(lambda: len(self._bot.server.sent) > already and self._bot.told(state, already))
        shown["hub"] = self._fleet.until(lambda: self._hub(began, agent_id, state))
        self._page.wait_for_function(_SEEN, arg=[began * 1000, state])
        shown["dashboard"] = self._page.evaluate(_SEEN, [began * 1000, state]) / 1000
        return {surface: at - began for surface, at in shown.items()}

    def _hub(self, began: float, agent_id: str, state: str) -> float | None:
        for at, event in list(self._heard):
            if at >= began and event["agentId"] == agent_id and event["data"].get("state") == state:
                return at
        return None


#: Notes when the badge of an agent changes; returns when it first said something since a moment (milliseconds).
_WATCH = """key => { window.seen = []; const row = document.querySelector(`tr[data-key="${key}"]`);
new MutationObserver(() => window.seen.push([Date.now(), row.querySelector('.pf-badge').textContent]))
  .observe(row, {subtree: true, childList: true, characterData: true}); }"""
_SEEN = "([since, text]) => (window.seen.find(([at, said]) => at >= since && said === text) || [0])[0]"


def test_what_is_done_on_one_surface_shows_on_all_within_a_second(bot: Bot, fleet: Fleet, visitor: Visitor) -> None:
    heard: list[tuple[float, dict[str, Any]]] = []

    def listen() -> None:
        with contextlib.suppress(ConnectionClosed), connect(f"{fleet.url.replace('http', 'ws', 1)}/ws") as socket:
            sockets.append(socket)
            socket.send(json.dumps({"op": "subscribe", "types": ["agent"]}))
            for frame in socket:
                if (message := json.loads(frame))["op"] == "event":
                    heard.append((time.time(), message["event"]))

    sockets: list[Connection] = []
    listener = threading.Thread(target=listen)
    listener.start()
    visitor.go()
    row = visitor.row("default")
    expect(row.locator(".pf-badge")).to_have_text("running")
    visitor.page.evaluate(_WATCH, "default")
    surfaces = Surfaces(fleet, bot, visitor, heard)
    fleet.until(lambda: sockets)
    ways: list[tuple[str, Callable[[], Any], str]] = [
        ("REST", lambda: fleet.post("/api/agents/default/pause"), "paused"),
        ("Telegram", lambda: bot.say("/resume default"), "running"),
        ("dashboard", lambda: row.get_by_role("button", name="pause default").click(), "paused"),
        ("REST", lambda: fleet.post("/api/agents/default/resume"), "running"),
        ("Telegram", lambda: bot.say("/pause default"), "paused"),
        ("dashboard", lambda: row.get_by_role("button", name="resume default").click(), "running"),
    ]
    found = {}
    for number, (by, act, state) in enumerate(ways):
        began = time.time()
        act()
        for surface, delay in surfaces.delays(began, "default", state).items():
            found[f"{number} {state} by {by}, seen on {surface}"] = round(delay, 3)
    sockets[0].close()
    listener.join()
    assert max(found.values()) < 1.0, json.dumps(found, indent=1)


def test_a_killed_notifier_loses_nothing_and_the_token_is_in_one_file(bot: Bot, fleet: Fleet) -> None:
    api = bot.server
    os.kill(fleet.pid_of("notifier"), signal.SIGKILL)
    fleet.until(lambda: fleet.service("notifier")["restarts"] == 1)
    bot.say("/pause default")
    bot.hears(fleet, "default is paused")
    assert fleet.agents()["default"]["state"] == "paused"

    began = next(each["seq"] for each in fleet.events(type="telegram"))
    cut = fleet.events(type="trade")[-1]["seq"]
    trades = [each for each in fleet.events(type="trade") if began < each["seq"] <= cut]
    fleet.until(lambda: sum(each["shown"].count("Polymarket Trade") for each in list(api.sent)) >= len(trades), 90)
    assert all(each["data"]["status"] == "sent" for each in fleet.events(type="telegram"))

    secret = TOKEN.partition(":")[2].encode()
    kept = [path for path in fleet.data_dir.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert kept == [fleet.data_dir / "telegram.json"]

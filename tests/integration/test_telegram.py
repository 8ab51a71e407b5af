"""A whole fleet with a Telegram bot, whose server is on loopback: alerts, commands, a killed notifier, the token nowhere."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.fleet import Fleet
from tests.unit.actors.telegram.bot_api import TOKEN, BotApi, serving

CHAT = 100


class Bot:
    """The server in a thread of its own, as the fleet is in processes of its own."""

    def __init__(self) -> None:
        self.api: BotApi | None = None
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> BotApi:
        self._thread.start()
        self._ready.wait(20)
        assert self.api is not None
        return self.api

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    def say(self, text: str) -> None:
        """Say something in the chat."""
        assert self.api is not None
        asyncio.run_coroutine_threadsafe(self.api.say(CHAT, text, date=int(time.time())), self._loop).result(5)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        async with serving(BotApi()) as self.api:
            self._ready.set()
            await self._over.wait()


@pytest.fixture
def bot() -> Iterator[Bot]:
    bot = Bot()
    with bot:
        yield bot


def test_a_fleet_tells_and_obeys_its_chat(bot: Bot, data_dir: Path) -> None:
    api = bot.api
    assert api is not None
    settings = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": str(CHAT), "TELEGRAM_API_URL": api.url}
    fleet = Fleet(data_dir, "--seed", "7", **settings)
    try:
        fleet.up()
        fleet.until(lambda: any("Polymarket Trade" in each["shown"] for each in api.sent), 90)
        assert fleet.get("/api/telegram/config")["botToken"] == "***"

        os.kill(fleet.pid_of("notifier"), signal.SIGKILL)
        fleet.until(lambda: fleet.service("notifier")["restarts"] == 1)
        bot.say("/pause default")
        fleet.until(lambda: any("default is paused" in each["shown"] for each in api.sent), 90)
        assert fleet.agents()["default"]["state"] == "paused"

        cut = fleet.events(type="trade")[-1]["seq"]
        trades = [each for each in fleet.events(type="trade") if each["seq"] <= cut]
        fleet.until(lambda: sum(each["shown"].count("Polymarket Trade") for each in list(api.sent)) >= len(trades), 90)
        assert all(each["data"]["status"] == "sent" for each in fleet.events(type="telegram"))

        secret = TOKEN.partition(":")[2].encode()
        kept = [path for path in data_dir.rglob("*") if path.is_file() and secret in path.read_bytes()]
        assert kept == [data_dir / "telegram.json"]
        assert fleet.down() == 0, fleet.output
    finally:
        fleet.end()

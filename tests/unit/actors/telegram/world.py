"""A notifier on a real log and a Bot API server of loopback; its time is the test's, and no wait of it takes any."""

import asyncio
import json
from typing import Any, cast

from actors.ledger import LedgerService
from actors.notifier import NotifierService
from actors.private_file import write_private
from actors.system import SystemConfig
from actors.telegram.timing import Timing
from agents.events import Event, Type
from agents.ports import MarketFeed
from tests.unit.actors.telegram.bot_api import TOKEN, BotApi
from tests.unit.supervisor.api.stand import NOW, AgentStand, FeedStand, SupervisorStand, market_view

#: The operator's chat, a viewer's, a group of operators, and one that has no role.
OPERATOR, VIEWER, GROUP, STRANGER = 100, 200, -300, 999


class World:
    """`waits` are the seconds that the notifier waited, `now` its wall time in epoch seconds."""

    def __init__(self, config: SystemConfig, ledger: LedgerService, api: BotApi) -> None:
        self.config = config
        self.ledger = ledger
        self.api = api
        self.supervisor = SupervisorStand(ledger)
        self.feed = FeedStand(market_view(1))
        self.agent = AgentStand(ledger)
        self.waits: list[float] = []
        self.now = NOW / 1000
        self.notifier: NotifierService | None = None
        self._clock = 0.0

    async def begin(self, chats: str = "", **environment: str) -> NotifierService:
        """Start a notifier as `up` configures it, and wait until it listens."""
        given = {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_CHAT_ID": str(OPERATOR),
            "TELEGRAM_API_URL": self.api.url,
            "POLYFLEET_TELEGRAM_CHATS": chats,
        }
        write_private(self.config.telegram_file, json.dumps(given | environment))
        return await self.restart()

    async def restart(self) -> NotifierService:
        """Start a new life of the notifier on the same log."""
        timing = Timing(lambda: self.now, lambda: self._clock, self._sleep, gather=0.0, retry=0.1)
        feed = cast(MarketFeed, self.feed)
        notifier = NotifierService(self.config, ledger=self.ledger, supervisor=self.supervisor, feed=feed, timing=timing)
        self.notifier = notifier
        polls = len(self.api.offsets)
        await notifier.start()
        if json.loads(self.config.telegram_file.read_text()).get("TELEGRAM_BOT_TOKEN") == TOKEN:
            if not self.api.fault("getMe", {}):
                await self.api.until(lambda: len(self.api.offsets) > polls)
            await self.until_document(f"telegram/{OPERATOR}")
        return notifier

    async def end(self) -> None:
        """Stop the notifier, wherever it is."""
        notifier, self.notifier = self.notifier, None
        if notifier is not None:
            await notifier.stop()

    async def notifier_configure(self, changes: dict[str, Any]) -> None:
        """Change settings."""
        assert self.notifier is not None
        await self.notifier.configure(changes)

    async def until_document(self, name: str) -> Any:
        """Wait for a document."""
        async with asyncio.timeout(10.0):
            while not (found := await self.ledger.document(name)):
                await asyncio.sleep(0.005)
        return found

    async def messages(self, count: int) -> list[Event]:
        """Wait for so many `telegram` events, and return all that there are."""
        async with asyncio.timeout(20.0):
            while len(found := await self.logged(Type.TELEGRAM)) < count:
                await asyncio.sleep(0.005)
        return found

    async def logged(self, kind: Type) -> list[Event]:
        """Return all events of a type."""
        return (await self.ledger.poll(0, types=[kind])).events

    async def trade(self, question: str, **data: Any) -> int:
        """Log a trade, and return its seq."""
        [seq] = await self.agent.log(Type.TRADE, marketQuestion=question, **data)
        return seq

    async def ask(self, chat: int, text: str, age: int = 0) -> dict[str, Any]:
        """Say something in a chat and return what is answered there."""
        before = len(self.said(chat))
        await self.api.say(chat, text, date=int(self.now) - age)
        await self.api.until(lambda: len(self.said(chat)) > before)
        return self.said(chat)[before]

    async def press(self, chat: int, data: str) -> dict[str, Any]:
        """Press a button and return what the message was changed to."""
        before = len(self.api.edited)
        await self.api.press(chat, data)
        await self.api.until(lambda: len(self.api.edited) > before)
        return self.api.edited[-1]

    def said(self, chat: int) -> list[dict[str, Any]]:
        """Return what was sent to a chat."""
        return [each for each in self.api.sent if each["chat"] == str(chat)]

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._clock += seconds
        await asyncio.sleep(0)


def buttons(message: dict[str, Any]) -> list[str]:
    """Return the data of a message's buttons."""
    return [button["callback_data"] for row in (message.get("reply_markup") or {}).get("inline_keyboard", []) for button in row]

"""The one place that knows python-telegram-bot: sends, edits and reads, and turns its errors into a few of ours.

The library's errors and the request lines of the HTTP client below it hold the token (it is a part of every URL), so no
error of theirs goes on, and what they log is kept to warnings.
"""

import json
import logging
import os
from collections.abc import Awaitable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from telegram import (
    Bot,
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    Update,
)
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    RetryAfter,
    TelegramError,
)
from telegram.request import HTTPXRequest

from agents.alerts.commands import COMMANDS, Buttons
from agents.alerts.markup import PARSE_MODE

log = logging.getLogger(__name__)

T = TypeVar("T")

# The library warns, and under strict tests fails, unless it may tell seconds as a timedelta.
os.environ.setdefault("PTB_TIMEDELTA", "true")

#: Seconds that one long poll waits for news, and that a request may take besides.
POLL = 25
_TIMEOUT = 15.0

_UPDATES = ("message", "callback_query", "my_chat_member")
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

#: Loggers that tell URLs, which the token is a part of.
_TALKATIVE = ("httpx", "httpcore", "telegram")


#: Telegram's own words about the request of this task that failed: the library changes them.
_description: ContextVar[str] = ContextVar("description", default="")


class Refused(Exception):
    """Raised when Telegram refuses a request; the message is Telegram's description."""


class MarkupRefused(Refused):
    """Raised when Telegram cannot read the markup of a text."""


class ChatGone(Refused):
    """Raised when a chat cannot be reached: it blocked the bot, is not there, or has another number now."""


class TokenRefused(Refused):
    """Raised when Telegram does not know the token."""


class Flooded(Exception):
    """Raised when Telegram asks to wait for `seconds`."""

    def __init__(self, seconds: float, said: str) -> None:
        super().__init__(said)
        self.seconds = seconds


class Unreachable(Exception):
    """Raised when Telegram does not answer, or with an error of its own; what was asked may have been done."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One update: a text, or the press of a button (with `query` and `data`), in a chat; `sent` in epoch milliseconds.

    `message_id` is that of the message which the button is under. Neither text nor query: the chat has let the bot in again.
    """

    id: int
    chat: str
    sent: int
    text: str = ""
    query: str = ""
    data: str = ""
    message_id: int = 0


class Gateway:
    """One bot at one Bot API server. Every method raises `Unreachable`, `Flooded` or a `Refused`."""

    def __init__(self, token: str, api_url: str) -> None:
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._token = token
        self._request, self._polling = _request(16), _request(1)
        self._bot = Bot(
            token,
            # No text: the library would fill in what stands in braces.
            base_url=lambda token: f"{api_url}/bot{token}",
            base_file_url=lambda token: f"{api_url}/file/bot{token}",
            request=self._request,
            get_updates_request=self._polling,
        )
        self.name = ""

    async def close(self) -> None:
        """Close all connections."""
        await self._request.shutdown()
        await self._polling.shutdown()

    async def sign_in(self) -> str:
        """Learn the bot's name, show its commands in Telegram's menu, and return the bot's number."""
        await self._ask(self._bot.initialize())
        self.name = self._bot.username
        try:
            await self._ask(self._bot.set_my_commands([BotCommand(name, text) for name, text in COMMANDS.items()]))
        except Refused as error:
            log.warning("Telegram's menu has no commands: %s", error)
        return str(self._bot.id)

    async def send(
        self, chat: str, text: str, *, buttons: Buttons = (), silent: bool = False, marked: bool = True
    ) -> dict[str, Any]:
        """Send a text, in `Markdown` or as it is, and return the message as Telegram gives it."""
        sent: Message = await self._ask(
            self._bot.send_message(
                chat,
                text,
                parse_mode=PARSE_MODE if marked else None,
                disable_notification=silent,
                reply_markup=_keyboard(buttons),
                link_preview_options=_NO_PREVIEW,
            )
        )
        return sent.to_dict()

    async def edit(self, chat: str, message_id: int, text: str, buttons: Buttons = ()) -> None:
        """Put a text, in `Markdown`, in the place of a message's; one that is the same already is no error."""
        try:
            await self._ask(
                self._bot.edit_message_text(
                    text,
                    chat,
                    message_id,
                    parse_mode=PARSE_MODE,
                    reply_markup=_keyboard(buttons),
                    link_preview_options=_NO_PREVIEW,
                )
            )
        except Refused as error:
            if "not modified" not in str(error):
                raise

    async def acknowledge(self, query: str) -> bool:
        """Say that a press has come; False if Telegram says that it is too old."""
        try:
            await self._ask(self._bot.answer_callback_query(query))
        except Refused:
            return False
        return True

    async def updates(self, after: int | None) -> list[Incoming]:
        """Wait for the updates after one, which are then no longer kept for us by Telegram, and return them."""
        offset = None if after is None else after + 1
        asked = self._bot.get_updates(offset, timeout=POLL, read_timeout=POLL + _TIMEOUT, allowed_updates=_UPDATES)
        return [_incoming(update) for update in await self._ask(asked)]

    async def _ask(self, request: Awaitable[T]) -> T:
        _description.set("")
        try:
            return await request
        except TelegramError as error:
            raise self._told(error) from None
        except Exception as error:
            # Whatever it is, its words may hold the URL.
            said = str(error).replace(self._token, "***")
            raise Unreachable(f"the library failed: {type(error).__name__}: {said}") from None

    def _told(self, error: TelegramError) -> Exception:
        said = (_description.get() or str(error)).replace(self._token, "***")
        match error:
            case RetryAfter(retry_after=seconds):
                return Flooded(seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds), said)
            case InvalidToken() | EndPointNotFound():
                return TokenRefused(said)
            case ChatMigrated(new_chat_id=chat):
                return ChatGone(f"the group has become a supergroup, whose number is {chat}; set that as the chat")
            case Forbidden():
                return ChatGone(said)
            case BadRequest() if "can't parse" in said.lower():
                return MarkupRefused(said)
            case BadRequest() if "chat not found" in said.lower():
                return ChatGone(said)
            case BadRequest():
                return Refused(said)
            case Conflict():
                return Unreachable("another program reads this bot's messages; end it, or give the fleet a bot of its own")
        return Unreachable(said)


class _Request(HTTPXRequest):
    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        code, payload = await super().do_request(*args, **kwargs)
        if code >= 400:
            try:
                _description.set(str(json.loads(payload)["description"]))
            except (ValueError, LookupError, TypeError):
                _description.set("")
        return code, payload


def _request(connections: int) -> _Request:
    return _Request(connections, connect_timeout=_TIMEOUT, read_timeout=_TIMEOUT, write_timeout=_TIMEOUT, pool_timeout=_TIMEOUT)


def _keyboard(buttons: Buttons) -> InlineKeyboardMarkup | None:
    rows = [[InlineKeyboardButton(label, callback_data=data) for label, data in row] for row in buttons]
    return InlineKeyboardMarkup(rows) if rows else None


def _incoming(update: Update) -> Incoming:
    query, message, chat = update.callback_query, update.message, update.effective_chat
    where = str(chat.id) if chat else ""
    if query:
        at = query.message.message_id if query.message else 0
        return Incoming(update.update_id, where, 0, query=query.id, data=query.data or "", message_id=at)
    if message:
        return Incoming(update.update_id, where, int(message.date.timestamp() * 1000), message.text or "")
    member = update.my_chat_member
    back = member is not None and member.new_chat_member.status in ("member", "administrator")
    return Incoming(update.update_id, where if back else "", 0)

"""The settings of Telegram: what the environment gave at the start, and what was stored over the API, which wins."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from actors.config import SystemConfig
from actors.private_file import write_private
from agents.alerts.commands import Role, all_roles, roles_of
from agents.alerts.policy import AlertConfig, ChatId
from agents.errors import InvalidInput, Unavailable

#: The variables that there are.
VARIABLES = ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID", "TELEGRAM_API_URL", "POLYFLEET_TELEGRAM_CHATS")

#: What a token may look like: it becomes a part of a URL's path.
TOKEN = re.compile(r"[A-Za-z0-9_:-]{1,200}")

_CHAT: TypeAdapter[str] = TypeAdapter(ChatId)
_API_URL = "https://api.telegram.org"


@dataclass(frozen=True, slots=True)
class TelegramSettings:
    """What an environment says; `api_url` has no slash at the end."""

    token: str = field(default="", repr=False)
    chat_id: str = ""
    api_url: str = _API_URL
    chats: Mapping[str, Role] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account:
    """The bot that is to run, and the chats that it talks with."""

    token: str = field(repr=False)
    api_url: str
    chat_id: str
    roles: Mapping[str, Role]


def telegram_settings_from(environment: Mapping[str, str]) -> TelegramSettings:
    """Read the variables of Telegram; the token is in no error.

    Raises:
        InvalidInput: if one of them is not possible.
    """
    token, chat, url = (environment.get(name, "").strip() for name in VARIABLES[:3])
    if token and not TOKEN.fullmatch(token):
        raise InvalidInput("TELEGRAM_BOT_TOKEN is no bot token; expected what @BotFather gave you, such as 123456:ABC-def")
    try:
        chat = _CHAT.validate_python(chat)
    except ValidationError:
        raise InvalidInput(
            f"TELEGRAM_CHAT_ID: {chat!r} is not possible; expected a chat's number, such as 123456 or -100123456"
        ) from None
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise InvalidInput(f"TELEGRAM_API_URL: {url!r} is not possible; expected a URL such as http://127.0.0.1:8081")
    chats = roles_of(environment.get("POLYFLEET_TELEGRAM_CHATS", ""))
    return TelegramSettings(token, chat, url.rstrip("/") or _API_URL, chats)


def keep_token(config: SystemConfig, token: str) -> None:
    """Keep the token that was given over the API, or with an empty one forget it.

    Raises:
        Unavailable: if the data directory cannot be written here.
    """
    file = config.telegram_token_file
    try:
        if token:
            write_private(file, token)
        else:
            file.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(
            f"the token cannot be kept in {file} ({error.strerror}); set TELEGRAM_BOT_TOKEN and start the fleet again"
        ) from None


def token_of(config: SystemConfig, settings: TelegramSettings) -> str:
    """Return the token that was given over the API, else that of the environment. Raises Unavailable."""
    try:
        return config.telegram_token_file.read_text().strip() or settings.token
    except FileNotFoundError:
        return settings.token
    except OSError as error:
        raise Unavailable(f"{config.telegram_token_file} cannot be read ({error.strerror})") from None


def begun(settings: TelegramSettings, token: str) -> AlertConfig:
    """Return the configuration of a fleet in which none was stored: on if the environment says enough."""
    return AlertConfig(enabled=bool(token and settings.chat_id), chat_id=settings.chat_id)


def account(settings: TelegramSettings, alerts: AlertConfig, token: str) -> Account | None:
    """Return what is to run; None if Telegram is off or not configured."""
    if not (alerts.enabled and token and alerts.chat_id):
        return None
    return Account(token, settings.api_url, alerts.chat_id, all_roles(alerts.chat_id, settings.chats))

"""The seed's Telegram routes: settings, messages, and a message sent by hand."""

import asyncio
from typing import Annotated, Any, NotRequired, cast

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from actors.telegram.settings import TOKEN
from agents.alerts.policy import ChatId, Level, Topic
from agents.errors import InvalidInput
from supervisor.api.context import FleetContext
from supervisor.api.log_routes import Limit
from supervisor.api.seed_routes import Done
from supervisor.api.strict_json import StrictRoute

#: What is shown in a token's place; posted, it keeps the one that is stored, and so does the seed's mask, which begins so.
MASK = "***"


class _Fields(BaseModel):
    # A form sends back all that it was given, `hasToken` and the like included.
    model_config = ConfigDict(alias_generator=to_camel)


class SwitchesBody(_Fields):
    """The seed's switches; what is left out stays as it is."""

    trades: bool | None = Field(None, strict=True)
    opportunities: bool | None = Field(None, strict=True)
    errors: bool | None = Field(None, strict=True)
    daily_summary: bool | None = Field(None, strict=True)


class FiltersBody(_Fields):
    """The seed's filters; what is left out stays as it is."""

    min_profit_percent: float | None = Field(None, strict=True, ge=0, le=1e6, allow_inf_nan=False)
    min_confidence: float | None = Field(None, strict=True, ge=0, le=1, allow_inf_nan=False)


class ConfigBody(_Fields):
    """Telegram's settings; what is left out stays as it is."""

    enabled: bool | None = Field(None, strict=True)
    bot_token: str | None = Field(None, max_length=200, description="'***' keeps the stored one, '' forgets it.")
    chat_id: ChatId | None = None
    notifications: SwitchesBody | None = None
    filters: FiltersBody | None = None
    levels: dict[Topic, Level] | None = Field(None, description="How alerts of each topic come.")


class SendBody(_Fields):
    """A message and what it is called in the list of messages."""

    message: str | None = Field(None, max_length=20_000)
    type: str = Field("manual", min_length=1, max_length=50)


class Switches(TypedDict):
    """The seed's switches."""

    trades: bool
    opportunities: bool
    errors: bool
    dailySummary: bool


class Filters(TypedDict):
    """The seed's filters."""

    minProfitPercent: float
    minConfidence: float


class Config(TypedDict):
    """Telegram's settings; `updatedAt` is there once some were stored."""

    enabled: bool
    botToken: Annotated[str, Field(description="'***' or '', never a part of it.")]
    chatId: str
    notifications: Switches
    filters: Filters
    levels: dict[Topic, Level]
    hasToken: bool
    updatedAt: NotRequired[int]


class Message(TypedDict):
    """A message that was sent, or not."""

    id: str
    timestamp: int
    type: str
    message: str
    status: Annotated[str, Field(description="sent or failed.")]
    chatId: str
    error: NotRequired[str]


class Messages(TypedDict):
    """Messages, newest first, and how many there are in all."""

    messages: list[Message]
    total: int


class Sent(TypedDict):
    """The seed's answer to a message that was sent."""

    success: bool
    message: str
    telegramResponse: dict[str, Any]


def telegram_routes(context: FleetContext) -> APIRouter:
    """Return the routes."""
    router = APIRouter(route_class=StrictRoute, tags=["seed"])

    @router.get("/api/telegram/config")
    async def get_config() -> Config:
        """Return Telegram's settings; of the token only whether there is one."""
        return cast(Config, await context.notifier.configuration())

    @router.post("/api/telegram/config")
    async def post_config(body: ConfigBody) -> Done:
        """Store Telegram's settings and use them from now on."""
        known = await context.notifier.configuration()
        changes = body.model_dump(mode="json", by_alias=True, exclude_none=True)
        token = changes.pop("botToken", MASK)
        kept = token.startswith(MASK)
        enough = (known["hasToken"] if kept else token) and changes.get("chatId", known["chatId"])
        if changes.get("enabled", known["enabled"]) and not enough:
            raise InvalidInput("Bot token and chat ID are required when Telegram is enabled")
        if not kept:
            if token and not TOKEN.fullmatch(token):
                raise InvalidInput("botToken is no bot token; expected what @BotFather gave you, such as 123456:ABC-def")
            await asyncio.to_thread(context.keep_telegram_token, token)
        await context.notifier.configure(changes)
        return {"success": True, "message": "Telegram configuration saved successfully"}

    @router.get("/api/telegram/messages")
    async def get_messages(limit: Limit = 50) -> Messages:
        """Return the messages that were sent or failed, newest first."""
        page = await context.ledger.history("telegram", limit=limit)
        return {"messages": [_message(item) for item in page.items], "total": page.total}

    @router.post("/api/telegram/send")
    async def send(body: Annotated[SendBody | None, Body()] = None) -> Sent:
        """Send a message to the configured chat, as plain text."""
        if body is None or not body.message or not body.message.strip():
            raise InvalidInput("Message is required")
        answer = await context.notifier.send(body.message, body.type)
        return {"success": True, "message": "Message sent successfully", "telegramResponse": answer}

    return router


def _message(item: dict[str, Any]) -> Message:
    shown: Message = {
        "id": str(item.get("messageId", "")),
        "timestamp": item.get("timestamp", 0),
        "type": item.get("type", "telegram"),
        "message": item.get("message", ""),
        "status": item.get("status", "sent"),
        "chatId": str(item.get("chatId", "")),
    }
    if item.get("error"):
        shown["error"] = str(item["error"])
    return shown

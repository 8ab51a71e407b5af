"""The seed's Telegram routes, through the real notifier and python-telegram-bot, against a Bot API server of loopback."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from actors.private_file import write_private
from agents.events import Type
from supervisor.api.context import FleetContext
from tests.unit.actors.telegram.bot_api import TOKEN, BotApi, serving
from tests.unit.supervisor.api.stand import NOW, Stand

Api = httpx.AsyncClient

DEFAULTS = {
    "enabled": False,
    "botToken": "",
    "chatId": "",
    "notifications": {"trades": True, "opportunities": True, "errors": True, "dailySummary": True},
    "filters": {"minProfitPercent": 1.0, "minConfidence": 0.7},
    "hasToken": False,
}
SAVED = {"success": True, "message": "Telegram configuration saved successfully"}


@pytest.fixture
async def bot(stand: Stand) -> AsyncIterator[BotApi]:
    async with serving(BotApi()) as bot:
        write_private(stand.config.telegram_file, json.dumps({"TELEGRAM_API_URL": bot.url}))
        yield bot
        await stand.notifier.stop()


async def save(api: Api, **body: Any) -> httpx.Response:
    return await api.post("/api/telegram/config", json=body)


async def config(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get("/api/telegram/config")).json()
    return found


async def test_the_configuration_is_the_seeds_until_another_is_stored(api: Api) -> None:
    found = await config(api)
    levels = found.pop("levels")
    assert found == DEFAULTS
    assert (levels["trade"], levels["decision"], levels["error"], levels["killSwitch"]) == ("on", "off", "on", "on")


async def test_a_stored_token_is_shown_as_a_mask_and_kept_when_that_is_posted(api: Api, bot: BotApi, stand: Stand) -> None:
    answer = await save(api, enabled=True, botToken=TOKEN, chatId="100", filters={"minConfidence": 0.5})
    assert (answer.status_code, answer.json()) == (200, SAVED)
    found = await config(api)
    assert TOKEN[-8:] not in json.dumps(found)
    assert found["updatedAt"] > NOW
    assert found | {"levels": {}, "updatedAt": 0} == DEFAULTS | {
        "enabled": True,
        "botToken": "***",
        "chatId": "100",
        "filters": {"minProfitPercent": 1.0, "minConfidence": 0.5},
        "hasToken": True,
        "levels": {},
        "updatedAt": 0,
    }
    file = stand.config.telegram_token_file
    assert (file.read_text(), file.stat().st_mode & 0o777) == (TOKEN, 0o600)
    # A form that sends back what it was given, and the seed's own mask.
    for mask in ("***", "***" + TOKEN[-8:]):
        assert (await save(api, **found | {"botToken": mask})).status_code == 200
        assert file.read_text() == TOKEN
    assert (await save(api, enabled=False, botToken="")).status_code == 200
    assert not file.exists()
    assert (await config(api))["hasToken"] is False


async def test_enabled_without_token_or_chat_is_refused_as_the_seed_does(api: Api, stand: Stand) -> None:
    sentence = {"error": "Bot token and chat ID are required when Telegram is enabled"}
    for body in (
        {"enabled": True},
        {"enabled": True, "botToken": "***", "chatId": "1"},
        {"enabled": True, "botToken": "", "chatId": "1"},
        {"enabled": True, "botToken": TOKEN},
        {"enabled": True, "botToken": TOKEN, "chatId": ""},
    ):
        answer = await save(api, **body)
        assert (answer.status_code, answer.json()) == (400, sentence), body
    assert not stand.config.telegram_token_file.exists()
    assert (await config(api))["enabled"] is False


async def test_what_is_not_possible_is_refused_and_the_token_not_repeated(api: Api, stand: Stand) -> None:
    for body in (
        {"enabled": "yes"},
        {"enabled": True, "botToken": 5, "chatId": "1"},
        {"enabled": True, "botToken": "secret/../x y", "chatId": "1"},
        {"chatId": "my chat"},
        {"notifications": {"trades": 1}},
        {"filters": {"minConfidence": 2}},
        {"levels": {"trade": "loud"}},
        {"levels": {"nothing": "on"}},
    ):
        answer = await save(api, **body)
        assert answer.status_code in (400, 422), body
        assert "secret" not in answer.text
    assert await config(api) | {"levels": {}} == DEFAULTS | {"levels": {}}


async def test_levels_are_stored_one_by_one(api: Api, bot: BotApi) -> None:
    await save(api, levels={"decision": "silent"})
    await save(api, levels={"trade": "off"}, notifications={"errors": False})
    found = await config(api)
    assert (found["levels"]["decision"], found["levels"]["trade"], found["levels"]["error"]) == ("silent", "off", "on")
    assert found["notifications"] == {"trades": True, "opportunities": True, "errors": False, "dailySummary": True}


async def test_a_message_is_sent_as_it_is_and_listed(api: Api, bot: BotApi, stand: Stand, context: FleetContext) -> None:
    await save(api, enabled=True, botToken=TOKEN, chatId=100)
    for text, kind in (("Hello_*[world", {}), ("second", {"type": "test"})):
        answer = await api.post("/api/telegram/send", json={"message": text} | kind)
        assert answer.status_code == 200
        found = answer.json()
        response = found.pop("telegramResponse")
        assert found == {"success": True, "message": "Message sent successfully"}
        assert (response["ok"], response["result"]["text"]) == (True, text)
    assert [(each["chat"], each["text"], "parse_mode" in each) for each in bot.sent] == [
        ("100", "Hello_*[world", False),
        ("100", "second", False),
    ]
    listed = (await api.get("/api/telegram/messages?limit=1")).json()
    assert listed["total"] == 2
    [message] = listed["messages"]
    assert message == {
        "id": message["id"],
        "timestamp": message["timestamp"],
        "type": "test",
        "message": "second",
        "status": "sent",
        "chatId": "100",
    }
    events = (await stand.ledger.poll(0, types=[Type.TELEGRAM])).events
    assert [event.data["messageId"] for event in events][1] == message["id"]


async def test_nothing_to_send_and_nowhere_to_send_it_are_refused_as_the_seed_does(api: Api, bot: BotApi) -> None:
    for body in ({}, {"message": ""}, {"message": "  "}, {"type": "manual"}):
        answer = await api.post("/api/telegram/send", json=body)
        assert (answer.status_code, answer.json()) == (400, {"error": "Message is required"})
    answer = await api.post("/api/telegram/send", json={"message": "hello"})
    sentence = "Telegram bot is not configured. Please configure in settings."
    assert (answer.status_code, answer.json()) == (400, {"error": sentence})
    assert (await api.get("/api/telegram/messages")).json() == {"messages": [], "total": 0}


@pytest.mark.parametrize(
    "refusal",
    [
        (400, "Bad Request: chat not found", {}),
        (403, "Forbidden: bot was blocked by the user", {}),
        (401, "Unauthorized", {}),
        (429, "Too Many Requests: retry after 30", {"retry_after": 30}),
    ],
)
async def test_telegrams_refusal_is_told_in_its_words_and_logged_as_failed(api: Api, bot: BotApi, refusal: Any) -> None:
    await save(api, enabled=True, botToken=TOKEN, chatId="100")
    bot.fault = lambda method, body: refusal if method == "sendMessage" else None
    answer = await api.post("/api/telegram/send", json={"message": "hello"})
    assert (answer.status_code, answer.json()) == (500, {"error": refusal[1]})
    [message] = (await api.get("/api/telegram/messages")).json()["messages"]
    assert (message["status"], message["error"], message["message"]) == ("failed", refusal[1], "hello")


async def test_a_telegram_that_does_not_answer_is_no_refusal(api: Api, bot: BotApi) -> None:
    await save(api, enabled=True, botToken=TOKEN, chatId="100")
    bot.fault = lambda method, body: (502, "Bad Gateway", {}) if method == "sendMessage" else None
    answer = await api.post("/api/telegram/send", json={"message": "hello"})
    assert answer.status_code == 503
    assert answer.json()["error"] == "Telegram does not answer (Bad Gateway); the message may have been sent"
    assert (await api.get("/api/telegram/messages")).json()["messages"][0]["status"] == "failed"


async def test_messages_of_outside_systems_are_listed_too(api: Api) -> None:
    body = {"type": "telegram", "data": {"message": "from elsewhere", "chatId": 7}}
    published = (await api.post("/api/notifications", json=body)).json()
    [message] = (await api.get("/api/telegram/messages")).json()["messages"]
    assert (message["id"], message["message"], message["chatId"]) == (published["id"], "from elsewhere", "7")
    assert message["timestamp"] > 0

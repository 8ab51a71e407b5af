"""A Bot API server on loopback for tests: it reads markup as Telegram does, and fails as it is told to."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "4711:AAsecret-of-the-bot_x"

#: Telegram counts messages in UTF-16 code units.
_LONGEST = 4096

#: What a fault returns: an HTTP status, a description and parameters, or None for no fault.
Fault = tuple[int, str, dict[str, Any]] | None


class MarkupError(ValueError):
    """Raised for a text that Telegram's `Markdown` parser refuses."""


def markdown(text: str) -> str:
    """Return what is shown of a text in legacy Markdown, as Telegram's server reads it."""
    shown: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\" and text[at + 1 : at + 2] in tuple("_*`["):
            shown.append(text[at + 1])
            at += 2
        elif char in "_*`":
            end = text.find(char, at + 1)
            if end < 0:
                raise MarkupError(f"Can't find end of the entity starting at byte offset {len(text[:at].encode())}")
            shown.append(text[at + 1 : end])
            at = end + 1
        elif char == "[":
            link = re.compile(r"\[([^\]]*)\]\(([^)]*)\)").match(text, at)
            if link is None:
                raise MarkupError(f"Can't find end of the entity starting at byte offset {len(text[:at].encode())}")
            shown.append(link[1])
            at = link.end()
        else:
            shown.append(char)
            at += 1
    return "".join(shown)


class BotApi:
    """`sent` are the messages that were taken, in order; `edited` and `answered` likewise; `calls` are all methods called.

    `fault` is asked before a method does anything; `gate` holds sendMessage back after it was taken, while it is cleared.
    """

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.edited: list[dict[str, Any]] = []
        self.answered: list[str] = []
        self.commands: list[str] = []
        self.calls: list[str] = []
        self.offsets: list[int | None] = []
        self.blocked: set[str] = set()
        self.stale_queries: set[str] = set()
        self.fault: Callable[[str, dict[str, Any]], Fault] = lambda method, body: None
        self.gate = asyncio.Event()
        self.gate.set()
        self.url = ""
        #: Whether getUpdates waits for news.
        self.patient = True
        self._updates: list[dict[str, Any]] = []
        self._numbers = count(1)
        self._news = asyncio.Condition()

    async def serve(self, request: Request) -> Response:
        """Answer one call."""
        method = request.path_params["method"]
        fields = parse_qsl((await request.body()).decode(), keep_blank_values=True)
        body = {name: value if name == "text" else _value(value) for name, value in fields}
        self.calls.append(method)
        if request.path_params["token"] != TOKEN:
            return _no(401, "Unauthorized")
        if fault := self.fault(method, body):
            code, description, parameters = fault
            return _no(code, description, parameters)
        answer: Response = await getattr(self, method)(body)
        async with self._news:
            self._news.notify_all()
        return answer

    async def until(self, done: Callable[[], bool], timeout: float = 20.0) -> None:
        """Wait until calls have brought about something."""
        async with asyncio.timeout(timeout), self._news:
            await self._news.wait_for(done)

    async def say(self, chat: int, text: str, *, date: int, kind: str = "private") -> None:
        """Let somebody write to the bot; `date` in epoch seconds."""
        message = {"message_id": next(self._numbers), "date": date, "chat": {"id": chat, "type": kind}, "text": text}
        await self._arrive({"message": message | {"from": {"id": 5, "is_bot": False, "first_name": "Ann"}}})

    async def press(self, chat: int, data: str, message_id: int = 0) -> str:
        """Let somebody press a button, the one under the latest message unless another is named; return the query's id."""
        at = message_id or max((each["message_id"] for each in self.sent if each["chat"] == str(chat)), default=1)
        query = f"q{next(self._numbers)}"
        message = {"message_id": at, "date": 1, "chat": {"id": chat, "type": "private"}, "text": "x"}
        person = {"id": 5, "is_bot": False, "first_name": "Ann"}
        await self._arrive(
            {"callback_query": {"id": query, "from": person, "chat_instance": "1", "data": data, "message": message}}
        )
        return query

    async def _arrive(self, update: dict[str, Any]) -> None:
        async with self._news:
            self._updates.append(update | {"update_id": next(self._numbers)})
            self._news.notify_all()

    async def getMe(self, body: dict[str, Any]) -> Response:
        return _yes({"id": 4711, "is_bot": True, "first_name": "Fleet", "username": "fleet_bot"})

    async def setMyCommands(self, body: dict[str, Any]) -> Response:
        self.commands = [each["command"] for each in body["commands"]]
        assert all(re.fullmatch(r"[a-z0-9_]{1,32}", name) for name in self.commands)
        return _yes(True)

    async def getUpdates(self, body: dict[str, Any]) -> Response:
        offset = body.get("offset")
        self.offsets.append(offset)
        if offset:
            self._updates = [each for each in self._updates if each["update_id"] >= offset]
        try:
            wait = min(float(body.get("timeout", 0)), 0.5) if self.patient else 0.0
            async with asyncio.timeout(wait), self._news:
                await self._news.wait_for(lambda: bool(self._updates))
        except TimeoutError:
            pass
        return _yes(self._updates)

    async def sendMessage(self, body: dict[str, Any]) -> Response:
        shown, refusal = self._read(body)
        if refusal:
            return refusal
        number = next(self._numbers)
        message = {**body, "chat": str(body["chat_id"]), "message_id": number, "shown": shown}
        self.sent.append(message)
        async with self._news:
            self._news.notify_all()
        await self.gate.wait()
        return _yes({"message_id": number, "date": 1, "chat": {"id": body["chat_id"], "type": "private"}, "text": shown})

    async def editMessageText(self, body: dict[str, Any]) -> Response:
        shown, refusal = self._read(body)
        if refusal:
            return refusal
        before = [each for each in self.sent + self.edited if each["message_id"] == body["message_id"]]
        if before and before[-1]["shown"] == shown and before[-1].get("reply_markup") == body.get("reply_markup"):
            return _no(400, "Bad Request: message is not modified")
        self.edited.append({**body, "chat": str(body["chat_id"]), "shown": shown})
        return _yes(
            {"message_id": body["message_id"], "date": 1, "chat": {"id": body["chat_id"], "type": "private"}, "text": shown}
        )

    async def answerCallbackQuery(self, body: dict[str, Any]) -> Response:
        if body["callback_query_id"] in self.stale_queries:
            return _no(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self.answered.append(str(body["callback_query_id"]))
        return _yes(True)

    def _read(self, body: dict[str, Any]) -> tuple[str, Response | None]:
        text = str(body["text"])
        if str(body["chat_id"]) in self.blocked:
            return "", _no(403, "Forbidden: bot was blocked by the user")
        if len(text.encode("utf-16-le")) // 2 > _LONGEST:
            return "", _no(400, "Bad Request: message is too long")
        for row in (body.get("reply_markup") or {}).get("inline_keyboard", []):
            if not row or any(not 1 <= len(button["callback_data"].encode()) <= 64 for button in row):
                return "", _no(400, "Bad Request: BUTTON_DATA_INVALID")
        if body.get("parse_mode") != "Markdown":
            return text, None
        try:
            return markdown(text), None
        except MarkupError as error:
            return "", _no(400, f"Bad Request: can't parse entities: {error}")


def _value(text: str) -> Any:
    """Read a field as the Bot API does: numbers, booleans and objects are JSON, the rest is text."""
    if re.fullmatch(r"-?\d{1,15}|true|false|[\[{].*[\]}]", text, re.DOTALL):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _yes(result: Any) -> Response:
    return JSONResponse({"ok": True, "result": result})


def _no(code: int, description: str, parameters: dict[str, Any] | None = None) -> Response:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    return JSONResponse(body | ({"parameters": parameters} if parameters else {}), code)


@asynccontextmanager
async def serving(api: BotApi) -> AsyncIterator[BotApi]:
    """Serve on a free port of loopback."""
    app = Starlette(routes=[Route("/bot{token}/{method}", api.serve, methods=["GET", "POST"])])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, lifespan="off", log_level="warning", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        task = asyncio.create_task(running.serve([listener]))
        while not running.started:
            await asyncio.sleep(0.001)
        api.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield api
        api.gate.set()
        running.should_exit = True
        await task

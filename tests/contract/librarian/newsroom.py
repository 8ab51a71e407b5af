"""A newsroom on loopback that speaks as Tavily, NewsAPI, a feed, the simulated venue's wire, and OpenAI's embeddings do."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from agents.ports import Endpoints

#: The newsroom's "now", and an hour, in milliseconds.
NOW = 1_790_000_000_000
HOUR = 3_600_000


@dataclass
class Story:
    """An article; `published` in milliseconds, None for one that does not say when."""

    title: str
    content: str
    published: int | None = NOW - HOUR
    url: str = ""
    source: str = "Kestrel Wire"

    def __post_init__(self) -> None:
        self.url = self.url or f"https://news.example/{abs(hash((self.title, self.content))):x}"


@dataclass
class Newsroom:
    """Its stories, what it was asked, and how it misbehaves: by path an answer's status, its body, and seconds of silence."""

    stories: list[Story] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    queries: list[dict[str, Any]] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    silence: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        room = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                room._answer(self, {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()})

            def do_POST(self) -> None:
                room._answer(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def log_message(self, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    async def where(self) -> Endpoints:
        return Endpoints("", "", "", "", "", "", "", news_url=self.url, simulated=True)

    def _answer(self, request: BaseHTTPRequestHandler, asked: dict[str, Any]) -> None:
        path = urlsplit(request.path).path
        self.asked[path] += 1
        self.queries.append(asked)
        time.sleep(self.silence.get(path, 0))
        body = self.bodies.get(path)
        if body is None:
            body = {
                "/articles": self._wire,
                "/search": self._tavily,
                "/v2/everything": self._news_api,
                "/feed.xml": self._feed,
                "/v1/embeddings": _embeddings,
            }[path](asked)
        request.send_response(self.statuses.get(path, 200))
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _wire(self, asked: dict[str, Any]) -> bytes:
        articles = [
            {
                "id": str(n),
                "title": story.title,
                "url": story.url,
                "source": story.source,
                "publishedAt": story.published,
                "content": story.content,
            }
            for n, story in enumerate(self.stories)
        ]
        return json.dumps({"articles": articles}).encode()

    def _tavily(self, asked: dict[str, Any]) -> bytes:
        results = [
            {
                "url": story.url,
                "title": story.title,
                "content": story.content[:100],
                "score": 0.5,
                "published_date": story.published and format_datetime(_time(story.published), usegmt=True),
                "raw_content": story.content,
            }
            for story in self.stories
        ]
        return json.dumps({"query": asked["query"], "results": results}).encode()

    def _news_api(self, asked: dict[str, Any]) -> bytes:
        articles = [
            {
                "source": {"id": None, "name": story.source},
                "title": story.title,
                "description": story.content[:150],
                "url": story.url,
                "publishedAt": story.published and _time(story.published).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "content": f"{story.content[:200]} [+1234 chars]",
            }
            for story in self.stories
        ]
        return json.dumps({"status": "ok", "totalResults": len(articles), "articles": articles}).encode()

    def _feed(self, asked: dict[str, Any]) -> bytes:
        items = "".join(
            f"<item><title>{escape(story.title)}</title><link>{escape(story.url)}</link>"
            f"<description>{escape(story.content)}</description>"
            + (f"<pubDate>{format_datetime(_time(story.published))}</pubDate>" if story.published else "")
            + "</item>"
            for story in self.stories
        )
        return f'<?xml version="1.0"?><rss version="2.0"><channel><title>A feed</title>{items}</channel></rss>'.encode()


def _embeddings(asked: dict[str, Any]) -> bytes:
    texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    data = [
        {"object": "embedding", "index": n, "embedding": [float(text.lower().count(letter)) + 0.01 for letter in "abcdefgh"]}
        for n, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 7 * len(texts), "total_tokens": 7 * len(texts)}
    return json.dumps({"object": "list", "data": data, "model": asked["model"], "usage": usage}).encode()


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

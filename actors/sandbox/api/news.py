"""The simulated news wire over HTTP: a search in JSON, the same as RSS 2.0, and each article's page."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from xml.etree import ElementTree

from actors.sandbox.api.messages import Answer, Call, Operation
from actors.sandbox.articles import Article
from actors.sandbox.records import Refused
from actors.sandbox.venue import Venue

_DEFAULT, _MOST = 20, 100
#: A time later than any (venue milliseconds).
_EVER = 10**15
#: What XML 1.0 cannot hold.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class News:
    """The operations of the news wire."""

    def __init__(self, venue: Venue) -> None:
        self._press = venue.press

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations."""
        return (
            Operation("GET", "/articles", self.articles),
            Operation("GET", "/articles/{id}", self.article),
            Operation("GET", "/rss", self.rss),
        )

    def articles(self, call: Call) -> Any:
        """Return articles about `q` published within `from` and `to` (venue milliseconds), the newest first."""
        return {
            "articles": [
                {
                    "id": article.id,
                    "title": article.title,
                    "url": _url(call, article),
                    "source": article.source,
                    "publishedAt": article.published,
                    "content": article.content,
                }
                for article in self._found(call)
            ]
        }

    def article(self, call: Call) -> Any:
        """Return the page of an article."""
        article = self._press.article(call.params["id"])
        if article is None:
            raise Refused(f"there is no article {call.params['id']}", 404)
        return Answer(article.content.encode(), headers={"Content-Type": "text/html; charset=utf-8"})

    def rss(self, call: Call) -> Any:
        """Return the same as RSS 2.0."""
        feed = ElementTree.Element("rss", version="2.0")
        channel = ElementTree.SubElement(feed, "channel")
        _add(channel, "title", "Simulated news")
        _add(channel, "link", _root(call))
        _add(channel, "description", "Invented news of simulated markets, dated by the venue's clock.")
        for article in self._found(call):
            item = ElementTree.SubElement(channel, "item")
            _add(item, "title", article.title)
            _add(item, "link", _url(call, article))
            _add(item, "guid", article.id, isPermaLink="false")
            _add(item, "pubDate", format_datetime(datetime.fromtimestamp(article.published / 1000, UTC), usegmt=True))
            _add(item, "source", article.source, url=f"{_root(call)}/rss")
            _add(item, "description", article.content)
        content = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
        return Answer(content, headers={"Content-Type": "application/rss+xml; charset=utf-8"})

    def _found(self, call: Call) -> list[Article]:
        limit = _whole(call, "limit", _DEFAULT)
        if not 1 <= limit <= _MOST:
            raise Refused(f"limit is {limit}; a number from 1 to {_MOST} was expected")
        return self._press.search(call.one("q"), _whole(call, "from", 0), _whole(call, "to", _EVER), limit)


def _whole(call: Call, name: str, default: int) -> int:
    text = call.one(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise Refused(f"{name} is {text[:40]!r}; a whole number was expected") from None


def _root(call: Call) -> str:
    return f"http://{call.headers.get('host', 'localhost')}/news"


def _url(call: Call, article: Article) -> str:
    return f"{_root(call)}/articles/{article.id}"


def _add(parent: ElementTree.Element, name: str, text: str, **attributes: str) -> None:
    ElementTree.SubElement(parent, name, attributes).text = _NOT_XML.sub("", text)

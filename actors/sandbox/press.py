"""The news wire: a search over the articles of all markets that a venue has listed, as published by its clock."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import log

from actors.sandbox.articles import Article, Story, plan, write
from actors.sandbox.exchange import Exchange
from actors.sandbox.records import MarketRecord
from actors.sandbox.script import Script
from actors.sandbox.words import telling

#: A market is found if it has this part of a query's words, weighed by how rare they are, and of the best match's.
_LEAST_SCORE = 0.25
_LEAST_SHARE = 0.6
#: Words that this many markets and this part of all markets have in common are not searched for.
_FREQUENT = 200
_FREQUENT_SHARE = 1 / 3
#: Markets whose dates, and articles whose pages, are remembered.
_PLANS = 2048
_PAGES = 256


class Press:
    """All news of a venue's markets. Nothing is returned before the venue's clock has reached its date."""

    def __init__(self, seed: int, script: Callable[[MarketRecord], Script], exchange: Exchange, now: Callable[[], int]) -> None:
        """Report on an exchange's markets, whose scripts `script` knows; `now` is the venue's time in milliseconds."""
        self._seed = seed
        self._script = script
        self._exchange = exchange
        self._now = now
        self._indexed: list[str] = []
        self._places: dict[str, list[int]] = defaultdict(list)
        self._stories = lru_cache(_PLANS)(self._plan)
        self._article = lru_cache(_PAGES)(self._write)

    def search(self, query: str, start: int, end: int, limit: int) -> list[Article]:
        """Return articles published within [start, end] about what a query asks, the newest first.

        Without any words in the query they are about all open markets.
        """
        end = min(end, self._now())
        asked = telling(query)
        found = [
            (story.published, condition_id, story)
            for condition_id in (self._matching(asked) if asked else self._open())
            for story in self._stories(condition_id)
            if start <= story.published <= end
        ]
        found.sort(key=lambda one: (-one[0], one[1]))
        return [self._article(condition_id, story) for _, condition_id, story in found[:limit]]

    def article(self, id: str) -> Article | None:
        """Return an article by its id, or None if there is none yet."""
        market_id, _, number = id.rpartition("-")
        market = self._exchange.market_by_id(market_id)
        if market is None or not number.isdecimal():
            return None
        now = self._now()
        for story in self._stories(market.condition_id):
            if story.number == int(number) and story.published <= now:
                return self._article(market.condition_id, story)
        return None

    def _plan(self, condition_id: str) -> tuple[Story, ...]:
        return plan(self._seed, self._script_of(condition_id))

    def _write(self, condition_id: str, story: Story) -> Article:
        return write(self._seed, self._script_of(condition_id), story)

    def _script_of(self, condition_id: str) -> Script:
        record = self._exchange.market(condition_id)
        assert record is not None, f"market {condition_id} is not listed"
        return self._script(record)

    def _open(self) -> list[str]:
        return [record.condition_id for record in self._exchange.markets() if not record.closed]

    def _matching(self, query: Sequence[str]) -> list[str]:
        self._index()
        count = len(self._indexed)
        scores: dict[int, float] = defaultdict(float)
        total = 0.0
        for word in query:
            places = self._places.get(word, ())
            if len(places) > max(_FREQUENT, _FREQUENT_SHARE * count):
                continue
            weight = log(1 + count / (1 + len(places)))
            total += weight
            for place in places:
                scores[place] += weight
        needed = max(_LEAST_SCORE * total, _LEAST_SHARE * max(scores.values(), default=0.0))
        return [self._indexed[place] for place, score in scores.items() if score >= needed]

    def _index(self) -> None:
        for record in list(self._exchange.markets())[len(self._indexed) :]:
            for word in telling(f"{record.question} {record.event_title}"):
                self._places[word].append(len(self._indexed))
            self._indexed.append(record.condition_id)

"""The synthetic world: invented markets that open for as long as the venue runs, all determined by a seed.

Events come in kinds, each at a fixed interval; an event's texts, length, price path and outcome follow from the seed and
its number alone, so any of them can be made again at any time. About twenty markets are open at any moment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from hashlib import sha256
from random import Random
from re import sub

from actors.sandbox import questions, truth
from actors.sandbox.categories import COARSE, FINE, TERMS
from actors.sandbox.questions import Author, Topic
from actors.sandbox.records import MarketRecord
from actors.sandbox.script import Bar, Script, complement
from agents.money import ONE, Micro

_MINUTE = 60_000
_MIN_SIZE: Micro = 5 * ONE
#: Bars are at least this far apart (venue milliseconds), and at most this many.
_BAR = 30_000
_BARS = 240
#: Event numbers start here, to look like ids.
_FIRST_ID = 1_000_000
#: Of all events, those whose makers learn slowly, and the pace of their learning.
_SLOW = 0.4
_SLOW_PACE = 0.15
#: No market is worth less than this before it resolves, nor more than 1 less it: half a step of the fine grid.
_LEAST: Micro = FINE // 2
#: The prior chance that a voidable event ends 50-50.
_VOID = 0.03
#: Of all events, those on the fine price grid from the start.
_FINE = 0.25

#: The chance of each state from a time (venue milliseconds) on.
Path = list[tuple[int, list[float]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event: one opens every `interval` minutes and lasts between `shortest` and `longest` minutes."""

    author: Author
    interval: int
    shortest: int
    longest: int


#: Expected numbers of open markets: 1.9 + 2.5 + 3.6 + 4 + 2 events of 4.5 markets.
KINDS = (
    Kind(questions.coin_hour, 40, 60, 90),
    Kind(questions.game, 70, 140, 210),
    Kind(questions.today, 100, 280, 440),
    Kind(questions.ahead, 480, 1680, 2160),
    Kind(questions.contest, 270, 525, 540),
)
_LONGEST = max(kind.longest for kind in KINDS) * _MINUTE


class SyntheticWorld:
    """Invented markets. The same seed and start make the same markets."""

    last: int | None = None

    def __init__(self, seed: int, start: int) -> None:
        """Begin at venue time `start`; events that opened before and are still open then have a past."""
        self._seed = seed
        self.start = start
        self._event = lru_cache(maxsize=64)(self._make)

    def opening(self, after: int, until: int) -> list[Script]:
        """Return the scripts of markets that open within (after, until], by opening time."""
        events: list[tuple[int, int]] = []
        for kind in range(len(KINDS)):
            number = max(0, (after - self._opens(kind, 0)) // (KINDS[kind].interval * _MINUTE))
            while (opens := self._opens(kind, number)) <= until:
                if opens > after:
                    events.append((opens, number * len(KINDS) + kind))
                number += 1
        return [script for _, event in sorted(events) for script in self._event(event)]

    def script(self, record: MarketRecord) -> Script:
        """Return the script of a market that this world opened."""
        scripts = self._event(int(record.event_id) - _FIRST_ID)
        return next(script for script in scripts if script.record.condition_id == record.condition_id)

    def _opens(self, kind: int, number: int) -> int:
        interval = KINDS[kind].interval * _MINUTE
        phase = Random(f"{self._seed}/{kind}").randrange(interval // _MINUTE) * _MINUTE
        return self.start - _LONGEST + phase + number * interval

    def _make(self, event: int) -> tuple[Script, ...]:
        number, kind = divmod(event, len(KINDS))
        random = Random(f"{self._seed}/{kind}/{number}")
        opens = self._opens(kind, number)
        resolves = opens + random.randrange(KINDS[kind].shortest, KINDS[kind].longest + 1) * _MINUTE
        topic = KINDS[kind].author(random, opens, resolves)
        tick = FINE if random.random() < _FINE else COARSE
        payouts = _payouts(topic)
        priors = _priors(topic, random)
        winner = truth.draw(priors, random)
        pace = _SLOW_PACE if random.random() < _SLOW else 1.0
        bar = max(_BAR, (resolves - opens) // _BARS)

        @cache
        def chances() -> Path:
            steps = (resolves - opens) // bar
            drawn = truth.chances(priors, winner, steps, Random(f"{self._seed}/{kind}/{number}/path"))
            return [(opens + step * bar, exact) for step, exact in enumerate(drawn)]

        @cache
        def quotes() -> Path:
            shown = truth.quoted((exact for _, exact in chances()), pace)
            return [(at, quoted) for (at, _), quoted in zip(chances(), shown, strict=True)]

        return tuple(
            Script(
                self._record(event, index, topic, opens, resolves, tick),
                opens,
                resolves,
                (paid[winner], ONE - paid[winner]),
                partial(_both, quotes, paid),
                partial(_bars, chances, paid),
            )
            for index, paid in enumerate(payouts)
        )

    def _record(self, event: int, index: int, topic: Topic, opens: int, resolves: int, tick: Micro) -> MarketRecord:
        question = topic.questions[index]
        terms = TERMS[topic.category]
        event_id = str(_FIRST_ID + event)
        id = f"{event_id}{index}"
        name = f"{self._seed}/{event}"
        neg_risk = len(topic.questions) > 1
        return MarketRecord(
            id=id,
            condition_id=_hash(f"{name}/{index}/condition"),
            question_id=_hash(f"{name}/{index}/question"),
            question=question.text,
            slug=_slug(question.text, id),
            description=question.description,
            category=topic.category,
            tags=(topic.category, "synthetic"),
            event_id=event_id,
            event_slug=_slug(topic.title, event_id),
            event_title=topic.title,
            tokens=(str(int(_hash(f"{name}/{index}/0"), 16)), str(int(_hash(f"{name}/{index}/1"), 16))),
            outcomes=question.outcomes,
            tick=tick,
            min_size=_MIN_SIZE,
            fee=terms.fee,
            created=opens,
            start=opens,
            end=resolves,
            group_item_title=question.title,
            neg_risk=neg_risk,
            neg_risk_market_id=_hash(f"{name}/event") if neg_risk else "",
            seconds_delay=terms.seconds_delay,
            taker_delay=terms.taker_delay,
        )


def _both(path: Callable[[], Path], paid: Sequence[Micro]) -> tuple[Sequence[Bar], Sequence[Bar]]:
    bars = _bars(path, paid)
    return bars, complement(bars)


def _bars(path: Callable[[], Path], paid: Sequence[Micro]) -> Sequence[Bar]:
    return tuple((at, _worth(chances, paid)) for at, chances in path())


def _worth(chances: Sequence[float], paid: Sequence[Micro]) -> Micro:
    expected = round(sum(chance * share for chance, share in zip(chances, paid, strict=True)))
    return max(_LEAST, min(ONE - _LEAST, expected))


def _payouts(topic: Topic) -> list[tuple[Micro, ...]]:
    """Return what the first token of each market pays in each state."""
    if len(topic.questions) > 1:
        states = range(len(topic.questions))
        return [tuple(ONE if state == market else 0 for state in states) for market in states]
    return [(ONE, 0, ONE // 2) if topic.voidable else (ONE, 0)]


def _priors(topic: Topic, random: Random) -> Sequence[float]:
    """Return the prior chance of each state: even for coins, anything for the rest."""
    if len(topic.questions) > 1:
        weights = [random.uniform(0.05, 1.0) ** 2 for _ in topic.questions]
        return [weight / sum(weights) for weight in weights]
    yes = 0.5 if topic.category == "crypto" else random.uniform(0.06, 0.94)
    return (yes * (1 - _VOID), (1 - yes) * (1 - _VOID), _VOID) if topic.voidable else (yes, 1 - yes)


def _hash(name: str) -> str:
    return f"0x{sha256(name.encode()).hexdigest()}"


def _slug(text: str, id: str) -> str:
    return f"{sub(r'[^a-z0-9]+', '-', text.lower()).strip('-')[:80]}-{id}"

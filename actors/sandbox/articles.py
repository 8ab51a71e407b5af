"""Invented news of a market: when an article is published, and the noisy figure that it gives of what may come out.

Articles follow from the seed and the market's script alone, so that nothing is stored and any can be made again. The dates
follow from what is known when a market opens, so that they do not tell when it will resolve; the figure in an article
follows from what was known some time before its date, and a little from the outcome (`LEAK`): that is all that the news
knows of the future.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from actors.sandbox.article_texts import SOURCES, Figure, page, title
from actors.sandbox.injections import injection
from actors.sandbox.script import Script
from agents.money import ONE
from agents.odds import expit, logit

#: How far a figure leans towards the outcome, and how it scatters; both in log-odds.
LEAK = 0.3
NOISE = 0.5

_HOUR = 3_600_000
_DAY = 24 * _HOUR
#: Articles in the time that a market is meant to be open; a long one gets more, so that the last weeks always have some.
_FEWEST, _MOST = 6, 12
#: Venue milliseconds between two articles on average at most, and a market's life where it has no end.
_LONGEST_GAP = 10 * _DAY
_LIFE = 60 * _DAY
#: Figures are made from what was known this part of the mean gap before, at most.
_DELAY = 0.5
#: The part of figures that are given for the second outcome.
_OTHER_LEG = 0.3
#: Nothing is known more surely than this.
_LEAST = 0.002


class Kind(StrEnum):
    """What an article is: a figure, a figure the wrong way round, no figure, or an attack on whoever lets a model read it."""

    FIGURE = "figure"
    WRONG = "wrong"
    IDLE = "idle"
    HOSTILE = "hostile"


_SHARES = {Kind.FIGURE: 0.64, Kind.WRONG: 0.08, Kind.IDLE: 0.14, Kind.HOSTILE: 0.14}


@dataclass(frozen=True, slots=True)
class Story:
    """One article that a market gets; `published` is venue milliseconds (whole seconds), `delay` how old its knowledge is."""

    number: int
    published: int
    delay: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Article:
    """A published article; `published` is venue epoch milliseconds, `content` an HTML page."""

    id: str
    title: str
    source: str
    published: int
    content: str


def plan(seed: int, script: Script) -> tuple[Story, ...]:
    """Return the articles of a market by date, all before it resolves."""
    random = Random(f"{seed}/news/{script.record.condition_id}")
    end = script.record.end
    life = _LIFE if end is None or end < script.opens + _HOUR else end - script.opens
    gap = min(life / random.randint(_FEWEST, _MOST), _LONGEST_GAP)
    at = script.opens + gap * random.uniform(0.1, 0.4)
    stories: list[Story] = []
    while at < script.resolves:
        kind = random.choices(list(_SHARES), list(_SHARES.values()))[0] if stories else Kind.FIGURE
        stories.append(Story(len(stories), int(at) // 1000 * 1000, int(gap * random.uniform(0.0, _DELAY)), kind))
        at += gap * random.uniform(0.6, 1.4)
        if at > script.opens + life:
            gap *= 1.5
    return tuple(stories)


def write(seed: int, script: Script, story: Story) -> Article:
    """Return the article of a story."""
    record = script.record
    random = Random(f"{seed}/news/{record.condition_id}/{story.number}")
    source = random.choice(SOURCES)
    figure = _figure(script, story, random) if story.kind in (Kind.FIGURE, Kind.WRONG) else None
    attack = injection(record.outcomes, random) if story.kind is Kind.HOSTILE else None
    headline = title(record.question, figure is not None, random)
    content = page(record, headline, source, story.published, figure, attack, random)
    return Article(f"{record.id}-{story.number}", headline, source, story.published, content)


def _figure(script: Script, story: Story, random: Random) -> Figure:
    known = script.chance(max(script.opens, story.published - story.delay)) / ONE
    outcome = 2 * script.payouts[0] / ONE - 1
    odds = logit(min(max(known, _LEAST), 1 - _LEAST)) + LEAK * outcome + random.gauss(0.0, NOISE)
    chance = expit(-odds if story.kind is Kind.WRONG else odds)
    leg = int(random.random() < _OTHER_LEG)
    return Figure(script.record.outcomes[leg], 1 - chance if leg else chance)

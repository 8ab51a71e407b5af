"""The texts of synthetic markets. All names are invented, and every description says that the market is simulated."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

_NOTICE = "This is a simulated market: its people, teams, places and events are invented, and no real money is traded."

_PLACES = ("Northport", "Velda", "Saint Orlan", "Kestrel Bay", "Marrow Hills", "Tavira Sound", "Elmhollow", "Port Auber")
_COUNTRIES = ("Veldania", "Ostmark", "Caldera", "Norrland", "Estoria", "Meridia", "Tarrania", "Zephyria")
_PEOPLE = (
    "Ilse Brandt",
    "Tomas Okoye",
    "Mara Lindqvist",
    "Rafael Dantas",
    "Yuki Harrow",
    "Anselm Pike",
    "Priya Vance",
    "Goran Steele",
    "Lucia Ferrant",
    "Edda Moreau",
)
_TEAMS = (
    "Northport Herons",
    "Velda Comets",
    "Orlan Foxes",
    "Kestrel Kings",
    "Marrow Miners",
    "Tavira Sharks",
    "Elmhollow Owls",
    "Auber Anchors",
)
_COINS = ("Quarzo (QRZ)", "Veldcoin (VLD)", "Halcyx (HCX)", "Tessro (TSR)")
_COMPANIES = ("Ampersand Labs", "Corvid Systems", "Lodestar AI", "Nimbus Forge", "Palimpsest", "Quill & Co.")
_FILMS = ("The Glass Tide", "Ninth Harbour", "A Quiet Orchard", "Ironwood", "Salt and Static", "Paper Moons")
_WORDS = ("harbour", "inflation", "lighthouse", "windmill", "ceasefire", "subsidy")


@dataclass(frozen=True, slots=True)
class Question:
    """What a market asks; `title` is its short name within an event of several."""

    text: str
    description: str
    outcomes: tuple[str, str] = ("Yes", "No")
    title: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """What an event is about: one question, or one for each of several outcomes that exclude each other."""

    category: str
    title: str
    questions: tuple[Question, ...]
    #: May end 50-50 because what it asks about may not take place.
    voidable: bool = False


Author = Callable[[Random, int, int], Topic]


def coin_hour(random: Random, opens: int, ends: int) -> Topic:
    """Ask whether a coin rises; labels Up and Down."""
    coin = random.choice(_COINS)
    text = f"{coin} up or down, {_span(opens, ends)}?"
    rule = f'Resolves to "Up" if the simulated price of {coin} is higher at the end of the time than at its start.'
    return _single("crypto", text, rule, ("Up", "Down"))


def game(random: Random, opens: int, ends: int) -> Topic:
    """Ask who wins a game, or whether its points go over a line; a game that is called off ends 50-50."""
    home, away = random.sample(_TEAMS, 2)
    if random.random() < 0.5:
        text, outcomes = f"{home} vs. {away}, {_day(ends)}: who wins?", (home, away)
    else:
        line = random.randrange(180, 230) + 0.5
        text, outcomes = f"{home} vs. {away}, {_day(ends)}: total points over {line}?", ("Over", "Under")
    topic = _single("sports", text, "Resolves by the final score. If the game is called off, it resolves 50-50.", outcomes)
    return Topic(topic.category, topic.title, topic.questions, voidable=True)


def today(random: Random, opens: int, ends: int) -> Topic:
    """Ask about something that will be known within hours."""
    place, person, when = random.choice(_PLACES), random.choice(_PEOPLE), f"by {_time(ends)}"
    company, film, coin = random.choice(_COMPANIES), random.choice(_FILMS), random.choice(_COINS)
    category, text = random.choice(
        (
            ("weather", f"Will it rain more than {random.randrange(2, 20)} mm in {place} {when}?"),
            ("mentions", f"Will {person} say “{random.choice(_WORDS)}” at the {place} briefing {when}?"),
            ("tech", f"Will {company} release its next model {when}?"),
            ("culture", f"Will “{film}” sell {random.randrange(2, 9)}0,000 tickets {when}?"),
            ("finance", f"Will {company} close above ${random.randrange(40, 400)} {when}?"),
            ("economics", f"Will {random.choice(_COUNTRIES)} report inflation above {random.randrange(15, 60) / 10}% {when}?"),
            ("crypto", f"Will {coin} touch ${random.randrange(2, 90)}.00 {when}?"),
        )
    )
    return _single(category, text, "Resolves to “Yes” if this happens in the simulation in time, otherwise to “No”.")


def ahead(random: Random, opens: int, ends: int) -> Topic:
    """Ask about something that takes days."""
    country, other = random.sample(_COUNTRIES, 2)
    person, company, when = random.choice(_PEOPLE), random.choice(_COMPANIES), f"by {_time(ends)}"
    category, text = random.choice(
        (
            ("politics", f"Will {person} be confirmed as prime minister of {country} {when}?"),
            ("politics", f"Will the parliament of {country} pass the harbour bill {when}?"),
            ("geopolitics", f"Will {country} and {other} sign a ceasefire {when}?"),
            ("geopolitics", f"Will {country} recognise {other} {when}?"),
            ("economics", f"Will the central bank of {country} cut its rate {when}?"),
            ("tech", f"Will {company} top the Velda benchmark {when}?"),
            ("finance", f"Will {company} announce its listing {when}?"),
        )
    )
    return _single(category, text, "Resolves to “Yes” if this happens in the simulation in time, otherwise to “No”.")


def contest(random: Random, opens: int, ends: int) -> Topic:
    """Ask which of several outcomes comes true: an event of one market each, exactly one of which resolves to Yes."""
    place, country, day = random.choice(_PLACES), random.choice(_COUNTRIES), _day(ends)
    count = random.choice((3, 4, 4, 5, 5, 5, 6))
    low = random.randrange(4, 24)
    degrees = (f"{low}°C or below", *(f"{low + n}°C" for n in range(1, count - 1)), f"{low + count - 1}°C or higher")
    category, title, names, ask = random.choice(
        (
            ("politics", f"{place} mayoral election, {day}", _some(random, _PEOPLE, count), "Will {} win the {}?"),
            ("geopolitics", f"Host of the {country} peace talks, {day}", _some(random, _PLACES, count), "Will {} be the {}?"),
            ("geopolitics", f"First to quit the {place} accord, {day}", _some(random, _COUNTRIES, count), "Will {} be the {}?"),
            ("sports", f"{place} Cup, {day}", _some(random, _TEAMS, count), "Will the {} win the {}?"),
            ("culture", f"Lantern Award for the best film, {day}", _some(random, _FILMS, count), "Will “{}” win the {}?"),
            ("tech", f"Top model of the Velda benchmark, {day}", _some(random, _COMPANIES, count), "Will {} have the {}?"),
            ("weather", f"Highest temperature in {place}, {day}", degrees, "Will {} be the {}?"),
        )
    )
    rule = "Exactly one outcome of this event resolves to “Yes”."
    named = title if title.startswith((place, "Lantern")) else title[0].lower() + title[1:]
    questions = tuple(Question(ask.format(name, named), f"{rule} {_NOTICE}", title=name) for name in names)
    return Topic(category, title, questions)


def _single(category: str, text: str, rule: str, outcomes: tuple[str, str] = ("Yes", "No")) -> Topic:
    return Topic(category, text, (Question(text, f"{rule} {_NOTICE}", outcomes),))


def _some(random: Random, names: tuple[str, ...], count: int) -> tuple[str, ...]:
    return tuple(random.sample(names, count))


def _day(at: int) -> str:
    return f"{_utc(at):%d %b %Y}"


def _time(at: int) -> str:
    return f"{_utc(at):%d %b %Y, %H:%M} UTC"


def _span(start: int, end: int) -> str:
    return f"{_utc(start):%d %b %Y, %H:%M} to {_utc(end):%H:%M} UTC"


def _utc(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)

"""Market categories: the terms that the venue gives each one, and which one a recorded question belongs to."""

import re
from dataclasses import dataclass
from decimal import Decimal

from agents.model import FeeSchedule
from agents.money import Micro

COARSE: Micro = 10_000
FINE: Micro = 1_000

#: Prices of the first token within these bounds trade on the coarse grid, prices beyond them on the fine one.
_EDGES = (40_000, 960_000)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a category's markets have in common. `taker_delay` is wall milliseconds, `seconds_delay` whole seconds."""

    fee: FeeSchedule
    taker_delay: int = 0
    seconds_delay: int = 0


#: Taker fee rates as the venue charges them by category.
TERMS = {
    "crypto": Terms(FeeSchedule(Decimal("0.07")), taker_delay=150),
    "sports": Terms(FeeSchedule(Decimal("0.05")), taker_delay=1000, seconds_delay=1),
    "finance": Terms(FeeSchedule(Decimal("0.04"))),
    "politics": Terms(FeeSchedule(Decimal("0.04"))),
    "mentions": Terms(FeeSchedule(Decimal("0.04"))),
    "tech": Terms(FeeSchedule(Decimal("0.04"))),
    "economics": Terms(FeeSchedule(Decimal("0.05"))),
    "culture": Terms(FeeSchedule(Decimal("0.05"))),
    "weather": Terms(FeeSchedule(Decimal("0.05"))),
    "geopolitics": Terms(FeeSchedule(Decimal(0))),
    "other": Terms(FeeSchedule(Decimal("0.05"))),
}

#: The first category whose words a question has wins, so the narrow ones come first.
_WORDS = {
    "crypto": r"bitcoin|ethereum|solana|btc|eth|xrp|crypto|airdrop|fdv|token|stablecoin|public sale|polymarket us",
    "weather": r"named storms?|hurricanes?|temperature|rainfall|snowfall|earthquakes?",
    "mentions": r"(?:say|says|mention|mentions) ['\"“].*",
    "sports": r"super bowl|nfl|nba|nhl|mlb|ncaa|ufc|premier league|champions league|la liga|serie a|bundesliga|world cup"
    r"|australian open|french open|wimbledon|us open|masters tournament|grand prix|poker|fc|mvp|stanley cup",
    "geopolitics": r"strikes?|invades?|invasion|ceasefire|military|nuclear|captures?|iran|iranian|nato|hormuz|conflict|war",
    "economics": r"fed|rate cuts?|interest rates?|inflation|cpi|gdp|unemployment|recession|tariffs?",
    "finance": r"largest company|market cap|gold|silver|crude oil|s&p 500|nasdaq|stock|ipo|richest",
    "politics": r"elections?|presidents?|presidential|prime minister|nominee|nominate|governor|senate|government"
    r"|approval rating|parliament|parliamentary|mayor|trump|starmer",
    "tech": r"ai|claude|gpt|openai|llm|self driving|iphone|x banned",
    "culture": r"best picture|academy awards|oscars?|grammys?|spotify|movie|opening weekend|eurovision"
    r"|person of the year|album",
}
_RULES = tuple((category, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for category, words in _WORDS.items())


def classify(question: str) -> str:
    """Return the category of a question by its words; "other" if none fits."""
    return next((category for category, rule in _RULES if rule.search(question)), "other")


def tick_at(price: Micro) -> Micro:
    """Return the price grid of a market whose first token is worth `price`."""
    low, high = _EDGES
    return COARSE if low <= price <= high else FINE

"""The settings of the forecaster, from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from actors.settings import number_setting
from agents.errors import InvalidInput
from agents.forecasting.spend import Price, parse_prices
from agents.money import ONE, Micro, micro


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """`base_url` is an OpenAI-compatible server's, or empty; `rate` requests a second, `timeout` seconds of one request."""

    base_url: str = ""
    rate: float = 5.0
    timeout: float = 60.0
    concurrency: int = 8
    #: USD that all forecasts may cost in a wall day (UTC), in millionths.
    daily_budget: Micro = 20 * ONE
    prices: Mapping[str, Price] = field(default_factory=dict)

    @property
    def elsewhere(self) -> bool:
        """Whether the models of the provider openai are not OpenAI's own."""
        return bool(self.base_url) and urlsplit(self.base_url).hostname != "api.openai.com"


def llm_settings_from(environment: Mapping[str, str] = os.environ) -> LlmSettings:
    """Read OPENAI_BASE_URL and POLYFLEET_LLM_RATE, _TIMEOUT, _CONCURRENCY, _DAILY_BUDGET and _PRICES.

    Raises:
        InvalidInput: with the name of the first that is wrong.
    """
    default = LlmSettings()
    given = {name: value.strip() for name, value in environment.items()}
    return LlmSettings(
        base_url=_url(given.get("OPENAI_BASE_URL", "")),
        rate=number_setting(given, "POLYFLEET_LLM_RATE", default.rate, 0.01, 1000),
        timeout=number_setting(given, "POLYFLEET_LLM_TIMEOUT", default.timeout, 1, 3600),
        concurrency=int(number_setting(given, "POLYFLEET_LLM_CONCURRENCY", default.concurrency, 1, 200)),
        daily_budget=_budget(given.get("POLYFLEET_LLM_DAILY_BUDGET", ""), default.daily_budget),
        prices=parse_prices(given.get("POLYFLEET_LLM_PRICES", ""), "POLYFLEET_LLM_PRICES"),
    )


def _url(text: str) -> str:
    if text and (urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname):
        raise InvalidInput(f"OPENAI_BASE_URL: {text!r} is no web address; expected one such as http://127.0.0.1:8000/v1")
    return text


def _budget(text: str, default: Micro) -> Micro:
    try:
        budget = micro(text) if text else default
    except ValueError:
        budget = -1
    if budget < 0:
        raise InvalidInput(f"POLYFLEET_LLM_DAILY_BUDGET: {text!r} is not possible; expected USD a day, such as 20")
    return budget

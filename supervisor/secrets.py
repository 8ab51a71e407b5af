"""What of an environment is secret: other processes do not inherit it, and those that need it find it in a 0600 file."""

import json
from collections.abc import Mapping

from actors.config import SystemConfig
from actors.private_file import write_private
from actors.telegram.settings import VARIABLES as TELEGRAM

#: POLYFLEET_VENUE: what `polyfleet sandbox` prints has keys of its wallets beside the addresses.
_NAMES = frozenset(
    {
        "POLYGON_WALLET_PRIVATE_KEY",
        "TELEGRAM_BOT_TOKEN",
        "POLYFLEET_API_TOKEN",
        "POLYFLEET_API_TOKENS",
        "DATABASE_URL",
        "POLYFLEET_VENUE",
    }
)

#: Keys of providers end so, whoever they are: OPENAI_API_KEY, TAVILY_API_KEY, NEWS_API_KEY, ANTHROPIC_API_KEY, ...
_KEY = "_API_KEY"

#: Where names of settings begin that only the forecaster and the librarian read.
_SETTINGS = ("OPENAI_", "POLYFLEET_LLM_", "POLYFLEET_RSS_FEEDS", "POLYFLEET_CHROMA_URL")


def is_secret(name: str) -> bool:
    """Whether a variable of this name may hold a secret."""
    return name in _NAMES or name.endswith(_KEY)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what other processes may inherit of an environment."""
    return {name: value for name, value in environment.items() if not is_secret(name)}


def leave_providers(config: SystemConfig, environment: Mapping[str, str]) -> None:
    """Leave keys and settings of providers to the forecaster and the librarian; those of an earlier start are forgotten."""
    given = {name: value for name, value in environment.items() if value}
    wanted = [name for name in given if name.endswith(_KEY) or name.startswith(_SETTINGS)]
    write_private(config.providers_file, json.dumps({name: given[name] for name in wanted}))


def leave_telegram(config: SystemConfig, environment: Mapping[str, str]) -> None:
    """Leave the settings of Telegram to the notifier; those of an earlier start are forgotten."""
    given = {name: environment[name] for name in TELEGRAM if environment.get(name)}
    write_private(config.telegram_file, json.dumps(given))

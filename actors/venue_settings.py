"""Settings that say where a venue answers, for paper and live mode."""

import ipaddress
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agents.errors import InvalidInput
from agents.ports import Endpoints

#: The addresses of a venue and the settings that give them.
_NAMES = {
    "gamma_url": ("POLYFLEET_GAMMA_URL", "gammaUrl", ("http", "https")),
    "clob_url": ("POLYFLEET_CLOB_URL", "clobUrl", ("http", "https")),
    "data_url": ("POLYFLEET_DATA_URL", "dataUrl", ("http", "https")),
    "relayer_url": ("POLYFLEET_RELAYER_URL", "relayerUrl", ("http", "https")),
    "rpc_url": ("POLYFLEET_RPC_URL", "rpcUrl", ("http", "https")),
    "market_ws_url": ("POLYFLEET_MARKET_WS_URL", "marketWsUrl", ("ws", "wss")),
    "user_ws_url": ("POLYFLEET_USER_WS_URL", "userWsUrl", ("ws", "wss")),
}
#: What nothing is asked of in paper mode.
_TRADING = ("relayer_url", "rpc_url", "user_ws_url")

#: The JSON line of `polyfleet sandbox`, or a file of it: all addresses at once.
ALL = "POLYFLEET_VENUE"


def venue_from(environment: Mapping[str, str], mode: str) -> Endpoints | None:
    """Return the venue that the settings name, or None for the real one at its own addresses.

    The keys that `polyfleet sandbox` prints beside are not looked at.

    Raises:
        InvalidInput: if an address is none, or if some are given and others not: those would be the real venue's.
    """
    named = {part: environment[name] for part, (name, _, _) in _NAMES.items() if environment.get(name)}
    if mode == "sandbox" or not (named or environment.get(ALL)):
        return None
    found = _all(environment.get(ALL, "")) | named
    if found.keys() == {"rpc_url"}:
        # Nobody's RPC node is the venue's own.
        from actors.polymarket.environment import POLYMARKET

        found = {part: str(getattr(POLYMARKET, part)) for part in _NAMES} | found
    needed = [part for part in _NAMES if mode == "live" or part not in _TRADING]
    if missing := [_NAMES[part][0] for part in needed if part not in found]:
        raise InvalidInput(f"{', '.join(missing)}: not set, and other addresses of the venue are; set all of them, or none")
    for part, url in found.items():
        name, _, schemes = _NAMES[part]
        _check(name, schemes, url)
    urls = {part: found.get(part, "").rstrip("/") for part in _NAMES}
    local = {part: _is_local(url) for part, url in urls.items() if url}
    if any(local.values()) and not all(value for part, value in local.items() if part != "rpc_url"):
        away = next(part for part, value in local.items() if not value)
        raise InvalidInput(f"{_NAMES[away][0]}: {urls[away]} is not on this machine, and other addresses of the venue are")
    return Endpoints(**urls, simulated=local["clob_url"])


def as_variables(venue: Endpoints) -> dict[str, str]:
    """Return the settings that say what these addresses do."""
    return {name: getattr(venue, part) for part, (name, _, _) in _NAMES.items() if getattr(venue, part)}


def _all(text: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        said: Any = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text())
        return {part: str(said[key]) for part, (_, key, _) in _NAMES.items() if key in said}
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput(
            f"{ALL}: expected the JSON that `polyfleet sandbox` prints, or a file of it ({type(error).__name__})"
        ) from None


def _check(name: str, schemes: tuple[str, ...], url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname:
        raise InvalidInput(f"{name}: {url!r} is not possible; expected a URL such as {schemes[-1]}://host/path")


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

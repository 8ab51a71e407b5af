"""Numbers among the settings of an environment."""

import os
from collections.abc import Mapping

from agents.errors import InvalidInput

#: No setting without a limit of its own is as large as this.
_HUGE = 1e15


def number_setting(environment: Mapping[str, str], name: str, default: float, least: float, most: float | None = None) -> float:
    """Return a number that a variable holds, or the default if there is none or it is empty.

    Raises:
        InvalidInput: for what is no number, or below `least` or above `most`.
    """
    text = environment.get(name) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = -1
    if least <= number < _HUGE and (most is None or number <= most):
        return number
    expected = f"at least {least:g}" if most is None else f"from {least:g} to {most:g}"
    raise InvalidInput(f"{name}: {text!r} is not possible; expected a number{', ' if most is None else ' '}{expected}")


def heartbeat_from(environment: Mapping[str, str] = os.environ) -> bool:
    """Read POLYFLEET_HEARTBEAT: on, which is the default, or off. Raises InvalidInput."""
    said = (environment.get("POLYFLEET_HEARTBEAT") or "on").strip().lower()
    if said not in ("on", "off"):
        raise InvalidInput(f"POLYFLEET_HEARTBEAT: {said!r} is not possible; expected on or off")
    return said == "on"

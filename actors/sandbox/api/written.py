"""How clients write addresses, numbers and words of 32 bytes in JSON."""

import re
from typing import Any

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
NUMBER = re.compile(r"[0-9]{1,78}")
WORD = re.compile(r"0x[0-9a-fA-F]{64}")


def matching(pattern: re.Pattern[str], value: Any) -> str:
    """Return text that is as it must be. Raises ValueError for anything else."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError
    return value

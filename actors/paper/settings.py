"""What a simulated wallet of paper mode begins with, and how far away the venue is."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from actors.settings import number_setting
from agents.money import ONE, Micro


@dataclass(frozen=True, slots=True)
class PaperSettings:
    """`cash`: what a new wallet has; `latency`: the seconds that an order or a cancellation takes to reach the venue."""

    cash: Micro = 100_000 * ONE
    latency: float = 0.25


def paper_settings_from(environment: Mapping[str, str]) -> PaperSettings:
    """Read POLYFLEET_PAPER_CASH (pUSD) and POLYFLEET_PAPER_LATENCY (milliseconds). Raises InvalidInput."""
    cash = number_setting(environment, "POLYFLEET_PAPER_CASH", 100_000, 1, 1_000_000_000)
    latency = number_setting(environment, "POLYFLEET_PAPER_LATENCY", 250, 0, 60_000)
    return PaperSettings(round(cash * 100) * (ONE // 100), latency / 1000)


def paper_address(wallet: str) -> str:
    """Return the made-up address of a paper wallet; nobody has a key for it."""
    return "0x" + "0" * 24 + hashlib.sha256(f"polyfleet paper wallet {wallet}".encode()).hexdigest()[:16]

"""Amounts as the venue's JSON numbers."""

from agents.money import ONE, Micro, number


def plain(amount: Micro) -> int | float:
    """Write millionths as a JSON number, a whole one without a fraction: 5, not 5.0."""
    return number(amount) if amount % ONE else amount // ONE

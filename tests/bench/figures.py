"""How figures are made of samples, and how they are printed: each beside what it is compared with, and the goal."""

from collections.abc import Sequence
from statistics import median


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the value below which a share of the samples lies."""
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * share))]


def ratio_of(ours: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of the ratios of samples that were taken in turns, each pair close together."""
    return median(one / other for one, other in zip(ours, base, strict=True))


def show(name: str, value: float, unit: str, note: str = "") -> None:
    """Print one figure at once: a run takes minutes."""
    digits = 0 if value >= 1000 or unit == "/s" else 2
    print(f"{name:<52}{value:9.{digits}f} {unit:<3} {note}".rstrip(), flush=True)


def compare(ours: tuple[str, float], base: tuple[str, float], unit: str, ratio: float, goal: str) -> None:
    """Print two figures, their ratio and its goal."""
    show(*ours, unit)
    show(*base, unit, f"ratio {ratio:.2f}  (goal {goal})")

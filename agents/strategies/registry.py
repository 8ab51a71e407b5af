"""Strategies by name, found through the entry points of every installed package."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from agents.errors import InvalidInput
from agents.strategies.strategy import Strategy
from agents.validation import invalid, wrong

#: The entry point group that a package adds its strategies to.
GROUP = "polyfleet.strategies"


@cache
def _found() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> tuple[str, ...]:
    """Return the names of all strategies, sorted."""
    return tuple(sorted(_found()))


def load(name: str) -> type[Strategy[Any]]:
    """Return the class of a strategy.

    Raises:
        InvalidInput: if there is none of that name, or its package cannot be imported.
    """
    point = _found().get(name)
    if point is None:
        raise wrong("strategy", f"there is no {name!r}; there are {', '.join(names()) or 'none: install the package again'}")
    try:
        found = point.load()
    except Exception as error:
        raise wrong("strategy", f"{name!r} cannot be loaded from {point.value}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise wrong("strategy", f"{name!r} is {point.value}, which is not a subclass of {Strategy.__qualname__}")
    return found


def check(name: str, params: Mapping[str, Any]) -> None:
    """Make a strategy once, to see whether it can be.

    Raises:
        InvalidInput: as `create` does, and whatever else its constructor fails with.
    """
    try:
        create(name, params)
    except InvalidInput:
        raise
    except Exception as error:
        raise wrong("strategy", f"{name!r} cannot be made: {type(error).__name__}: {error}") from error


def create(name: str, params: Mapping[str, Any]) -> Strategy[Any]:
    """Return a strategy with these params.

    Raises:
        InvalidInput: if there is none of that name, or a param is unknown, of the wrong type or out of bounds.
    """
    strategy = load(name)
    try:
        return strategy(strategy.params_type.model_validate(dict(params)))
    except ValidationError as error:
        raise invalid(error, "params") from None

"""From what a user wrote to the fields of a spec that change: pure, and what is no field is refused."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from agents.errors import InvalidInput
from supervisor.fleet_file import parse_yaml


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that differ.

    Raises:
        InvalidInput: if a field has gone: it has no value to change to.
    """
    gone = [name for name in before if name not in after]
    if gone:
        raise InvalidInput(f"{gone[0]}: the field has gone; give it a value")
    return {name: value for name, value in after.items() if name not in before or before[name] != value}


def settings(spec: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Return the fields that assignments such as `params.size=5` change, each as a whole; values are written as in YAML.

    Raises:
        InvalidInput: if one is no assignment or names no field; what stands in `params` is the strategy's.
    """
    changed: dict[str, Any] = {}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        field, *inner = path.strip().split(".")
        if not equals or not all((field, *inner)):
            raise InvalidInput(f"--set: {assignment!r} is no assignment, expected one such as params.size=5")
        if field not in spec or field == "id":
            there = ", ".join(name for name in spec if name != "id")
            raise InvalidInput(f"--set: there is no field {field!r} to change; there are {there}")
        parsed = parse_yaml(value, f"--set {path.strip()}")
        changed[field] = _placed(changed.get(field, spec[field]), inner, parsed, path) if inner else parsed
    return changed


def _placed(content: Any, inner: Sequence[str], value: Any, path: str) -> Any:
    """Return a copy of a mapping with a value in its place."""
    whole = deepcopy(content)
    place = whole
    for step in inner[:-1]:
        place = place.setdefault(step, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise InvalidInput(f"--set: {path!r} leads into something that has no fields")
    place[inner[-1]] = value
    return whole

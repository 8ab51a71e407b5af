"""Reading what users write as YAML: the fleet file with the agents that a new fleet starts with, and single specs."""

from pathlib import Path
from typing import NamedTuple

import yaml

from agents.errors import InvalidInput
from agents.limits.settings import RiskSettings
from agents.roster import parse_limits, parse_roster
from agents.spec import AgentSpec


class FleetFile(NamedTuple):
    """What a fleet file says: its agents, and the limits, of which those that it leaves out have their defaults."""

    agents: tuple[AgentSpec, ...]
    limits: RiskSettings


def read_fleet_file(path: Path) -> FleetFile:
    """Return what a fleet file says.

    Raises:
        InvalidInput: if it cannot be read, is not YAML (with the line) or describes no valid agents (with agent and field).
    """
    source = f"fleet file {path}"
    content = parse_yaml(read_text(path, source), source)
    return FleetFile(parse_roster(content, source), parse_limits(content, source))


def read_fleet(path: Path) -> tuple[AgentSpec, ...]:
    """Return the agents of a fleet file. Raises InvalidInput as `read_fleet_file`."""
    return read_fleet_file(path).agents


def read_text(path: Path, source: str) -> str:
    """Return the text of a file; `source` is what the error names. Raises InvalidInput."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{source} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{source} is not UTF-8 text") from None


def parse_yaml(text: str, source: str) -> object:
    """Return what YAML describes; `source` is what the error names. Raises InvalidInput with the line."""
    try:
        content: object = yaml.load(text, _UniqueKeys)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise InvalidInput(f"{source}{line}: not valid YAML, {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise InvalidInput(f"{source}: not valid YAML, {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InvalidInput(f"{source}: not valid YAML, it is nested too deeply") from None
    return content


class _UniqueKeys(yaml.SafeLoader):
    """A safe loader for which a field that is written twice is a mistake, not an override."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        keys: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in keys:
                raise yaml.constructor.ConstructorError(None, None, f"the field {key.value!r} is written twice", key.start_mark)
            keys.add(key.value)
        return super().construct_mapping(node, deep)

"""Reading the fleet file: the agents that a new fleet starts with, as YAML."""

from pathlib import Path

import yaml

from agents.errors import InvalidInput
from agents.roster import parse_roster
from agents.spec import AgentSpec


def read_fleet(path: Path) -> tuple[AgentSpec, ...]:
    """Return the agents of a fleet file.

    Raises:
        InvalidInput: if it cannot be read, is not YAML (with the line) or describes no valid agents (with agent and field).
    """
    source = f"fleet file {path}"
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise InvalidInput(f"{source} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{source} is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise InvalidInput(f"{source}{line}: not valid YAML, {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise InvalidInput(f"{source}: not valid YAML, {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InvalidInput(f"{source}: not valid YAML, it is nested too deeply") from None
    return parse_roster(content, source)


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

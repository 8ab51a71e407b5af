"""The agents of a fleet file: parsed data in, checked specs out."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from agents.errors import InvalidInput
from agents.spec import AgentSpec
from agents.strategies.registry import create
from agents.validation import explain


def parse_spec(fields: Mapping[str, Any]) -> AgentSpec:
    """Return a spec whose strategy exists and takes its params.

    Raises:
        InvalidInput: with the field and what was expected.
    """
    try:
        spec = AgentSpec.model_validate(dict(fields))
    except ValidationError as error:
        raise InvalidInput(explain(error)) from None
    create(spec.strategy, spec.params)
    return spec


def parse_roster(content: Any, source: str) -> tuple[AgentSpec, ...]:
    """Return the specs of `{"agents": [...]}`, in order; `source` names the file in errors.

    Raises:
        InvalidInput: with the file, the agent and the field of the first mistake.
    """
    if not isinstance(content, Mapping) or not isinstance(content.get("agents"), list):
        raise InvalidInput(f'{source}: expected "agents:" with a list of agents below it')
    unknown = [str(key) for key in content if key != "agents"]
    if unknown:
        raise InvalidInput(f'{source}: there is no field {unknown[0]!r}; only "agents" is known here')
    specs: dict[str, AgentSpec] = {}
    for n, fields in enumerate(content["agents"], start=1):
        place = f"{source}: agent {n}"
        if not isinstance(fields, Mapping) or not all(isinstance(key, str) for key in fields):
            raise InvalidInput(f"{place}: expected fields such as id and strategy, not {str(fields)[:60]!r}")
        if isinstance(fields.get("id"), str):
            place += f" ({fields['id'][:63]})"
        try:
            spec = parse_spec(fields)
        except InvalidInput as error:
            raise InvalidInput(f"{place}: {error}") from None
        if spec.id in specs:
            raise InvalidInput(f"{place}: id: agent {list(specs).index(spec.id) + 1} has the same; each needs its own")
        specs[spec.id] = spec
    return tuple(specs.values())

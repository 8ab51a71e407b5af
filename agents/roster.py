"""The agents of a fleet file: parsed data in, checked specs out."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from pydantic import ValidationError

from agents.errors import InvalidInput
from agents.limits.settings import RiskSettings
from agents.spec import AgentSpec
from agents.strategies.registry import check
from agents.validation import explain

#: The fields of an agent that have fields of their own, for which the defaults stand one by one.
_MERGED = ("restart", "risk")


def parse_spec(fields: Mapping[str, Any]) -> AgentSpec:
    """Return a spec whose strategy exists and takes its params.

    Raises:
        InvalidInput: with the field and what was expected.
    """
    try:
        spec = AgentSpec.model_validate(dict(fields))
    except ValidationError as error:
        raise InvalidInput(explain(error)) from None
    check(spec.strategy, spec.params)
    return spec


def parse_limits(content: Any, source: str) -> RiskSettings:
    """Return the fleet's limits: the section `risk` of a fleet file, or the defaults; `source` names the file in errors.

    Raises:
        InvalidInput: with the file and the field of the first mistake.
    """
    section = content.get("risk") if isinstance(content, Mapping) else None
    try:
        return RiskSettings.model_validate({} if section is None else section)
    except ValidationError as error:
        raise InvalidInput(f"{source}: {explain(error, 'risk')}") from None


def parse_roster(content: Any, source: str) -> tuple[AgentSpec, ...]:
    """Return the specs of `{"defaults": {...}, "agents": [...]}`, in order; `source` names the file in errors.

    The defaults, if there are any, stand for what an agent does not say; those of `restart` and `risk` field by field.

    Raises:
        InvalidInput: with the file, the agent and the field of the first mistake.
    """
    if not isinstance(content, Mapping) or not isinstance(content.get("agents"), list):
        raise InvalidInput(f'{source}: expected "agents:" with a list of agents below it')
    unknown = [str(key) for key in content if key not in ("agents", "defaults", "risk")]
    if unknown:
        raise InvalidInput(f'{source}: there is no field {unknown[0]!r}; only "agents", "defaults" and "risk" are known here')
    parse_limits(content, source)
    defaults = content.get("defaults", {})
    if not _fields(defaults) or "id" in defaults or not all(_fields(defaults.get(name, {})) for name in _MERGED):
        raise InvalidInput(f"{source}: defaults: expected fields of agents such as restart or budget, and no id")
    specs: dict[str, AgentSpec] = {}
    for n, fields in enumerate(content["agents"], start=1):
        place = f"{source}: agent {n}"
        if not _fields(fields):
            raise InvalidInput(f"{place}: expected fields such as id and strategy, not {str(fields)[:60]!r}")
        if isinstance(fields.get("id"), str):
            place += f" ({fields['id'][:63]})"
        try:
            spec = parse_spec(_with_defaults(fields, defaults))
        except InvalidInput as error:
            raise InvalidInput(f"{place}: {error}") from None
        if spec.id in specs:
            raise InvalidInput(f"{place}: id: agent {list(specs).index(spec.id) + 1} has the same; each needs its own")
        specs[spec.id] = spec
    return tuple(specs.values())


def _fields(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _with_defaults(fields: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**defaults, **fields}
    for name in _MERGED:
        own, common = fields.get(name), defaults.get(name)
        if _fields(own) and _fields(common):
            merged[name] = {**common, **own}
    return merged

"""An agent's params and limits as a form: fields from the strategy's own model, checked by REST, mistakes at their field."""

import json
from collections.abc import Mapping
from typing import Any

from nicegui import ui
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from agents.errors import InvalidInput
from agents.fleet import AgentRecord
from agents.spec import AgentSpec
from agents.strategies import registry
from supervisor.dashboard.live import Live
from supervisor.dashboard.rest import Refused

#: The fields of a spec that may be edited here, besides its params.
_LIMITS = ("budget", "max_trade_amount", "min_confidence", "interval")

_HINTS = {
    "budget": "The cash that it may use, in pUSD.",
    "max_trade_amount": "The most that one decision may spend, in pUSD.",
    "min_confidence": "Decisions below this are held.",
    "interval": "Seconds of the venue's clock between decisions.",
}


class _Field:
    """One input. `value` is what REST is given; text that is no JSON is left to REST to refuse."""

    def __init__(self, name: str, field: FieldInfo | None, value: Any, hint: str) -> None:
        self.name = name
        self._kind = type(value)
        self.input: Any
        if isinstance(value, bool):
            self.input = ui.switch(name, value=value)
        elif isinstance(value, int | float) or (value is None and field is not None and field.annotation in (int, float)):
            self.input = ui.number(name, value=value, format=None).props("outlined dense step=any")
        else:
            self.input = ui.input(name, value=value if isinstance(value, str) else json.dumps(value)).props("outlined dense")
        if hint and not isinstance(value, bool):
            self.input.props["hint"] = hint
            self.input.update()

    @property
    def value(self) -> Any:
        """What was entered."""
        entered = self.input.value
        if issubclass(self._kind, int) and isinstance(entered, float) and entered.is_integer():
            return int(entered)
        if self._kind in (list, tuple, dict, type(None)) and isinstance(entered, str):
            try:
                return json.loads(entered)
            except ValueError:
                return entered
        return entered

    def complain(self, message: str | None) -> None:
        """Show a mistake at the input, or take it away."""
        if hasattr(self.input, "error"):
            self.input.error = message


def agent_form(live: Live, record: AgentRecord) -> None:
    """Build the form."""
    spec = record.spec
    fields = _spec_fields(spec)
    trouble = ui.label("").classes("pf-down").props('role="alert"')

    async def save() -> None:
        for field in fields.values():
            field.complain(None)
        trouble.set_text("")
        changes = _changes(live.desk.context.agent(spec.id).spec, fields)
        if not changes:
            ui.notify("Nothing was changed")
            return
        try:
            await live.desk.rest.call("PATCH", f"/api/agents/{spec.id}", changes)
        except Refused as error:
            trouble.set_text(str(error))
            for name, message in error.details:
                if name in fields:
                    fields[name].complain(message)
            return
        ui.notify("Saved; the agent goes on with it", type="positive")
        await live.refresh()

    ui.button("Save", on_click=save).props("dense").style("margin-top: 8px")


def _spec_fields(spec: AgentSpec) -> dict[str, _Field]:
    wire = spec.wire()
    fields: dict[str, _Field] = {}
    with ui.element("div").classes("pf-form"):
        for name in _LIMITS:
            key = to_camel(name)
            fields[key] = _Field(key, AgentSpec.model_fields[name], wire[key], _HINTS[name])
        for key, (info, value) in _params(spec).items():
            fields[f"params.{key}"] = _Field(key, info, value, (info.description if info else "") or "")
    return fields


def _params(spec: AgentSpec) -> Mapping[str, tuple[FieldInfo | None, Any]]:
    """Return the strategy's params by their names on the wire, with what they are now."""
    try:
        params_type = registry.load(spec.strategy).params_type
        now = params_type.model_validate(spec.params).model_dump(mode="json", by_alias=True)
    except (InvalidInput, ValueError):
        return {name: (None, value) for name, value in spec.params.items()}
    infos = {info.alias or to_camel(name): info for name, info in params_type.model_fields.items()}
    return {name: (infos.get(name), value) for name, value in now.items()}


def _changes(spec: AgentSpec, fields: Mapping[str, _Field]) -> dict[str, Any]:
    """Return what differs from the spec; params go as a whole, those that are at their default left out unless given."""
    wire, params = spec.wire(), {name: value for name, (_, value) in _params(spec).items()}
    changes: dict[str, Any] = {}
    changed_params = dict(wire["params"])
    for name, field in fields.items():
        if not name.startswith("params."):
            if field.value != wire[name]:
                changes[name] = field.value
        elif field.value != params.get(name.removeprefix("params.")):
            changed_params[name.removeprefix("params.")] = field.value
    return changes | ({"params": changed_params} if changed_params != wire["params"] else {})

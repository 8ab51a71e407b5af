"""The commands of `polyfleet agents`: list, create, edit, clone and delete agents of a running fleet."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from agents.errors import InvalidInput, PolyfleetError
from supervisor.client import FleetClient
from supervisor.console import Agent, Json, Token, Url, client, confirm, line, note, out, print_json, table
from supervisor.fleet_file import parse_yaml, read_text
from supervisor.spec_changes import changes, settings

if TYPE_CHECKING:
    from supervisor.client.answers import AgentStatus

app = typer.Typer(invoke_without_command=True, help="List the agents and how they do; create, edit, clone and delete them.")

Set = Annotated[
    list[str] | None, typer.Option("--set", help="A field and its value, such as params.size=5; may be given several times.")
]

#: What edits when neither VISUAL nor EDITOR is set.
_EDITOR = "vi"


@app.callback()
def agents(context: typer.Context, url: Url = None, token: Token = None, as_json: Json = False) -> None:
    """List the agents and how they do; create, edit, clone and delete them."""
    if context.invoked_subcommand:
        # What the environment says counts for the subcommand too; what was typed here would be lost.
        typed = [
            name for name in context.params if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
        ]
        if typed:
            raise InvalidInput(f"give --{typed[0].removeprefix('as_')} after {context.invoked_subcommand}")
        return None
    found = client(url, token).agents()
    if as_json:
        return print_json(found)
    shown = table("agent", "strategy", "state", "life", "restarts", "decisions", "trades", "profit", "last error")
    for agent in found["agents"]:
        shown.add_row(
            agent["id"],
            agent["strategy"],
            agent["state"] + (f" (blocked: {agent['blocked']})" if agent["blocked"] else ""),
            str(agent["incarnation"]),
            str(agent["restarts"]),
            str(agent["totalDecisions"]),
            str(agent["totalTrades"]),
            f"{agent['totalProfit']:.2f}",
            (agent["lastError"] or "")[:60],
        )
    return out.print(shown)


@app.command()
def create(
    file: Annotated[str, typer.Argument(help="A file with the agent's spec as YAML or JSON; - reads it from the input.")],
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Create an agent and, if it is enabled, start it."""
    source = "the input" if file == "-" else f"file {file}"
    text = sys.stdin.read() if file == "-" else read_text(Path(file), source)
    _tell(client(url, token).create(_mapping(text, source)), "was created", as_json)


@app.command()
def edit(
    agent: Agent,
    assignments: Set = None,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Change an agent's spec while it runs: in $EDITOR, as YAML, or with --set."""
    api = client(url, token)
    spec = api.agent(agent)["spec"]
    if assignments:
        _tell(api.update(agent, settings(spec, assignments)), "was changed", as_json)
        return
    changed = _edited(api, agent, spec)
    if changed is None:
        note("nothing was changed")
    else:
        _tell(changed, "was changed", as_json)


@app.command()
def clone(
    agent: Agent,
    new: Annotated[str, typer.Argument(help="The id of the new one.")],
    assignments: Set = None,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Create an agent with the spec of another one, and what --set says changed."""
    api = client(url, token)
    changed = settings(api.agent(agent)["spec"], assignments) if assignments else {}
    _tell(api.clone(agent, new, **changed), "was created", as_json)


@app.command()
def delete(
    agent: Agent,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Stop an agent, if need be, and remove it; what it holds goes to its wallet's unallocated book."""
    api = client(url, token)
    if not yes:
        status = api.agent(agent)
        confirm(f"Delete {agent} ({status['strategy']}, {status['state']})?")
    answer = api.delete(agent)
    if as_json:
        print_json(answer)
    else:
        line(f"{agent} was deleted")


def _edited(api: FleetClient, agent: str, spec: dict[str, Any]) -> "AgentStatus | None":
    """Let the user edit a spec until the fleet takes it or the user gives up; None if nothing was changed."""
    shown = {name: value for name, value in spec.items() if name != "id"}
    head = f"# The spec of {agent}; it is changed when you save and leave.\n"
    text = head + yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)
    while True:
        text = _in_editor(text)
        try:
            changed = changes(shown, _mapping(text, "the spec"))
            return api.update(agent, changed) if changed else None
        except InvalidInput as error:
            note(str(error))
            confirm("Edit again?", default=True)


def _in_editor(text: str) -> str:
    """Return what the user makes of a text; the file is private and gone afterwards.

    Raises:
        InvalidInput: if there is no such editor.
        PolyfleetError: if it says that it failed.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _EDITOR
    with tempfile.TemporaryDirectory(prefix="polyfleet-") as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            # The user's own program.
            code = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode  # noqa: S603
        except OSError as error:
            raise InvalidInput(f"the editor {editor!r} cannot be run ({error.strerror}); set EDITOR, or use --set") from None
        if code:
            raise PolyfleetError(f"the editor {editor!r} ended with {code}; nothing was changed")
        return read_text(file, "the spec")


def _mapping(text: str, source: str) -> dict[str, Any]:
    content = parse_yaml(text, source)
    if not isinstance(content, dict):
        raise InvalidInput(f"{source} must be fields of an agent, such as strategy: momentum, not {type(content).__name__}")
    return {str(name): value for name, value in content.items()}


def _tell(status: "AgentStatus", what: str, as_json: bool) -> None:
    if as_json:
        print_json(status)
    else:
        line(f"{status['id']} {what}; it is {status['state']}")

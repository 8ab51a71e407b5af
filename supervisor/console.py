"""What the commands that talk to a running fleet share: their options, the client, and how they print."""

import json
import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from supervisor.client import FleetClient

Url = Annotated[str | None, typer.Option(envvar="POLYFLEET_URL", help="The fleet's address; default: loopback at PORT.")]
Token = Annotated[str | None, typer.Option(envvar="POLYFLEET_API_TOKEN", help="The API token, if one is set.")]
Json = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]
Agent = Annotated[str, typer.Argument(help="The agent's id.")]

#: Columns of text; all others are figures.
_TEXTS = frozenset({"service", "state", "agent", "scope", "rule", "strategy", "wallet", "outcome", "market", "last error"})


class ReaderGone(Exception):
    """Raised when nobody reads what is printed any more, as in `polyfleet events | head`."""


class _Output(Console):
    def on_broken_pipe(self) -> NoReturn:
        raise ReaderGone


# A pipe has no width; 80 columns would break every table.
out = _Output(highlight=False, width=None if sys.stdout.isatty() else 200)


def client(url: str | None, token: str | None) -> FleetClient:
    """Return a client of the fleet that the options name, by default of the one at PORT here."""
    return FleetClient(url or f"http://127.0.0.1:{os.environ.get('PORT', '3001')}", token)


def table(*columns: str) -> Table:
    """Return an empty table; figures stand at the right."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(column, justify="left" if column in _TEXTS else "right", overflow="fold")
    return made


def line(text: str) -> None:
    """Print one line as it is, however long."""
    out.print(text, soft_wrap=True, markup=False)


def print_json(content: Any, indent: int | None = 2) -> None:
    """Print JSON, on one line if `indent` is None. Raises ReaderGone."""
    print_text(json.dumps(content, indent=indent) + "\n")


def print_text(text: str) -> None:
    """Print a text to its last character as it is. Raises ReaderGone."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None


def note(sentence: str) -> None:
    """Tell something that is no part of the output."""
    sys.stderr.write(f"polyfleet: {sentence}\n")


def confirm(question: str, *, default: bool = False) -> None:
    """Ask on stderr, as what is printed may be read by a program; raises Abort unless the answer is yes."""
    sys.stderr.write(f"{question} [{'Y/n' if default else 'y/N'}]: ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if answer.strip().lower() not in ("y", "yes") and not (default and answer.strip() == "" and answer):
        raise typer.Abort

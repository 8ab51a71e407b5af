"""A table of rows that change: the browser is sent what has changed of them, and nothing else."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from supervisor.dashboard.app import PREFIX

#: A row: its `key`, and a cell by the name of its column: a plain value, or {text, sub, to, tone}.
Row = dict[str, Any]


def column(name: str, label: str, kind: str = "text", *, sort: bool = False, narrow: bool = True) -> dict[str, Any]:
    """Describe a column. `kind` is how the component shows its cells, `narrow` whether it is shown on a phone too.

    Kinds: text, long, number, signed, state, time, ago, spark, actions, details.
    """
    return {"name": name, "label": label, "kind": kind, "sort": sort, "narrow": narrow}


class LiveTable(Element, component="live_table.js"):
    """Shows rows in a given order. All text is shown as text, never as HTML."""

    def __init__(
        self,
        caption: str,
        columns: Sequence[dict[str, Any]],
        *,
        empty: str = "Nothing yet.",
        search: bool = False,
        on_action: Callable[[str, str], Awaitable[None]] | None = None,
    ) -> None:
        """Name it for screen readers, say what an empty one shows, and what a row's button does: (action, key)."""
        super().__init__()
        self._props |= {
            "prefix": PREFIX,
            "caption": caption,
            "columns": list(columns),
            "empty": empty,
            "search": search,
            "rows": [],
        }
        if on_action:

            async def act(event: GenericEventArguments) -> None:
                await on_action(str(event.args["action"]), str(event.args["key"]))

            self.on("action", act)

    def put(self, rows: Sequence[Row]) -> None:
        """Show these rows."""
        before: list[Row] = self._props["rows"]
        known = {row["key"]: row for row in before}
        changed = [row for row in rows if known.get(row["key"]) != row]
        order = [row["key"] for row in rows]
        if not changed and order == list(known):
            return
        # A browser that loads the page is given the prop; one that has it is sent the difference. To set the prop in the
        # usual way would send it as a whole.
        dict.__setitem__(self._props, "rows", list(rows))
        if self.client.has_socket_connection:
            self.run_method("patch", changed, None if order == list(known) else order)

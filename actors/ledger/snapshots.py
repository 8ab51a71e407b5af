"""The folded state as text, and back: what a start needs instead of the whole log."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from pydantic import TypeAdapter

from actors.storage.retention import StoredSnapshot
from agents.errors import InvalidInput
from agents.fleet import FleetState

log = logging.getLogger(__name__)

#: Raise it when the fold gives another state of the same shape for the same events.
_FOLD = 1

_STATE = TypeAdapter(FleetState)

#: How many events there were by agent and type.
Counts = Counter[tuple[str | None, str]]


class Folded(NamedTuple):
    """The state and the counts as of a seq."""

    seq: int
    state: FleetState
    counts: Counts


@cache
def version() -> str:
    """Return what a snapshot is marked with: it changes with the shape of the state, and with `_FOLD`."""
    shape = json.dumps(_STATE.json_schema(), sort_keys=True)
    return f"{_FOLD}-{hashlib.sha256(shape.encode()).hexdigest()[:16]}"


def encode(seq: int, state: FleetState, counts: Mapping[tuple[str | None, str], int]) -> StoredSnapshot:
    """Write a snapshot."""
    lines = [[agent, type, count] for (agent, type), count in counts.items()]
    return StoredSnapshot(seq, version(), _STATE.dump_json(state).decode(), json.dumps(lines))


def newest(stored: Iterable[StoredSnapshot], floor: int) -> Folded | None:
    """Return the newest snapshot that can be used (they come newest first), or None to fold the log from its beginning.

    One of another version is used only where the log no longer reaches back: its fields are then taken by name, and what
    it does not have begins empty.

    Raises:
        InvalidInput: if there is none and the log does not reach back to its beginning.
    """
    for one in stored:
        if one.version != version():
            if floor == 1:
                log.info("the snapshot at %d is of another version; the log is folded anew", one.seq)
                continue
            log.warning("the snapshot at %d is of another version; what is new in this one begins empty", one.seq)
        if one.seq + 1 < floor:
            continue
        try:
            return _decoded(one)
        except ValueError as error:
            log.error("the snapshot at %d cannot be read: %s", one.seq, error)
    if floor > 1:
        raise InvalidInput(f"the log begins at {floor} and has no snapshot that can be read; restore it from a backup")
    return None


def _decoded(stored: StoredSnapshot) -> Folded:
    counts: Counts = Counter({(agent, type): count for agent, type, count in json.loads(stored.counts)})
    return Folded(stored.seq, _STATE.validate_json(stored.state), counts)

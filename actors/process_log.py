"""Each process's own log: JSON lines in a file of its own in the data directory, whatever life of it writes them."""

import json
import logging
import traceback
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from agents.errors import Unavailable

#: Bytes of one file; the one before it is kept beside.
_SIZE = 5_000_000

#: Packages whose information is logged; of all others the warnings.
_OURS = ("agents", "actors", "supervisor")


def path_of(data_dir: str, name: str) -> Path:
    """Return the file of a named actor."""
    return Path(data_dir) / "actor_logs" / f"{name.replace(':', '-')}.jsonl"


def begin(data_dir: str, name: str, pid: int, life: int | None = None) -> None:
    """Log what this process, a life of an agent or a shared actor, says into its file too.

    A directory that cannot be used is told of on stderr, and ends nobody.
    """
    for package in _OURS:
        logging.getLogger(package).setLevel(logging.INFO)
    path = path_of(data_dir, name)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=_SIZE, backupCount=1, encoding="utf-8")
    except OSError as error:
        logging.getLogger(__name__).warning("the log of %s goes to stderr alone: %s", name, error)
        return
    handler.setFormatter(_JsonLines({"actor": name, "pid": pid} | ({} if life is None else {"life": life})))
    logging.getLogger().addHandler(handler)


def newest(data_dir: str, name: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest lines of an actor's log on this machine, oldest first. Raises Unavailable if it cannot be read."""
    path = path_of(data_dir, name)
    lines: deque[str] = deque(maxlen=limit)
    for file in (path.with_name(f"{path.name}.1"), path):
        try:
            with file.open(encoding="utf-8", errors="replace") as text:
                lines.extend(text)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise Unavailable(f"{file} cannot be read: {error.strerror}") from None
    return [found for line in lines if (found := _parsed(line))]


def _parsed(line: str) -> dict[str, Any] | None:
    """Return a line's fields, or None for one that a kill has cut short."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


class _JsonLines(logging.Formatter):
    """One JSON object a line, with the same fields `fixed` in each; `timestamp` is epoch milliseconds."""

    def __init__(self, fixed: dict[str, Any]) -> None:
        super().__init__()
        self._fixed = fixed

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields = {"timestamp": int(record.created * 1000), "level": record.levelname.lower(), **self._fixed}
        fields |= {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(fields, default=str)

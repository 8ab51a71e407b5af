"""The program that an agent runs beside itself: its environment, its lines, its silence and its end."""

import asyncio
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from actors import child_guard
from agents.errors import InvalidInput, PolyfleetError, Unavailable
from agents.ports import Endpoints
from agents.process_protocol import Command, Lines, is_spoken
from agents.spec import AgentSpec

log = logging.getLogger(__name__)

#: Seconds between SIGTERM and SIGKILL, and those that the guard is given beyond them.
_GRACE = 5.0
_GUARD_GRACE = 2.0
#: Lines that wait for a round at most; the oldest are dropped first.
_WAITING = 1000
#: Bytes that are taken from a stream at a time.
_PIECE = 65_536
#: Bytes of a line for the log, the lines that a burst may have, and those of a second in the long run.
_LOGGED = 2000
_BURST = 50
_RATE = 2.0
#: Last lines of its errors that a failure shows, and the characters of each.
_LAST = 3
_SHOWN = 300
#: Seconds for which the streams of a program that has ended are read on.
_REST = 1.0


class ChildFailed(PolyfleetError):
    """Raised when an agent's program has ended with another code than 0, or has fallen silent."""


def environment(spec: AgentSpec, command: Command, venue: Endpoints | None = None) -> dict[str, str]:
    """Return all the variables that a program gets: the seed's, where the venue answers, its own, and nothing inherited.

    PATH is this interpreter's directory and the system's, PYTHONPATH where our packages are, POLYFLEET_VENUE the public
    addresses of the venue as `polyfleet sandbox` prints them, if they are given.
    """
    root = Path(__file__).resolve().parents[1]
    variables = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin")),
        "HOME": os.path.expanduser("~"),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(root),
        "PYTHONUNBUFFERED": "1",
        "MAX_TRADE_AMOUNT": f"{spec.max_trade_amount:f}",
        "MIN_CONFIDENCE": str(spec.min_confidence),
        "RISK_TOLERANCE": command.risk_tolerance,
        "AUTO_TRADE": "true" if command.trades else "false",
    }
    if venue is not None:
        variables["POLYFLEET_VENUE"] = json.dumps(venue.addresses())
    return variables | dict(command.environment)


class _Throttle:
    """Lets so many lines into the log that nobody can fill a disk with them, and counts the others."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = float(_BURST)
        self._at = clock()
        self._dropped = 0

    def log(self, level: int, line: str) -> None:
        """Log a line, if there is room for it."""
        now = self._clock()
        self._left, self._at = min(_BURST, self._left + (now - self._at) * _RATE), now
        if self._left < 1:
            self._dropped += 1
            return
        self._left -= 1
        if self._dropped:
            log.warning("the program wrote too fast: %d lines were left out of the log", self._dropped)
            self._dropped = 0
        log.log(level, "%s", line)


class ChildProcess:
    """One run of a program, in a process group of its own; whatever ends this process ends the program and its children.

    What it writes on stdout is read all the time: lines of the protocol wait for `lines`, others and its stderr go to the
    agent's log. Once it has ended by itself, `done` is true (code 0) or `failure` says why.
    """

    def __init__(self, command: Command, variables: dict[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self._command = command
        self._variables = variables
        self._clock = clock
        self._throttle = _Throttle(clock)
        self._guard: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        #: When each line came, and the line.
        self._waiting: deque[tuple[float, str]] = deque(maxlen=_WAITING)
        self._errors: deque[str] = deque(maxlen=_LAST)
        self._heard = 0.0
        self._dropped = 0
        self._stopping = False
        self.done = False
        self.failure: Exception | None = None

    @property
    def pid(self) -> int | None:
        """The process that guards the program; None before `start`."""
        return self._guard.pid if self._guard else None

    async def start(self) -> None:
        """Start it. Raises InvalidInput if there is no such program or directory, Unavailable if no process can be made."""
        program, directory = self._located()
        self._heard = self._clock()
        try:
            self._guard = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", child_guard.__file__, str(_GRACE), program, *self._command.arguments[1:]),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=directory,
                env=self._variables,
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(f"no process can be started for {program}: {error.strerror}") from error
        log.info("runs %s", " ".join(self._command.arguments)[:_SHOWN])
        self._watch = asyncio.create_task(self._live(self._guard))

    def lines(self) -> tuple[str, ...]:
        """Return the lines of the protocol that came since the last time; those that are too old by now are dropped."""
        oldest = self._clock() - self._command.max_age
        young = tuple(line for at, line in self._waiting if at >= oldest)
        if lost := self._dropped + len(self._waiting) - len(young):
            log.warning("lines of the program that were dropped, as they came too fast or too long before this round: %d", lost)
        self._waiting.clear()
        self._dropped = 0
        return young

    async def ended(self) -> None:
        """Wait until it has ended; raises what it failed with."""
        if self._watch is not None:
            await asyncio.shield(self._watch)
        if self.failure is not None:
            raise self.failure

    async def stop(self) -> None:
        """End it and all that it started: SIGTERM, and SIGKILL five seconds later. What it still says is of no account."""
        if self._watch is None or self._guard is None:
            return
        self._stopping = True
        await self._end(self._guard)
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)

    def _located(self) -> tuple[str, str]:
        directory = self._command.directory or self._variables["HOME"]
        if not Path(directory).is_dir():
            raise InvalidInput(f"params.directory: there is no directory {directory}")
        name = self._command.arguments[0]
        path = str(Path(directory, name)) if os.sep in name else name
        program = shutil.which(path, path=self._variables["PATH"])
        if program is None:
            raise InvalidInput(f"params.command: there is no program {name} that can be run; give its whole path")
        return program, directory

    async def _live(self, guard: asyncio.subprocess.Process) -> None:
        assert guard.stdout is not None
        assert guard.stderr is not None
        readers = [
            asyncio.create_task(self._read(guard.stdout, Lines(self._command.max_line), self._say)),
            asyncio.create_task(self._read(guard.stderr, Lines(_LOGGED), self._complain)),
        ]
        ending = asyncio.create_task(guard.wait())
        try:
            while not ending.done():
                left = self._heard + self._command.silence - self._clock()
                if left <= 0:
                    self.failure = ChildFailed(f"the program has written nothing for {self._command.silence:g} s{self._last()}")
                    await self._end(guard)
                    return
                await asyncio.wait([ending], timeout=left)
            await asyncio.wait(readers, timeout=_REST)
            self._judge(ending.result())
        finally:
            for task in (*readers, ending):
                task.cancel()
            await asyncio.gather(*readers, ending, return_exceptions=True)

    async def _read(self, stream: asyncio.StreamReader, lines: Lines, take: Callable[[str], None]) -> None:
        while piece := await stream.read(_PIECE):
            self._heard = self._clock()
            told = lines.too_long
            for line in lines.feed(piece):
                take(line)
            if lines.too_long > told:
                self._throttle.log(
                    logging.WARNING, f"a line of the program was left out: it is too long ({lines.too_long} so far)"
                )
        for line in lines.finish():
            take(line)

    def _say(self, line: str) -> None:
        if not is_spoken(line):
            self._throttle.log(logging.INFO, f"it says: {line[:_LOGGED]}")
            return
        self._dropped += len(self._waiting) == _WAITING
        self._waiting.append((self._clock(), line))

    def _complain(self, line: str) -> None:
        shown = "".join(char if char.isprintable() else " " for char in line)
        self._errors.append(shown[:_SHOWN])
        self._throttle.log(logging.WARNING, f"its stderr: {shown}")

    def _judge(self, code: int) -> None:
        if self._stopping:
            return
        log.info("the program has ended with code %d", code)
        if code == 0:
            self.done = True
            return
        why = f"the program ended with code {code}"
        if code < 0 or code > child_guard.SIGNALLED:
            with suppress(ValueError):
                why += f", by {signal.Signals(abs(code) % child_guard.SIGNALLED).name}"
        self.failure = ChildFailed(why + self._last())

    def _last(self) -> str:
        return f"; the last that it wrote on stderr: {' / '.join(self._errors)}" if self._errors else ""

    async def _end(self, guard: asyncio.subprocess.Process) -> None:
        """Close the pipe, which the guard obeys, and wait for it while the streams are read on: a full one would hold it up."""
        assert guard.stdin is not None
        guard.stdin.close()
        if await _ended(guard, _GRACE + _GUARD_GRACE):
            return
        log.error("the program's guard, process %d, does not end; it is killed, and the program with it", guard.pid)
        with suppress(ProcessLookupError):
            guard.kill()
        await _ended(guard, _GUARD_GRACE)


async def _ended(guard: asyncio.subprocess.Process, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await guard.wait()
    except TimeoutError:
        return False
    return True

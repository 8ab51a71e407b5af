"""Runs a program and ends it, with all that it started, as soon as its own parent is gone or closes the pipe to it.

usage: python -I -S child_guard.py GRACE PROGRAM [ARGUMENT ...]

A process between an agent and its program, of the standard library alone. Its standard input is a pipe that only the parent
can write to: the kernel closes that even when the parent is killed. Then, or on SIGTERM, the program's process group gets
SIGTERM. Once the program has ended, or GRACE seconds later, everything that is left gets SIGKILL, what has made a group of
its own included. It exits as the program does: with its code, or 128 and the number of the signal that ended it.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

#: As shells do it.
_NOT_EXECUTABLE, _NOT_FOUND, SIGNALLED = 126, 127, 128

#: Seconds between looks at whether all has ended.
_LOOK = 0.02


def _prctl(option: int, value: int) -> None:
    """Ask Linux for something; where there is no such call, less is cleaned up after a kill."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _prepare() -> None:
    """Run in the program's process: it dies with this one, however that ends, and blocks no signals."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


class Guard:
    """One program under guard; the processes that lose their parents become this one's children."""

    def __init__(self, command: list[str], grace: float) -> None:
        self._grace = grace
        self._code: int | None = None
        self._wakes, wakes = os.pipe()
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wakes)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        # Kept, since an object that is let go of takes the exit code along.
        self._popen = subprocess.Popen(  # noqa: S603 - the command is what its user asked for
            command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_prepare
        )
        self._program = self._popen.pid

    def run(self) -> int:
        """Wait for the program or for the end of the parent; return the exit code."""
        while self._code is None:
            readable, _, _ = select.select([0, self._wakes], [], [])
            asked = 0 in readable and not os.read(0, 1024)
            if self._wakes in readable:
                asked |= any(number != signal.SIGCHLD for number in os.read(self._wakes, 1024))
            self._reap()
            if asked and self._code is None:
                self._ask_to_end()
        code = self._code
        self._kill_rest()
        return code

    def _ask_to_end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._program, signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        while self._code is None and time.monotonic() < deadline:
            time.sleep(_LOOK)
            self._reap()
        if self._code is None:
            self._code = SIGNALLED + signal.SIGKILL

    def _reap(self) -> bool:
        """Take leave of what has ended; False when no child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid == self._program:
                code = os.waitstatus_to_exitcode(status)
                self._code = code if code >= 0 else SIGNALLED - code

    def _kill_rest(self) -> None:
        """Kill until no child is left: the children of one that was killed come to this process in turn."""
        while self._reap():
            pids = _children()
            for pid in pids:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if not pids:
                # This kernel does not tell; what has stayed in the program's group can be reached without.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._program, signal.SIGKILL)
                return
            time.sleep(_LOOK)


def _children() -> list[int]:
    with suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]
    return []


def main() -> int:
    """Run the command of the arguments."""
    grace, *command = sys.argv[1:]
    try:
        return Guard(command, float(grace)).run()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{command[0]} cannot be run: {error}\n")
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE


if __name__ == "__main__":
    sys.exit(main())

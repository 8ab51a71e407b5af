"""Asks the API whether it is there, again and again, while processes die."""

import threading
from collections import Counter

import httpx

#: Seconds between two questions, and for an answer.
_EVERY = 0.25
_TIMEOUT = 2.0


class Probe:
    """Asks `/health` from a thread of its own; `outcomes` counts what came of it ("answered" or why not) while not paused."""

    def __init__(self, url: str) -> None:
        self.outcomes: Counter[str] = Counter()
        self._url = f"{url}/health"
        self._counts = threading.Event()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Count no longer: the whole node is away."""
        self._counts.clear()

    def resume(self) -> None:
        """Count."""
        self._counts.set()

    def close(self) -> None:
        """End the thread."""
        self._ends.set()
        self._thread.join(_TIMEOUT + 1)

    def _run(self) -> None:
        while not self._ends.wait(_EVERY):
            if self._counts.is_set():
                outcome = self._ask()
                # A question that a pause cut short says nothing.
                if self._counts.is_set():
                    self.outcomes[outcome] += 1

    def _ask(self) -> str:
        try:
            # A connection of its own each time, as a new client has.
            response = httpx.get(self._url, timeout=_TIMEOUT)
        except httpx.HTTPError as error:
            return type(error).__name__
        return "answered" if response.is_success else str(response.status_code)

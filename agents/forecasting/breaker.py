"""A circuit breaker for one model: after some failures in a row it is left alone, then tried with one question at a time."""

from dataclasses import dataclass

#: Failures in a row that open it.
FAILURES = 4
#: Seconds that it then stays open, at first and, after probes that failed, at most.
SHORTEST, LONGEST = 10.0, 120.0


@dataclass(slots=True)
class Breaker:
    """Times are seconds of one monotonic clock."""

    #: Why it is open, or empty.
    reason: str = ""
    _failures: int = 0
    _pause: float = SHORTEST
    _until: float = 0.0
    _probed: bool = False

    @property
    def probing(self) -> bool:
        """Whether a probe is on its way."""
        return self._probed

    def allows(self, now: float) -> bool:
        """Whether work with the model may begin: it is closed, or it is time for a probe and none is on its way."""
        return not self.reason or (now >= self._until and not self._probed)

    def begin(self) -> bool:
        """Take note that work which it allowed begins; return whether that is a probe, as it is open."""
        self._probed = bool(self.reason)
        return self._probed

    def end(self, probe: bool) -> None:
        """Take note that work is over, whether or not it asked the model; a probe that came to nothing may be made again."""
        if probe:
            self._probed = False

    def succeed(self) -> None:
        """Take note of an answer, good or bad."""
        self.reason, self._failures, self._pause, self._probed = "", 0, SHORTEST, False

    def fail(self, reason: str, now: float, *, final: bool = False) -> None:
        """Take note of a question without an answer; `final`: asking again is no use (a wrong key, an unknown model)."""
        self._failures += 1
        if self.reason:
            if self._probed:
                self._pause = min(self._pause * 2, LONGEST)
                self._until, self._probed, self.reason = now + self._pause, False, reason
        elif final or self._failures >= FAILURES:
            self._until, self.reason = now + self._pause, reason
